"""What only an exam for practice has: checks and hints at any time, and tasks that begin again."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_lab.base.errors import UsageError
from mlops_lab.checks.check import Check
from mlops_lab.checks.report import earned
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.exam import grading
from mlops_lab.exam.clock import spelled
from mlops_lab.exam.sitting import Exams, go_on, under_way
from mlops_lab.exam.state import Seat, Sitting, workspace
from mlops_lab.labs.checker import checks as checks_of
from mlops_lab.labs.hints import hints
from mlops_lab.labs.keeping import keep
from mlops_lab.labs.rows import Rows
from mlops_lab.labs.running import Interrupted


def only(sitting: Sitting, what: str) -> None:
    """See that an exam is for practice, and under way.

    Raises:
        UsageError: it is not.
    """
    if not sitting.practice:
        raise UsageError(f"an exam has no {what} before its end", "practise: lab exam start EXAM --practice")
    if sitting.phase != "running":
        raise UsageError(under_way(sitting), go_on(sitting))


def checks(exams: Exams, sitting: Sitting, number: int) -> list[Check]:
    """A task's checks."""
    return checks_of(exams.store.rendered(sitting, sitting.seat(number)))


def check(
    exams: Exams, sitting: Sitting, number: int, known: Sequence[Check], listener: Rows | None = None
) -> list[Result]:
    """Check a task now; the time of checks that end in an error is given back, as far as it counted.

    Raises:
        UsageError: the exam is not for practice or not under way, or has no such task.
        LabError: another command works on the exam.
        Interrupted: Ctrl-C or SIGTERM came first; what the checks in error took until then is given back all the same.
    """
    only(sitting, "checks")
    seat = sitting.seat(number)
    each = grading.Paper(seat, exams.store.rendered(sitting, seat), known)
    with exams.store.work():  # so long nobody hands it in
        with exams.store.change(sitting.number) as changed:
            only(changed, "checks")
            changed.clock.look(exams.moment(), down=changed.clock.stands)
            used, given = changed.clock.used, changed.clock.given
        interrupted: Interrupted | None = None
        try:
            results = grading.checked(exams.stage, each, listener=listener)
        except Interrupted as early:
            results, interrupted = early.results, early
        lost = any(result.verdict is Verdict.ERROR for result in results)
        down = lost and bool(exams.stage.trouble())
        with exams.store.change(sitting.number) as changed:
            if not interrupted:
                changed.seat(number).checked = earned(results)
            if lost:
                changed.clock.look(exams.moment(), down=down)
                changed.clock.give_back(max(changed.clock.used - used, 0.0))
                exams.say(f"the environment had a problem; {spelled(changed.clock.given - given)} are given back")
    if interrupted:
        raise interrupted
    return results


def hint(exams: Exams, sitting: Sitting, number: int) -> list[str]:
    """All hints of a task that were taken, with one more.

    Raises:
        UsageError: the exam is not for practice or not under way, or has no such task.
    """
    only(sitting, "hints")
    tiers = hints(exams.store.rendered(sitting, sitting.seat(number)))
    with exams.store.change(sitting.number) as changed:
        seat = changed.seat(number)
        seat.hints = min(seat.hints + 1, len(tiers))
    return tiers[: seat.hints]


def reset(exams: Exams, sitting: Sitting, number: int) -> Seat:
    """Make a task as it was in the beginning; where the dated copy of its workspace is, is said before.

    Raises:
        UsageError: the exam is not for practice or not under way, or has no such task.
        LabError: another command works on the exam, or something does not go.
    """
    only(sitting, "reset, as a real one,")
    seat = sitting.seat(number)
    rendered, folder = exams.store.rendered(sitting, seat), workspace(seat)
    with exams.store.work():
        if kept := keep(folder):
            exams.say(f"your files of task {number} are in {kept}")
        with exams.store.change(sitting.number) as changed:
            changed.seat(number).stands = False
        exams.stage.remove(rendered, folder, stood=seat.stands)
        exams.stage.begin(rendered, folder)
        with exams.store.change(sitting.number) as changed:
            changed.seat(number).stands, changed.seat(number).checked = True, None
    return changed.seat(number)
