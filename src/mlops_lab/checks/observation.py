"""From something seen to a verdict: `expect(observe(...)).because(...)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlops_lab.base.errors import Failure
from mlops_lab.checks import current
from mlops_lab.checks.matchers import Matcher

_OF_TIME = ("s", "ms")


@dataclass(frozen=True)
class Observation:
    """What a check looked for and what it saw.

    Attributes:
        ok: whether the two agree.
        expected, seen: both in the learner's words. `seen` is a fact whichever way it goes, for the report of a pass
            shows it too; where the words would differ, use `holds`, or `absent` for what can only fail.
        value: the value seen, for the check's own use.
        evidence: lines that explain what was seen, such as events.
        what: what the value is, where `seen` alone does not say.
        timed: whether a machine that is starved of CPU may be why it differs. What is measured in seconds may always, a
            wrong value never; with None it may if the check sent a load, or a wait of its has run out.
    """

    ok: bool
    expected: str
    seen: str
    value: Any = None
    evidence: tuple[str, ...] = ()
    what: str = ""
    timed: bool | None = None

    def __str__(self) -> str:
        return f"{self.what}: {self.seen}" if self.what else self.seen


class Unmet(Failure):
    """A `Failure` that carries the evidence of its observation."""

    def __init__(self, observation: Observation, why: str) -> None:
        super().__init__(observation.expected, observation.seen, why)
        self.evidence = observation.evidence
        self.timed = observation.timed


def observe(
    what: str,
    value: Any,
    matcher: Matcher,
    *,
    unit: str = "",
    evidence: Sequence[str] = (),
    timed: bool | None = None,
) -> Observation:
    """Hold a value against a matcher.

    Args:
        what: what the value is, such as `failed requests`.
        unit: put behind the numbers, such as `s` or `%`.
        timed: see `Observation`; what has a unit of time is, unless told otherwise.
    """
    behind = f" {unit}" if unit else ""
    shown = f"{value:.4g}" if isinstance(value, float) else value
    depends = unit in _OF_TIME or None if timed is None else timed
    return Observation(
        matcher(value), f"{what}: {matcher}{behind}", f"{shown}{behind}", value, tuple(evidence), what, depends
    )


def holds(ok: bool, expected: str, otherwise: str, *, evidence: Sequence[str] = ()) -> Observation:
    """Whether something is as it should be, where there is no value to show.

    Args:
        expected: what should be; on a pass it is what was seen, and the report says so.
        otherwise: what is seen where it is not so, such as `there is none in this namespace`.
    """
    return Observation(ok, expected, expected if ok else otherwise, evidence=tuple(evidence))


def absent(expected: str, seen: str, *, value: Any = None, evidence: Sequence[str] = ()) -> Observation:
    """What should be there is not: an observation that can only fail.

    Args:
        seen: what is there instead.
    """
    return Observation(False, expected, seen, value, tuple(evidence))


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
