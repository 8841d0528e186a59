"""The figures that `bench` keeps, docs/bench.json, and their page, docs/bench.md."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bench_sizing

Figures = dict[str, tuple[float, str, str]]  # name: value, unit, goal

ENGINE = ", engine "  # before an engine's name, at the end of a figure's


def write(figures: Figures, folder: Path) -> None:
    """Merge into docs/bench.json, and draw docs/bench.md from it."""
    file = folder / "bench.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    at = datetime.now(UTC).date().isoformat()
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    for name, (value, unit, goal) in figures.items():
        known[name] = {"value": round(value, 3), "unit": unit, "goal": goal, "at": at, "machine": machine}
    known = side_by_side(known)
    file.write_text(json.dumps(known, indent=2) + "\n")
    lines = page(known)
    (folder / "bench.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def page(known: dict[str, Any]) -> list[str]:
    """The lines of docs/bench.md."""
    lines = [
        "# Figures", "", "Made by `scripts/bench`; see there how each is measured.", "",
        "| what | seen | goal | when, where |", "|---|---|---|---|",
    ]  # fmt: skip
    for name, each in known.items():
        shown = f"{each['value']:.3g} {each['unit']}".strip()
        lines.append(f"| {name} | {shown} | {each['goal']} | {each['at']}, {each['machine']} |")
    return [
        *lines,
        "",
        "`lab up` and plain kind are timed in turns. Plain kind has come to its end when all nodes are Ready; `lab up` "
        "when the registry, DNS, the metrics API and the load generator are there as well.",
        "",
        *bench_sizing.section(known),
    ]


def side_by_side(known: dict[str, Any]) -> dict[str, Any]:
    """Figures for which only the engine is another stand together, where the first of them stood."""
    first: dict[str, int] = {}
    for place, name in enumerate(known):
        first.setdefault(name.partition(ENGINE)[0], place)
    return dict(sorted(known.items(), key=lambda item: first[item[0].partition(ENGINE)[0]]))
