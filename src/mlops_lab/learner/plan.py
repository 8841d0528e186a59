"""The order of the labs, week by week, with the time for it: what `path.toml` in the folder of labs says.

A folder of labs without that file has no weeks: its labs are in the order of their numbers. `lab list` may take 0.15 s,
so nothing that validates the file is imported before somebody asks for the weeks.
"""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import UsageError
from mlops_lab.labs.catalog import Exercise, labs_folder

FILE = "path.toml"


@dataclass(frozen=True)
class Sitting:
    """An exam to practise: `cka`, `ckad` or `mlops`, and its minutes."""

    exam: str
    minutes: int


@dataclass(frozen=True)
class Week:
    """A week of the plan.

    Attributes:
        title: what it is about.
        able: what the learner can do after it.
        labs: the labs' folders by name, in order.
        exams: to be practised at its end.
    """

    title: str
    able: str
    labs: tuple[str, ...]
    exams: tuple[Sitting, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All weeks.

    Attributes:
        hours: what a week may take.
        reading: the time beside the labs, as a share of their minutes.
        week: the weeks, the first in front.
    """

    hours: int = 0
    reading: float = 0.0
    week: tuple[Week, ...] = ()

    def takes(self, labs: int, sittings: Sequence[Sitting]) -> int:
        """The minutes of a week whose labs take so many by themselves: with reading and exams, to five minutes."""
        return 5 * round((labs * (1 + self.reading) + sum(each.minutes for each in sittings)) / 5)


def plan(root: Path | None = None) -> Plan:
    """The plan of a folder of labs; empty where it has none.

    Raises:
        UsageError: its file is broken; says where.
    """
    import msgspec

    file = _file(root)
    try:
        return msgspec.convert(_told(file), Plan)
    except msgspec.ValidationError as wrong:
        raise UsageError(f"{file}: {wrong}", "it has hours, reading, and for each [[week]] title, able, labs, exams; "
                         "the project's labs/path.toml is an example") from wrong  # fmt: skip


def ordered(labs: Sequence[Exercise], root: Path | None = None) -> list[Exercise]:
    """The labs in the plan's order; those without a place come last, by number.

    Raises:
        UsageError: the plan's file is no TOML.
    """
    names: list[str] = []
    with contextlib.suppress(KeyError, TypeError):  # `lab path` says what is wrong with it
        names = [name for week in _told(_file(root)).get("week", ()) for name in week["labs"]]
    return arranged(labs, names)


def arranged(labs: Sequence[Exercise], names: Sequence[str]) -> list[Exercise]:
    """The labs in the order of their folders' names; those that are not named come last, as they are."""
    places = {name: place for place, name in enumerate(names)}
    return sorted(labs, key=lambda lab: places.get(lab.slug, len(places)))


def spelt(minutes: int) -> str:
    """Minutes as people write them: 40 min, 3 h, 2 h 15 min."""
    hours, rest = divmod(minutes, 60)
    return " ".join([*([f"{hours} h"] if hours else []), *([f"{rest} min"] if rest or not hours else [])])


def _file(root: Path | None) -> Path:
    return (root or labs_folder()) / FILE


def _told(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as wrong:  # no TOML, or no UTF-8
        raise UsageError(
            f"{file}: {wrong}", "correct it, or take the file away: the labs then have no weeks"
        ) from wrong
