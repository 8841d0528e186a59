"""What a grader says of a submission, and why it may be no result."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from mlops_lab.classroom.chain import Check

_VERDICTS = ("pass", "fail", "blocked", "waiting")
_MANY = 200  # checks of a lab
_LONGEST = 2000  # characters of what was expected and seen


class Told(msgspec.Struct, frozen=True):
    """A check as its learner is told it; the checker's own results have these fields, and more."""

    check: str
    verdict: str
    points: int
    title: str = ""
    expected: str = ""
    seen: str = ""
    why: str = ""
    evidence: list[str] = []
    seconds: float = 0.0

    @property
    def earned(self) -> int:
        """The points that it gives."""
        return self.points if self.verdict == "pass" else 0


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a grader says of the submission that it has; all else the server knows itself.

    Attributes:
        report: the same checks with all that their learner is told; it is kept beside the record and not signed.
        looked: the sha256 of the list of what was looked at, where it was graded in place; else empty.
    """

    lab_content: str
    points: int
    possible: int
    checks: list[Check]
    seconds: float
    seed: int | None = None
    report: list[Told] = []
    looked: str = ""

    def fault(self) -> str:
        """Why it can't be a result; empty if it can."""
        if not self.checks or len(self.checks) > _MANY:
            return f"a result has 1 to {_MANY} checks"
        if len({each.check for each in self.checks}) != len(self.checks):
            return "two checks have the same name"
        for each in self.checks:
            if each.verdict not in (*_VERDICTS, "error"):
                return f"{each.verdict!r} is no verdict"
            if each.points < 0 or each.earned != (each.points if each.verdict == "pass" else 0):
                return f"{each.check} has not earned {each.earned} of {each.points} with {each.verdict}"
        told = [(each.check, each.verdict, each.points) for each in self.report]
        if self.report and told != [(each.check, each.verdict, each.points) for each in self.checks]:
            return "its report is of other checks"
        sums = sum(each.earned for each in self.checks), sum(each.points for each in self.checks)
        if (self.points, self.possible) != sums:
            return f"{self.points} of {self.possible} points are not what the checks have: {sums[0]} of {sums[1]}"
        return "" if 0 <= self.seconds < 1e6 else "that is no time"

    @property
    def kept(self) -> tuple[Check, ...]:
        """Its checks without what a learner's program may have printed by the megabyte."""
        return tuple(
            replace(each, expected=each.expected[:_LONGEST], seen=each.seen[:_LONGEST]) for each in self.checks
        )

    @property
    def trouble(self) -> str:
        """Which checks could not be run, for a reason that is not the learner's; empty if all could."""
        return "; ".join(
            f"{each.check}: {each.seen or each.expected}" for each in self.checks if each.verdict == "error"
        )
