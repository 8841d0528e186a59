"""A lab's hints, in three tiers."""

from __future__ import annotations

import re

from mlops_lab.base.errors import LabError
from mlops_lab.labs.catalog import Exercise

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
