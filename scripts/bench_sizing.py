"""The sizing table for teachers: what a class takes, from figures that were measured and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SUBMISSIONS = 30
MANY = 300

IDLE = "a class: memory of a learner who is enrolled, with a kit, and does nothing"
OWN = "a class: memory of its own parts, idle"
PLAIN = "a class: memory of lab 04 at work in a namespace of no class"
BEYOND = "a class: memory of a learner with lab 04 at work, beyond the lab itself"
GRADED = f"a class: {SUBMISSIONS} submissions of labs of three kinds, from the first handed in to the last result"
RATIO = f"a class: {SUBMISSIONS} such submissions as a ratio to the plain checks' own time"
PASSED = f"a class: {SUBMISSIONS} such submissions, that had all points"
OWN_MANY = f"a class: memory of its own parts, {MANY} learners with a lab each"
PLATFORM = "memory of the idle cluster with the full profile"

TITLE = "## Sizing of a class"
LEARNERS = (10, 30, 100, 300)
AT_ONCE = 2  # of so many learners one is at a lab at the same time
_CHART = Path(__file__).resolve().parents[1] / "charts" / "classroom" / "values.yaml"
_NEEDED = (IDLE, PLAIN, BEYOND, GRADED, PLATFORM)


def section(known: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of the page; a table only once all that it is made of was measured.

    Args:
        known: figures by name, as docs/bench.json has them.
    """
    lines = [TITLE, "", "How to plan with it, and how it is measured, is in [sizing of a class](class-sizing.md).", ""]
    lacking = [each for each in (*_NEEDED, *(() if OWN in known else (OWN_MANY,))) if each not in known]
    if lacking:
        return [*lines, "There is no table yet, as this was not measured:", "", *(f"- {each}" for each in lacking)]
    value = {name: float(each["value"]) for name, each in known.items()}
    own = max(value[name] for name in (OWN, OWN_MANY) if name in value)
    enrolled, beyond = (max(value[name], 0.0) for name in (IDLE, BEYOND))  # below 0: other pods take less meanwhile
    at_work = value[PLAIN] + beyond
    each = f"{enrolled:.3g} MiB" if enrolled else "nothing that can be measured"
    base = value[PLATFORM] * 1024
    lines += [
        "| learners | memory, each with an own cluster | memory, on the class's cluster, half of them at lab 04 | "
        "all of them hand in one lab: until the last result |",
        "|---|---|---|---|",
    ]
    for count in LEARNERS:
        idle = base + own + count * enrolled
        busy = idle + count / AT_ONCE * at_work
        lines.append(
            f"| {count} | {_gib(idle)} | {_gib(busy)} | {value[GRADED] * count / SUBMISSIONS:.0f} min |"
        )  # fmt: skip
    return [
        *lines,
        "",
        f"Memory is the cluster with all parts of the platform ({_gib(base)}), the class's own parts "
        f"({own:.0f} MiB), {each} for each learner who is enrolled, and {at_work:.0f} MiB for each who has lab 04 at "
        "work, at a moment at which nothing is graded. For each place (`grader.places`) add what a submission's pods "
        f"request, {_most()} GiB at most (`learners.quota`). Times are those of one place.",
    ]


def _most() -> str:
    """GiB that the chart lets the pods of one submission request: a learner's quota, which a sandbox has, too."""
    quota = yaml.safe_load(_CHART.read_text(encoding="utf-8"))["learners"]["quota"]
    return str(quota["requests.memory"]).removesuffix("Gi")


def _gib(mib: float) -> str:
    return f"{mib / 1024:.1f} GiB"
