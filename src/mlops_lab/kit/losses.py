"""Requests of a load that were lost: how many, how, and when."""

from __future__ import annotations

from mlops_lab.checks import Observation
from mlops_lab.measure.traffic.report import LoadReport


def kinds(report: LoadReport, most: int = 3) -> list[str]:
    """How requests failed, in words with counts, such as `3 x status 503` and `2 x connection refused`.

    Args:
        most: how many causes of missing answers, the most frequent first.
    """
    found = [f"{count} x status {status}" for status, count in report.statuses.items() if status not in (0, 200)]
    return found + [f"{count} x {error}" for error, count in report.errors.most_common(most)]


def none_lost(report: LoadReport) -> Observation:
    """No request of a load failed; else how many did and how."""
    half = f"; half were answered within {report.p(50) * 1000:.0f} ms" if report.good else ""
    return Observation(
        report.failed == 0,
        f"failed requests: none of {report.sent}",
        f"{report.failed} of {report.sent} requests failed{half}",
        report.failed,
        tuple(kinds(report)),
    )
