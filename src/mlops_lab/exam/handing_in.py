"""An exam's end: handed in, graded, its sheet kept, and all that it had on the cluster taken away.

In this order, so that whatever goes wrong can be done again: nothing is taken away before the sheet is on the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from mlops_lab.base import durable, state_files
from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.exam import grading
from mlops_lab.exam.page import page
from mlops_lab.exam.sheet import ENOUGH, Sheet, sheet
from mlops_lab.exam.sitting import Exams, go_on, under_way
from mlops_lab.exam.state import Store

_SHEET, _PAGE, _RESULTS = "sheet.json", "sheet.html", "results"


def hand_in(exams: Exams, show: Callable[[Sheet], None], *, as_it_is: bool = False) -> Path | None:
    """Hand the exam in that is under way, or go on with that.

    Args:
        show: gets the sheet once it is kept, or the disk is too full to keep it; before anything is taken away.
        as_it_is: end the exam also where less than half of it could be graded; it is then not passed.

    Returns:
        The dated copy of the workspaces.

    Raises:
        UsageError: there is no exam to hand in.
        LabError: the cluster does not answer, too little could be graded, or the sheet can't be kept; nothing is lost,
            and it can be done again.
    """
    with exams.store.work():
        sitting = exams.required(graded=True)
        if sitting.phase == "preparing":
            raise UsageError(under_way(sitting), "make the rest of it: lab exam resume; or give it up: lab exam stop")
        if sitting.phase == "stopping":
            raise UsageError(under_way(sitting), go_on(sitting))
        if sitting.phase != "clearing":
            if exams.stage.identity() != sitting.cluster:
                sitting.clock.look(exams.moment(), down=sitting.clock.stands)  # as of now; not kept
                goes_on = sitting.phase == "running" and sitting.clock.left > 0
                raise LabError(
                    "the cluster on which the exam stood is gone, and the work in it",
                    ("make its tasks anew: lab exam resume; or " if goes_on else "") + "give it up: lab exam stop",
                )
            resumed = sitting.phase == "grading"
            if not resumed:
                with exams.store.change(sitting.number) as sitting:
                    sitting.clock.look(exams.moment())
                    sitting.phase, sitting.submitted = "grading", datetime.now(UTC).isoformat(timespec="seconds")
            papers = [grading.paper(seat, exams.store.rendered(sitting, seat)) for seat in sitting.seats]
            folder = exams.store.folder(sitting.number)
            if resumed and grading.ungraded(papers, folder / _RESULTS):  # as it is now, so the clock has gone on
                with exams.store.change(sitting.number) as sitting:
                    sitting.clock.look(exams.moment())
            results = grading.grade(exams.stage, papers, folder / _RESULTS)
            graded = sheet(sitting, papers, results)
            if graded.possible < ENOUGH and not (as_it_is and graded.possible):
                whys = {one.why for each in graded.tasks for one in each.checks if one.verdict == "error"}
                raise LabError(
                    f"only {graded.possible:g} % of the exam could be graded, so it is not over yet",
                    "see what is wrong (lab status), repair it (lab up), then grade the rest: lab exam submit"
                    + ("; or end it, not passed: lab exam submit --as-it-is" if graded.possible else ""),
                    "\n".join(sorted(whys)),
                )
            try:
                durable.write(folder / _PAGE, page(graded))
                durable.write(folder / _SHEET, msgspec.json.encode(graded).decode())
                with exams.store.change(sitting.number) as sitting:
                    sitting.phase = "clearing"
            except LabError:
                show(graded)
                raise
            show(graded)
        return exams.end(sitting, "ended")


def sheets(store: Store) -> list[Sheet]:
    """The sheets of all exams that were graded, the oldest first; a damaged one is left out."""
    found = (state_files.cached(store.folder(number) / _SHEET, Sheet) for number in store.numbers())
    return [each for each in found if each is not None]


def sheet_of(store: Store, number: int | None = None) -> Sheet:
    """The sheet of an exam; of the last one that was graded if none is named.

    Raises:
        UsageError: there is no such exam, or it has no sheet.
        LabError: it is damaged.
    """
    if number is None:
        number = max((each for each in store.numbers() if (store.folder(each) / _SHEET).exists()), default=None)
        if number is None:
            raise UsageError("no exam was graded yet", "begin one: lab exam start cka, ckad or mlops")
    sitting = store.load(number)
    found = state_files.kept(store.folder(number) / _SHEET, Sheet, f"the sheet of exam {number}", "it can't be mended")
    if found is None:
        over = {
            "stopped": f"exam {number} was given up; it has no sheet",
            "ended": f"exam {number} was graded, and its sheet is gone",
        }
        how = over.get(sitting.phase) or f"{under_way(sitting)}; it has no sheet"
        raise UsageError(how, "see which have one: lab exam history")
    return found


def page_of(store: Store, number: int) -> Path:
    """The file of an exam's page."""
    return store.folder(number) / _PAGE
