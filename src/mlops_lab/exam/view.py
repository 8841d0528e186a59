"""An exam as a page reads it: plain values, from any thread; the same object as long as it is the same exam."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlops_lab.base.errors import UsageError
from mlops_lab.checks.verdicts import Result
from mlops_lab.cluster import shell
from mlops_lab.exam import handing_in, practice
from mlops_lab.exam.sheet import Sheet, results_of
from mlops_lab.exam.sitting import Exams
from mlops_lab.exam.state import Seat, Sitting, workspace

_OVER = ("ended", "stopped")


@dataclass(frozen=True)
class Task:
    """A task as it stands.

    Attributes:
        number: from 1, in the order of the exam.
        weight: percent of the whole.
        minutes: how long it should take.
        text: Markdown.
        workspace: where its terminal begins.
        kubeconfig: for its terminal.
        leads: gives what its shell has beside that, which takes its time.
        flagged: to be looked at again.
        note: the candidate's own.
    """

    number: int
    title: str
    weight: int
    minutes: int
    domain: str
    text: str
    workspace: Path
    namespace: str
    kubeconfig: Path
    leads: Callable[[], Mapping[str, str]]
    flagged: bool = False
    note: str = ""

    @property
    def environment(self) -> Mapping[str, str]:
        """What its shell has beside that, as of now."""
        return self.leads()


@dataclass(frozen=True)
class DomainScore:
    """Percent of the whole that were earned in a domain, and that could be."""

    name: str
    earned: float
    possible: float


@dataclass(frozen=True)
class TaskScore:
    """What became of a task.

    Attributes:
        earned: percent of the whole.
        results: of its checks.
        left_out: it could not be graded, through no fault of the candidate's, and costs nothing.
        solution: files of its first solution, by name.
    """

    number: int
    title: str
    weight: int
    earned: float
    results: Sequence[Result]
    left_out: bool = False
    solution: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """The score sheet; all numbers are percent."""

    score: float
    needed: float
    passed: bool
    domains: Sequence[DomainScore]
    tasks: Sequence[TaskScore]


class View:
    """One exam, under way or graded.

    Args:
        number: of the exam.
        exams: what it is kept with.

    Attributes:
        standing: why the clock stands, as `seconds_left` saw last; empty if it runs.
        kept: the dated copy of the workspaces, once this has handed it in.
    """

    def __init__(self, number: int, exams: Exams) -> None:
        self.number, self._exams = number, exams
        self.standing = ""
        self.kept: Path | None = None
        self._submitting = threading.Lock()
        first = self._sitting()
        self.name, self.practice = first.exam, first.practice
        self._leads: Callable[[], Mapping[str, str]] = dict if first.phase in _OVER else shell.to_nodes
        self._texts = {} if first.phase in _OVER else {seat.number: exams.text(first, seat) for seat in first.seats}

    def tasks(self) -> Sequence[Task]:
        """All tasks as they stand now."""
        return [self._task(seat) for seat in self._sitting().seats]

    def seconds_left(self) -> float:
        """Seconds until the end; 0 once it is over or handed in. Looks whether the cluster answers."""
        self.standing = ""
        if self._sitting().phase != "running":
            return 0.0
        try:
            look = self._exams.look()
        except UsageError:  # it was handed in meanwhile
            return 0.0
        self.standing = look.trouble
        return max(look.left, 0.0)

    def flag(self, number: int, on: bool) -> None:
        """Flag a task, or no longer."""
        with self._exams.store.change(self.number) as sitting:
            sitting.seat(number).flagged = on

    def write_note(self, number: int, text: str) -> None:
        """Keep a task's note."""
        self._exams.note(self._sitting(), number, text)

    def check(self, number: int) -> Sequence[Result]:
        """Check one task now, in an exam for practice; takes its time."""
        sitting = self._sitting()
        practice.only(sitting, "checks")
        return practice.check(self._exams, sitting, number, practice.checks(self._exams, sitting, number))

    def hints(self, number: int) -> Sequence[str]:
        """One more hint, in an exam for practice: all that were taken so far, as Markdown."""
        return practice.hint(self._exams, self._sitting(), number)

    def submit(self) -> None:
        """Hand it in, and have it graded, which takes minutes; called again, it waits for the same grading.

        Raises:
            LabError: it can't be graded now; or it is, and not all of it could be taken away.
        """
        with self._submitting:
            if self._sitting().phase not in _OVER:
                self.kept = handing_in.hand_in(self._exams, lambda sheet: None) or self.kept

    def ended(self) -> bool:
        """Is all of it taken away?"""
        return self._sitting().phase in _OVER

    def sheet(self) -> Scores | None:
        """The score sheet; None until it is graded.

        Raises:
            LabError: it is damaged, or it was graded and is gone.
        """
        try:
            return _scores(handing_in.sheet_of(self._exams.store, self.number))
        except UsageError:
            if self.ended():
                raise
            return None

    def _sitting(self) -> Sitting:
        return self._exams.store.load(self.number)

    def _task(self, seat: Seat) -> Task:
        folder = workspace(seat)
        return Task(
            seat.number, seat.title, seat.weight, seat.minutes, seat.domain, self._texts.get(seat.number, ""), folder,
            seat.namespace, folder / ".lab" / "kubeconfig", self._leads, seat.flagged, seat.note,
        )  # fmt: skip


class Current:
    """The exam that a page shows: the one under way, else the last one that was graded.

    Args:
        exams: what exams are kept with.
    """

    def __init__(self, exams: Exams) -> None:
        self._exams = exams
        self._view: View | None = None

    def __call__(self) -> View | None:
        """It, or None; the same object as long as it is the same exam."""
        store = self._exams.store
        numbers = store.numbers()
        if not numbers:
            return None
        last = store.load(numbers[-1])
        if last.phase in ("preparing", "stopping", "stopped"):
            return None
        if self._view is None or self._view.number != last.number:
            self._view = View(last.number, self._exams)
        return self._view


def _scores(found: Sheet) -> Scores:
    return Scores(
        found.score, found.needed, found.passed,
        [DomainScore(each.domain, each.earned, each.possible) for each in found.domains],
        [
            TaskScore(
                each.number, each.title, each.weight, each.earned, results_of(each), each.possible == 0,
                next(iter(each.solutions.values()), {}),
            )
            for each in found.tasks
        ],
    )  # fmt: skip
