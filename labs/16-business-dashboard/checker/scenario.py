"""The learner's dashboard, and the checker's airlines in Prometheus; each once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlops_lab.base.paths import is_file
from mlops_lab.checks import Lab, absent, expect, holds
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.scraping import newest
from mlops_lab.measure.services.backfill import STEP
from mlops_lab.measure.services.grafana import LARGEST, Dashboard, NotADashboard, read
from mlops_lab.platform.releases import RELEASES

from .wording import Wording, hidden_variables, wordings
from .world import WATCHED, World, draw

FILE, PROGRAM = "dashboard.json", "build"
BUILT_WITHIN, SCRAPED_WITHIN = 30, 90  # s
ELSEWHERE = next(release.namespace for release in RELEASES if release.part == "monitoring")  # another namespace


@dataclass(frozen=True)
class Board(Dashboard):
    """A dashboard, how its panels write, by their titles, and the variables that nobody sees."""

    wordings: Mapping[str, Wording]
    hidden: frozenset[str] = frozenset()


async def dashboard(lab: Lab) -> Board:
    """The learner's dashboard; made by the learner's program, where there is one."""
    if not is_file(lab.work.folder / PROGRAM):
        return _read(lab.work.folder / FILE)
    with lab.work.copy(without=FILE) as copy:
        ended = await copy.command(f"./{PROGRAM}", within=BUILT_WITHIN)
        expect(ended.observed(ended.code == 0, f"./{PROGRAM} exits with 0 within {BUILT_WITHIN} s")).because(
            f"the checker runs it in a copy of the folder without {FILE}, and reads the one that it writes there"
        )
        return _read(copy.folder / FILE)


def _read(file: Path) -> Board:
    text, trouble = "", "there is none"
    try:
        if file.is_file():
            with file.open(encoding="utf-8") as opened:
                text, trouble = opened.read(LARGEST + 1), ""
    except (OSError, UnicodeDecodeError) as wrong:
        trouble = str(wrong.strerror) if isinstance(wrong, OSError) else f"not UTF-8: {wrong.reason}"
    expect(holds(not trouble, f"{FILE} in the workspace", trouble)).because(
        f"{FILE} lies in the lab's folder; a program that makes it is named {PROGRAM} and writes it beside itself"
    )
    try:
        found = read(text)
        return Board(found.panels, found.variables, wordings(text), hidden_variables(text))
    except NotADashboard as wrong:
        lines = text.split("\n")
        near = [f"{at}: {lines[at - 1][:160]}" for at in (wrong.line - 1, wrong.line) if 1 <= at <= len(lines)]
        expect(absent(f"{FILE}: a dashboard in JSON", str(wrong), evidence=near)).because(
            "Grafana passes over such a file, and says the same in its log. JSON takes no comma after the last entry, "
            'no comment, and quotes within a text as \\". python3 -m json.tool dashboard.json says the place, too'
        )
        raise


async def injected(lab: Lab) -> World:
    """The checker's airlines, with what happened to them in Prometheus."""
    now = newest((await lab.platform.prometheus.query("time()"))[0])
    taken = await lab.platform.prometheus.values(WATCHED, "airline")
    world = draw(drawn(lab, "airlines"), int(now) // STEP * STEP, taken)
    backfill, labels = lab.platform.prometheus.backfill, {"app.kubernetes.io/name": "answers"}
    await asyncio.gather(
        backfill(world.pods, world.at, labels=labels, within=SCRAPED_WITHIN),
        backfill({"d": world.elsewhere}, world.at, labels=labels, within=SCRAPED_WITHIN, namespace=ELSEWHERE),
        backfill({"e": world.gone}, world.ended, labels=labels, within=SCRAPED_WITHIN),
    )
    return world
