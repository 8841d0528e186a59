"""All exams of a candidate, and their scores over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_lab.exam.sheet import PASS, Sheet
from mlops_lab.exam.state import Store
from mlops_lab.learner.path import Scored
from mlops_lab.tasks.task import EXAMS

_ROWS = 14
_WIDEST = 90


# Exams before that don't count for what to practise next.
LAST = 3


def scored(graded: Sequence[Sheet]) -> tuple[list[Scored], list[str]]:
    """How the domains went in the last exams of each kind, and the tasks of which points were lost."""
    counted = [
        each for exam in EXAMS for each in [sheet for sheet in graded if sheet.exam == exam][-LAST:]
    ]  # fmt: skip
    found = [
        Scored(f"{each.exam}/{domain.domain}", domain.earned, domain.possible)
        for each in counted
        for domain in each.domains
        if domain.possible
    ]
    lost = [task.task for each in counted for task in each.tasks if task.earned < task.possible]
    return found, list(dict.fromkeys(lost))


def rows(store: Store, graded: Sequence[Sheet]) -> list[dict[str, Any]]:
    """Each exam that there was, as plain data; the score is None without a sheet."""
    sheets = {each.number: each for each in graded}
    found = []
    for number in store.numbers():
        sitting, sheet = store.load(number), sheets.get(number)
        found.append(
            {
                "number": number, "exam": sitting.exam, "phase": sitting.phase, "begun": sitting.begun,
                "minutes": sitting.minutes, "seed": sitting.seed, "practice": sitting.practice, "quick": sitting.quick,
                "score": sheet.score if sheet else None, "passed": sheet.passed if sheet else None,
            }
        )  # fmt: skip
    return found


def drawn(graded: Sequence[Sheet], width: int, colour: bool) -> str:
    """Scores over time, one line for each exam, in the characters of a terminal."""
    import plotext

    plotext.clear_figure()
    plotext.plotsize(min(width, _WIDEST), _ROWS)
    if not colour:
        plotext.theme("clear")
    for exam, mark in (("cka", "o"), ("ckad", "x"), ("mlops", "+")):
        own = [each for each in graded if each.exam == exam]
        if own:
            plotext.plot([each.number for each in own], [each.score for each in own], label=exam, marker=mark)
    plotext.hline(PASS)
    plotext.ylim(0, 100)
    plotext.xlabel("exam")
    plotext.xticks([each.number for each in graded])
    plotext.ylabel("percent")
    text = str(plotext.build())
    return text if colour else str(plotext.uncolorize(text))
