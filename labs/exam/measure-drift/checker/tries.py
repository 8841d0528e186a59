"""The program in the workspace, called with samples, and how far what it writes is from what is right."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.base import entries
from mlops_lab.checks import Observation, absent, at_most, expect, observe
from mlops_lab.kit.prerequisites import must
from mlops_lab.measure.traffic.flights import difference
from mlops_lab.tasks.lab import TaskLab

from .samples import Column, psi

_PROGRAM, _WITHIN, _LARGEST = "drift", 20.0, 100_000


@dataclass(frozen=True)
class Tried:
    """What was right for some samples, and what the program has written about them.

    Attributes:
        values: of `psi`, by column.
    """

    wanted: dict[str, float]
    result: Any
    values: Mapping[str, Any]


async def tried(lab: TaskLab, columns: Mapping[str, Column]) -> Tried:
    """Call the program with samples of some columns.

    Raises:
        Failure: there is none, it fails, or writes no JSON object.
    """
    from . import D

    with lab.work.copy() as copy:
        for name in ("reference", "now"):
            (copy.folder / f"check-{name}.csv").write_text(_csv(columns, name), encoding="utf-8")
        words = ("check-reference.csv", "check-now.csv", "check-result.json")
        done = await copy.command(_PROGRAM, *words, within=_WITHIN)
        must(
            done.observed(done.code == 0, f"./{_PROGRAM} {' '.join(words)}: exit code 0 within {_WITHIN:.0f} s"),
            "its last lines say what went wrong; try it with what is in samples/, and with 25,000 rows",
        )
        result = _read(copy.folder / words[2])
    if not isinstance(result, dict):
        seen = f"{type(result).__name__}" if result is not None else "no file with JSON"
        expect(absent("a JSON object in RESULT.json", seen)).because("the README shows what it looks like")
    values = given(result, "psi")
    wanted = {name: psi(column, D.quantiles, D.floor) for name, column in columns.items()}
    return Tried(wanted, result, values if isinstance(values, dict) else {})


def given(result: Any, name: str) -> Any:
    """A member of what was written."""
    return result.get(name) if isinstance(result, dict) else None


def furthest(found: Tried, kind: str) -> Observation:
    """The largest difference of a column's PSI from what is right; `kind` says what is special about the columns."""
    apart = difference([found.values.get(name) for name in found.wanted], list(found.wanted.values()))
    lines = [f"{name}: {found.values.get(name)!r:.40}, right is {psi:.6f}" for name, psi in found.wanted.items()]
    what = f"largest difference from the PSI of {len(found.wanted)} columns {kind}"
    return observe(what, apart, at_most(1e-6), evidence=lines, timed=False)


def _csv(columns: Mapping[str, Column], sample: str) -> str:
    values = [getattr(column, sample) for column in columns.values()]
    kept = io.StringIO()
    table = csv.writer(kept, lineterminator="\n")
    table.writerow(columns)
    table.writerows([["" if each is None else repr(each) for each in row] for row in zip(*values, strict=True)])
    return kept.getvalue()


def _read(file: Path) -> Any:
    try:
        return json.loads(entries.text(file, _LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
