"""The learner's incident log against what happened: was each fault noticed, in time, as what it was, and no other."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlops_lab.checks import Observation

from .plan import FEED, KINDS, NOTICED, SERVICES, Fault

PLACES = frozenset([*SERVICES, *FEED.values()])
EARLY, SLACK = 5.0, 5.0  # s before a fault's beginning, for clocks; and beyond each limit, for looking
ENDED = (15.0, 30.0)  # s before and after a fault's end, in which the log may see it
FORGIVEN = 1  # incidents that were none, and follow from none
SAME_LOOK = 1.0  # s in which one look writes down a fault and what it takes for another one
MOST_NAMED = 12  # kinds and places of a day
LARGEST = 1000


@dataclass(frozen=True)
class Incident:
    """One of the log; Unix times, `ended` is None while it goes on."""

    what: str
    where: str
    began: float
    ended: float | None


@dataclass
class Seen:
    """What became of a fault; Unix times.

    Attributes:
        began, over: None for `over` until it was seen.
        mended: by itself or by the learner, and not by the checker when its time was over.
        noticed: when the log was first seen to have it.
        ends: when the log was seen to give it an end, while it went on.
        bad: the version that `production` was made to mean, and that nobody can read; empty if there is none.
    """

    fault: Fault
    began: float
    over: float | None = None
    mended: bool = False
    noticed: float | None = None
    ends: list[float] = field(default_factory=list)
    bad: str = ""

    def is_it(self, one: Incident) -> bool:
        """Is this incident the fault, by kind, place and beginning?"""
        latest = self.began + NOTICED[self.fault.what] + SLACK
        return (one.what, one.where) == (self.fault.what, self.fault.where) and (
            self.began - EARLY <= one.began <= latest
        )

    def has_end(self, log: Sequence[Incident]) -> bool:
        """Does a log say that the fault is over? Where it has it twice, each of them."""
        own = [one for one in log if self.is_it(one)]
        return bool(own) and all(one.ended is not None for one in own)

    def leads_to(self, one: Incident, own: Incident) -> bool:
        """Is an incident one that the log has of what follows from this fault at a service?

        Args:
            own: the fault's own; what began before it does not follow from it.
        """
        end = self.over if self.over is not None else float("inf")
        beside = one.where == self.fault.where and one.where in SERVICES and one.what != self.fault.what
        return beside and max(self.began, own.began - SAME_LOOK) <= one.began <= end

    def __str__(self) -> str:
        return f"{self.fault.what} at {self.fault.where}"


def read(said: Any) -> list[Incident]:
    """The incidents of an answer of GET /incidents that can be read."""
    rows = said.get("incidents") if isinstance(said, dict) else None
    found = []
    for each in rows[-LARGEST:] if isinstance(rows, list) else []:
        if isinstance(each, dict) and (began := moment(each.get("began"))) is not None:
            found.append(Incident(str(each.get("what")), str(each.get("where")), began, moment(each.get("ended"))))
    return found


def moment(text: Any) -> float | None:
    """Unix time of an ISO 8601 moment with a zone; None if it is none."""
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.timestamp() if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def named(log: Sequence[Incident], began: float) -> set[tuple[str, str]]:
    """The kinds and places that a log names since the day began."""
    return {(each.what, each.where) for each in log if each.began >= began - EARLY and each.what in KINDS}


def foretold(log: Sequence[Incident], began: float, now: float) -> set[tuple[str, str]]:
    """The kinds and places that a log gives an end which has not come yet, since the day began."""
    late = [each for each in log if each.ended is not None and each.ended > now + SLACK]
    return named([each for each in late if each.where in PLACES], began)


def noticed(seen: Sequence[Seen], names: Set[tuple[str, str]] = frozenset()) -> Observation:
    """Whether each fault stood in the log in time.

    Args:
        names: the kinds and places that the log named at any time; who names everything has noticed nothing.
    """
    late = [f"{len(names)} kinds and places are in it"] if len(names) > MOST_NAMED else []
    for each in seen:
        limit, took = NOTICED[each.fault.what], (each.noticed or 0.0) - each.began
        if each.noticed is None:
            late.append(f"{each} never")
        elif took > limit + SLACK:
            late.append(f"{each} after {took:.0f} s, not {limit:g}")
    times = [each.noticed - each.began for each in seen if each.noticed is not None]
    expected = f"each of {len(seen)} faults stands in GET /incidents in time"
    shown = "; ".join(late) or f"{', '.join(map(str, seen))}: after {', '.join(f'{one:.0f}' for one in times)} s"
    return Observation(not late, expected, shown, len(late), timed=True)


def ended(seen: Sequence[Seen]) -> Observation:
    """Whether each fault was over in time, where somebody has to end it."""
    mine = [each for each in seen if not each.fault.lasts]
    late = [f"{each} was not over after {each.fault.limit:g} s" for each in mine if not each.mended]
    took = [f"{each} after {(each.over or 0) - each.began:.0f} s" for each in mine if each.mended]
    expected = f"each of {len(mine)} faults that don't pass by themselves is over in time"
    return Observation(not late, expected, "; ".join(late or took), len(late), timed=True)


def true(
    seen: Sequence[Seen], log: Sequence[Incident], began: float, guessed: Set[tuple[str, str]] = frozenset()
) -> Observation:
    """Whether the day's incidents are the faults, each once, with its end.

    Args:
        began: when the day did; what began before that is not looked at.
        guessed: kinds and places that had an end which had not come yet.
    """
    said, owns = list[str](), list[tuple[Seen, Incident]]()
    left = [each for each in log if each.began >= began and each.what in KINDS and each.where in PLACES]
    for each in seen:
        own = [one for one in left if each.is_it(one)]
        if not own:
            said.append(f"{each} is not in it, with its beginning")
            continue
        left.remove(own[0])
        owns.append((each, own[0]))
        said += _end(each, own[0])
    said += [f"{what} at {where} had an end in it that was still to come" for what, where in sorted(guessed)]
    said += [
        f"{one.what} at {one.where} is in it, too, which follows from {each}"
        for each, own in owns
        for one in left
        if each.leads_to(one, own)
    ]
    none = [f"{one.what} at {one.where}, {one.began - began:.0f} s after the day began, was none" for one in left]
    if len(left) > FORGIVEN:
        said += [f"{len(left)} incidents that were none, or a second time the same", *none[:3]]
    expected = f"the log has the day's {len(seen)} faults, each once, from its beginning to its end"
    shown = said[0] if said else f"it has; {len(left)} beside"
    return Observation(not said, expected, shown, len(said), tuple(said[1:6]))


def _end(seen: Seen, one: Incident) -> list[str]:
    if seen.over is None:
        return []
    if one.ended is None:
        return [f"{seen} has no end in it"]
    slack = 0.0 if seen.fault.lasts else SLACK  # when it passes by itself is known
    early = [at for at in seen.ends if at < seen.over - ENDED[0] - slack]
    if len(early) > 1:  # one look may have met a moment in which all seemed well
        return [f"{seen} had an end in it {seen.over - early[0]:.0f} s before it was over, while it went on"]
    off = one.ended - seen.over
    if -ENDED[0] <= off <= ENDED[1]:
        return []
    return [f"{seen} ended {abs(off):.0f} s {'before' if off < 0 else 'after'} it was over"]
