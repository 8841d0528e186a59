"""Requests of a load that were lost: how many and how, and what in a pod template may explain it."""

from __future__ import annotations

from mlops_lab.checks import Observation
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.report import LoadReport

# Where nothing in the objects explains it.
SEE_EVIDENCE = (
    "the evidence says how requests failed. Refused or reset: a pod ended while it still got them (preStop wait "
    "longer than terminationGracePeriodSeconds?). No answer in time: too few pods, or a CPU limit"
)


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
        f"failed requests: none of {len(report.requests)}",
        f"{report.failed} of {len(report.requests)} requests failed{half}",
        report.failed,
        tuple(kinds(report)),
    )


def readiness_path(template: Object) -> str | None:
    """What the readiness probe of a pod template's first container asks for by HTTP.

    Returns:
        The path; empty for a probe of another kind; None where there is no probe.
    """
    probe = template["spec"]["containers"][0].get("readinessProbe")
    return None if probe is None else str((probe.get("httpGet") or {}).get("path") or "")


def waits_before_end(template: Object) -> bool:
    """Has a pod template's first container a preStop hook? SIGTERM comes after it, not as its address is taken out."""
    return bool((template["spec"]["containers"][0].get("lifecycle") or {}).get("preStop"))
