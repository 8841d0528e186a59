"""Whose turn it is: labs by how much their proofs need to be renewed, and as many of them as fit into some minutes.

First come labs whose own folder has changed since they were last proved, or that never were; then those whose checker
imports something that has, whose charts or images have, and those that only the engine is another for; last the ones
that are as they were proved. Within each the oldest proof comes first, so that in time each lab has its turn.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.labs.catalog import Exercise, about
from mlops_lab.proof.content import Contents
from mlops_lab.proof.proofs import SHORT, WHOLE, Part, Proof, part, proofs

# Minutes that the suite gives to labs.
_MINUTES = 5
# Seconds: a lab whose form takes longer has no turn among others, and is verified by its own command.
LONG = 300.0
# Seconds that a lab is taken to need which was never proved, where no other tells.
UNKNOWN = 180.0
_SAID = {
    "folder": "its folder",
    "checker": "what its checker imports",
    "platform": "its charts or images",
    "engine": "the engine",
}
_FRESH = len(_SAID)


@dataclass(frozen=True)
class Turn:
    """One lab, and how fresh its proof is.

    Attributes:
        changed: what is other than it was when it was proved, see `content.Content`; empty for a fresh proof.
        proof: the last proof, whole or short; None without one.
        form: that proof's form.
        seconds: how long the form that is asked for took last; None if that is not known.
        quiet: it is verified alone.
        holds: how many steps of a whole proof still hold, where that is asked for and some do.
    """

    exercise: Exercise
    changed: tuple[str, ...]
    proof: Proof | None
    form: str
    seconds: float | None
    quiet: bool
    holds: Part | None = None

    @property
    def order(self) -> tuple[int, str, str]:
        """What labs are sorted by: the least comes first."""
        urgency = min((list(_SAID).index(part) for part in self.changed), default=_FRESH)
        return (urgency, self.proof.at if self.proof else "", self.exercise.slug)

    @property
    def fresh(self) -> bool:
        """Is it as it was when it was proved?"""
        return self.proof is not None and not self.changed

    def plain(self) -> dict[str, Any]:
        """This as plain data."""
        return {
            "lab": self.exercise.slug,
            "fresh": self.fresh,
            "changed": list(self.changed),
            "form": self.form,
            "at": self.proof.at if self.proof else None,
            "seconds": self.seconds,
            "steps that hold": self.holds.done if self.holds else None,
            "in words": str(self),
        }

    def __str__(self) -> str:
        holds = f"; {self.holds.done} of {self.holds.of} steps hold" if self.holds else ""
        if self.proof is None:
            return f"never proved{holds}"
        when = f"proved {age(self.proof.at)} ({self.form})"
        if self.fresh:
            return when
        parts = [_SAID[name] for name in self.changed]
        return f"{when}; changed since: {', '.join(parts)}{holds}"


def turns(labs: Sequence[Exercise], form: str = SHORT) -> list[Turn]:
    """These labs, by turns.

    Args:
        form: the form that is to be proved: a whole proof counts for the short form, too.
    """
    contents = Contents()
    return sorted((_turn(exercise, form, contents) for exercise in labs), key=lambda turn: turn.order)


def proved(labs: Sequence[Exercise], form: str) -> list[Turn]:
    """Those of these labs that the repository has a proof of, in this form, and that are as they were then."""
    return [turn for turn in turns(labs, form) if turn.fresh]


def fitting(turns: Sequence[Turn], seconds: float, lanes: int) -> list[Turn]:
    """Those that fit into some time, in their order; the first always does, or it would never have its turn.

    One that is known to take longer than LONG has none.

    Args:
        lanes: how many are verified side by side.
    """
    known = [turn.seconds for turn in turns if turn.seconds is not None]
    guess = sum(known) / len(known) if known else UNKNOWN
    chosen: list[Turn] = []
    for turn in turns:
        if turn.seconds is not None and turn.seconds > LONG:
            continue
        if not chosen or _needs([*chosen, turn], guess, lanes) <= seconds:
            chosen.append(turn)
    return chosen


def minutes() -> float:
    """The minutes that the suite gives to labs; `MLOPS_LAB_PROOF_MINUTES` says others.

    Raises:
        UsageError: it is no number above 0.
    """
    text = os.environ.get("MLOPS_LAB_PROOF_MINUTES") or str(_MINUTES)
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise UsageError(f"MLOPS_LAB_PROOF_MINUTES is {text!r}", "give it minutes, such as 5")
    return found


def age(at: str) -> str:
    """How long ago something was, in words."""
    passed = datetime.now(UTC) - datetime.fromisoformat(at)
    for length, word in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute")):
        if passed >= length:
            count = passed // length
            return f"{count} {word}{'s' if count > 1 else ''} ago"
    return "just now"


def _turn(exercise: Exercise, form: str, contents: Contents) -> Turn:
    known, now = proofs(exercise), contents.of(exercise)
    counting = known if form == SHORT else {WHOLE: known[WHOLE]} if WHOLE in known else {}
    # The one that is least outdated, and of those the newest.
    best = max(counting, key=lambda each: (-len(now.changed(counting[each].content)), counting[each].at), default="")
    proof = counting.get(best)
    last = known.get(form)
    return Turn(
        exercise,
        tuple(now.changed(proof.content if proof else None)),
        proof,
        best,
        last.seconds if last else None,
        _quiet(exercise),
        part(exercise, now.key) if form == WHOLE else None,
    )


def _quiet(exercise: Exercise) -> bool:
    try:
        return about(exercise).quiet
    except LabError:  # its own verification says so
        return True


def _needs(turns: Sequence[Turn], guess: float, lanes: int) -> float:
    """Seconds that these take: several side by side, each in the lane that is free first, and quiet ones alone."""
    free = [0.0] * max(1, lanes)
    alone = 0.0
    for turn in turns:
        took = guess if turn.seconds is None else turn.seconds
        if turn.quiet:
            alone += took
        else:
            free[free.index(min(free))] += took
    return max(free) + alone
