"""What the desk needs to know of a running exam; whoever runs one keeps to this, and the desk shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mlops_lab.checks.verdicts import Result


@dataclass(frozen=True)
class Task:
    """A task as it stands.

    Attributes:
        number: from 1, in the order of the sitting.
        weight: percent of the whole.
        minutes: how long it should take.
        text: Markdown.
        workspace: where its terminal begins.
        kubeconfig: for its terminal.
        environment: what its shell has beside that.
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
    environment: Mapping[str, str] = field(default_factory=dict)
    flagged: bool = False
    note: str = ""


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
        solution: files of its solution, by name.
    """

    number: int
    title: str
    weight: int
    earned: float
    results: Sequence[Result]
    left_out: bool = False
    solution: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sheet:
    """The score sheet; all numbers are percent."""

    score: float
    needed: float
    passed: bool
    domains: Sequence[DomainScore]
    tasks: Sequence[TaskScore]


class Sitting(Protocol):
    """A sitting, from its start to its score sheet. Every method may be called from any thread."""

    @property
    def name(self) -> str:
        """Which exam, such as `cka`."""

    @property
    def practice(self) -> bool:
        """May `check` and `hints` be called?"""

    def tasks(self) -> Sequence[Task]:
        """All tasks as they stand now."""

    def seconds_left(self) -> float:
        """Seconds until the end; 0 once it is over or submitted."""

    def flag(self, number: int, on: bool) -> None:
        """Flag a task, or no longer."""

    def write_note(self, number: int, text: str) -> None:
        """Keep a task's note."""

    def check(self, number: int) -> Sequence[Result]:
        """Check one task now; takes its time."""

    def hints(self, number: int) -> Sequence[str]:
        """One more hint: all that were taken so far, as Markdown."""

    def submit(self) -> None:
        """End it and grade it, which takes minutes; called again, it waits for the same grading.

        Raises:
            LabError: it can't be graded now.
        """

    def sheet(self) -> Sheet | None:
        """The score sheet; None until it is graded."""
