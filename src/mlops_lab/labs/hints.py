"""Hints in three tiers, one more each time one is asked for; and solutions, after a pass or on request."""

from __future__ import annotations

import re

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.variants import solutions, texts
from mlops_lab.learner.records import Records

TIERS = 3


def hints(exercise: Exercise) -> list[str]:
    """The three tiers of a lab's hints.md: where to look, what to look for, nearly the answer.

    Raises:
        LabError: the file is not there or does not have the headings `## 1`, `## 2`, `## 3` with text below each.
    """
    file = exercise.folder / "hints.md"
    if not file.is_file():
        raise LabError(f"{file}: there is no such file", "the lab is not complete: tell its author")
    parts = re.split(r"^## (\d+)[^\n]*\n", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    tiers = {int(number): text.strip() for number, text in zip(parts[1::2], parts[2::2], strict=True)}
    if sorted(tiers) != list(range(1, TIERS + 1)) or not all(tiers.values()):
        raise LabError(f"{file}: it needs the headings ## 1, ## 2 and ## 3, each with text", "tell the lab's author")
    return [tiers[number] for number in sorted(tiers)]


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
