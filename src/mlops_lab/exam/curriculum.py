"""The exams' curricula, and what of them the bank's tasks practise."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mlops_lab.base.errors import UsageError
from mlops_lab.tasks.task import EXAMS, Task, bank

FILE = "curriculum.toml"

Curricula = dict[str, dict[str, list[str]]]


def curricula(root: Path | None = None) -> Curricula:
    """Each exam's lines, by domain.

    Raises:
        UsageError: the file is not there, or broken.
    """
    file = (root or bank()) / FILE
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Curricula)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as wrong:
        raise UsageError(f"{file}: {wrong}", "a bank of tasks has the exams' lines in that file") from wrong


def by_domain(exam: str, tasks: Sequence[Task]) -> dict[str, list[Task]]:
    """An exam's tasks, by domain."""
    return {
        domain: [each for each in tasks if each.about.exams.get(exam) == domain]  # type: ignore[call-overload]
        for domain in EXAMS[exam]
    }


def unpractised(exam: str, tasks: Sequence[Task], lines: Curricula | None = None) -> dict[str, list[str]]:
    """The lines of an exam that none of its tasks practises, by domain; domains without such lines are left out."""
    practised = {line for each in tasks if exam in each.about.exams for line in each.about.competencies}
    found = {
        domain: [line for line in own if line not in practised] for domain, own in (lines or curricula())[exam].items()
    }
    return {domain: own for domain, own in found.items() if own}
