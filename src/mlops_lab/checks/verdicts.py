"""The five verdicts, and the result of one check."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field
from typing import Any


class Verdict(enum.StrEnum):
    """What became of a check.

    Only `FAIL` speaks of the learner's work; `ERROR` is the environment's or the checker's own fault.
    """

    PASS = "pass"
    FAIL = "fail"
    BLOCKED = "blocked"
    WAITING = "waiting"
    ERROR = "error"


@dataclass(frozen=True)
class Result:
    """One check's outcome.

    Attributes:
        check: the check's name, as its function is called.
        title: what it asks for: the first line of its docstring.
        points: what it is worth; `earned` is that on a pass, else 0.
        expected, seen, why: filled on `fail` (always) and, as far as known, on the others.
        evidence: lines that explain: states of pods, events, the learner's own output.
        seconds: how long the check took.
        waited: how much of that it spent waiting for the cluster or sending load.
        trace: what it did and saw, for `lab explain`; see `checks.trace`.
        seed: with which it drew names, dates or numbers; None if it drew nothing.
    """

    check: str
    title: str
    verdict: Verdict
    points: int
    domains: tuple[str, ...] = ()
    expected: str = ""
    seen: str = ""
    why: str = ""
    evidence: tuple[str, ...] = field(default=())
    seconds: float = 0.0
    waited: float = 0.0
    trace: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    seed: int | None = field(default=None, compare=False)

    @property
    def earned(self) -> int:
        """The points that this result is worth to the learner."""
        return self.points if self.verdict is Verdict.PASS else 0

    def plain(self) -> dict[str, Any]:
        """This as plain data, without its trace."""
        return {name: value for name, value in asdict(self).items() if name != "trace"}
