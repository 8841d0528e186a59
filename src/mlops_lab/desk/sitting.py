"""What the desk needs to know of an exam; whoever runs one keeps to this, and the desk shows it.

All of it is only read here, and by its form: no class of whoever runs exams has to know this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mlops_lab.checks.verdicts import Result


class Task(Protocol):
    """A task as it stands."""

    @property
    def number(self) -> int:
        """From 1, in the order of the exam."""

    @property
    def title(self) -> str:
        """Its name."""

    @property
    def weight(self) -> int:
        """Percent of the whole."""

    @property
    def minutes(self) -> int:
        """How long it should take."""

    @property
    def domain(self) -> str:
        """The domain of the exam that it is of."""

    @property
    def text(self) -> str:
        """What is to be done, in Markdown."""

    @property
    def workspace(self) -> Path:
        """Where its terminal begins."""

    @property
    def namespace(self) -> str:
        """Where its objects are."""

    @property
    def kubeconfig(self) -> Path:
        """For its terminal."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What its shell has beside that; folders in `PATH` come first there, the usual ones after them.

        It may take its time.
        """

    @property
    def flagged(self) -> bool:
        """Is it to be looked at again?"""

    @property
    def note(self) -> str:
        """The candidate's own."""


class DomainScore(Protocol):
    """How a domain went, in percent of the whole."""

    @property
    def name(self) -> str:
        """The domain."""

    @property
    def earned(self) -> float:
        """What was earned."""

    @property
    def possible(self) -> float:
        """What could be."""


class TaskScore(Protocol):
    """What became of a task."""

    @property
    def number(self) -> int:
        """The task's."""

    @property
    def title(self) -> str:
        """The task's."""

    @property
    def weight(self) -> int:
        """Percent of the whole."""

    @property
    def earned(self) -> float:
        """Percent of the whole."""

    @property
    def results(self) -> Sequence[Result]:
        """Of its checks."""

    @property
    def left_out(self) -> bool:
        """Could it not be graded, through no fault of the candidate's? Then it costs nothing."""

    @property
    def solution(self) -> Mapping[str, str]:
        """Files of a solution, by name."""


class Sheet(Protocol):
    """The score sheet; all numbers are percent."""

    @property
    def score(self) -> float:
        """What was earned of what could be."""

    @property
    def needed(self) -> float:
        """What passes."""

    @property
    def passed(self) -> bool:
        """Was it passed?"""

    @property
    def domains(self) -> Sequence[DomainScore]:
        """By domain."""

    @property
    def tasks(self) -> Sequence[TaskScore]:
        """By task."""


class Sitting(Protocol):
    """An exam, from its start to its score sheet. Every method may be called from any thread, and may take its time."""

    @property
    def name(self) -> str:
        """Which exam, such as `cka`."""

    @property
    def practice(self) -> bool:
        """May `check` and `hints` be called?"""

    @property
    def standing(self) -> str:
        """Why the clock stands, as `seconds_left` saw last; empty if it runs."""

    @property
    def kept(self) -> Path | None:
        """The copy of the workspaces, once this has submitted it."""

    def tasks(self) -> Sequence[Task]:
        """All tasks as they stand now."""

    def seconds_left(self) -> float:
        """Seconds until the end; 0 once it is over or submitted."""

    def flag(self, number: int, on: bool) -> None:
        """Flag a task, or no longer."""

    def write_note(self, number: int, text: str) -> None:
        """Keep a task's note."""

    def check(self, number: int) -> Sequence[Result]:
        """Check one task now."""

    def hints(self, number: int) -> Sequence[str]:
        """One more hint: all that were taken so far, as Markdown."""

    def submit(self) -> None:
        """End it and grade it, which takes minutes; called again, it waits for the same grading.

        Raises:
            LabError: it can't be graded now; or it is, and not all of it could be taken away.
        """

    def ended(self) -> bool:
        """Is all of it taken away?"""

    def sheet(self) -> Sheet | None:
        """The score sheet; None until it is graded.

        Raises:
            LabError: it is damaged.
        """
