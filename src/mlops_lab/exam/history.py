"""All exams of a candidate, and their scores over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_lab.exam.sheet import PASS, Sheet
from mlops_lab.exam.state import Store

_ROWS = 14
_WIDEST = 90


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
