"""Hints, one more each time one is asked for; and solutions, after a pass or on request."""

from __future__ import annotations

from mlops_lab.base.errors import UsageError
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.hints import hints
from mlops_lab.labs.variants import solutions, texts
from mlops_lab.learner.records import Records


def next_hint(exercise: Exercise, records: Records) -> list[str]:
    """All hints that the learner has, with one more than the last time."""
    tiers = hints(exercise)
    return tiers[: records.take_hint(exercise.number, len(tiers))]


def solution(
    exercise: Exercise, records: Records, *, reveal: bool, name: str | None = None
) -> dict[str, dict[str, str]]:
    """The files of a lab's solutions, whole, with the texts by file's name, and these by the solution's name.

    Args:
        reveal: show them although the lab is not passed; the record keeps it.
        name: only this one.

    Raises:
        UsageError: the lab is not passed and `reveal` was not asked for, or there is no solution of that name.
    """
    found = {each.name: each for each in solutions(exercise)}
    if name is not None and name not in found:
        raise UsageError(f"lab {exercise.slug} has no solution {name!r}", f"it has: {', '.join(found) or 'none'}")
    if not records.passed(exercise.number):
        if not reveal:
            raise UsageError(
                f"lab {exercise.slug} is not passed yet, so its solution stays shut",
                f"take a hint: lab hint {exercise.number}; or give up on it: lab solution {exercise.number} --reveal",
            )
        records.reveal(exercise.number)
    return {each.name: texts(each) for each in found.values() if name in (None, each.name)}
