"""From something seen to a verdict: `expect(observe(...)).because(...)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_lab.base.errors import Failure
from mlops_lab.checks import current
from mlops_lab.checks.matchers import Matcher

if TYPE_CHECKING:
    from mlops_lab.measure.traffic.report import LoadReport


@dataclass(frozen=True)
class Observation:
    """What a check looked for and what it saw.

    Attributes:
        ok: whether the two agree.
        expected, seen: both in the learner's words.
        value: the value seen, for the check's own use.
        evidence: lines that explain what was seen, such as events.
        what: what the value is, where `seen` alone does not say.
    """

    ok: bool
    expected: str
    seen: str
    value: Any = None
    evidence: tuple[str, ...] = ()
    what: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.seen}" if self.what else self.seen


class Unmet(Failure):
    """A `Failure` that carries the evidence of its observation."""

    def __init__(self, observation: Observation, why: str) -> None:
        super().__init__(observation.expected, observation.seen, why)
        self.evidence = observation.evidence


def observe(what: str, value: Any, matcher: Matcher, *, unit: str = "", evidence: Sequence[str] = ()) -> Observation:
    """Hold a value against a matcher.

    Args:
        what: what the value is, such as `failed requests`.
        unit: put behind the numbers, such as `s` or `%`.
    """
    behind = f" {unit}" if unit else ""
    shown = f"{value:.4g}" if isinstance(value, float) else value
    return Observation(matcher(value), f"{what}: {matcher}{behind}", f"{shown}{behind}", value, tuple(evidence), what)


def none_lost(report: LoadReport) -> Observation:
    """No request of a load failed; else how many did and how."""
    kinds = [f"{number} x status {status}" for status, number in report.statuses.items() if status not in (0, 200)]
    kinds += [f"{number} x {error}" for error, number in report.errors.most_common(3)]
    half = f"; half were answered within {report.p(50) * 1000:.0f} ms" if report.good else ""
    return Observation(
        report.failed == 0,
        f"failed requests: none of {report.sent}",
        f"{report.failed} of {report.sent} requests failed{half}",
        report.failed,
        tuple(kinds),
    )


@dataclass(frozen=True)
class Expectation:
    """An observation that waits for its explanation; alone it does nothing."""

    observation: Observation

    def because(self, why: str) -> Observation:
        """Hand the observation back if it is as expected.

        Args:
            why: what usually causes the failure and how it works; shown only on failure.

        Raises:
            Failure: expected and seen differ.
        """
        if not self.observation.ok:
            raise Unmet(self.observation, why)
        current.note(str(self.observation))
        return self.observation


def expect(observation: Observation) -> Expectation:
    """Start an expectation; it counts once `.because(...)` is called."""
    return Expectation(observation)
