"""Sittings as they are kept: one folder each in the state folder, with what was drawn, how far it is, and its clock.

Every change is on the disk before the command goes on, so that a killed command, a closed terminal or a power cut
loses nothing.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from mlops_lab.base import durable, locking, state_files
from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.paths import state
from mlops_lab.base.paths import workspace as workspaces
from mlops_lab.exam.clock import Clock
from mlops_lab.tasks.rendering import Rendered
from mlops_lab.tasks.task import FILE, Task, describe

FOLDER = "exams"
_FILE, _TASKS = "sitting.json", "tasks"

# being made; under way; handed in, and being graded; graded, and being taken away; given up, and being taken away;
# over; given up
Phase = Literal["preparing", "running", "grading", "clearing", "stopping", "ended", "stopped"]
OPEN: tuple[Phase, ...] = ("preparing", "running", "grading", "clearing", "stopping")


class Seat(msgspec.Struct):
    """A task of a sitting.

    Attributes:
        number: in the exam, from 1.
        task: the name of its folder in the bank.
        weight: percent of this exam's score.
        seed: with which its names, numbers and faults were drawn.
        namespace: of the candidate's work.
        stands: it is on the cluster.
        hints: how many were taken.
        checked: points of its last check while practising, earned and possible.
    """

    number: int
    task: str
    title: str
    domain: str
    weight: int
    minutes: int
    seed: int
    namespace: str
    stands: bool = False
    flagged: bool = False
    note: str = ""
    hints: int = 0
    checked: tuple[int, int] | None = None

    @property
    def slug(self) -> str:
        """The name of its workspace, such as `07-resize-a-claim`."""
        return f"{self.number:02}-{self.task}"


class Sitting(msgspec.Struct):
    """One exam of one candidate.

    Attributes:
        number: of the candidate's exams, from 1.
        bank: a hash of the tasks that it was drawn from.
        practice: checks and hints are there at any time.
        quick: a few tasks, of which the domains' shares are not met.
        cluster: which one it stands on, by an id that another one of the same name has not.
        begun, submitted: in UTC, ISO 8601; empty before.
        current: the number of the task that was shown last.
    """

    number: int
    exam: str
    seed: int
    minutes: int
    bank: str
    clock: Clock
    practice: bool = False
    quick: bool = False
    cluster: str = ""
    phase: Phase = "preparing"
    begun: str = ""
    submitted: str = ""
    current: int = 1
    seats: list[Seat] = []

    def seat(self, number: int) -> Seat:
        """A task by its number.

        Raises:
            UsageError: there is none.
        """
        for each in self.seats:
            if each.number == number:
                return each
        raise UsageError(f"there is no task {number}", f"the exam has tasks 1 to {len(self.seats)}: lab exam status")


def workspace(seat: Seat) -> Path:
    """The candidate's folder of a task."""
    return around() / seat.slug


def around() -> Path:
    """The folder around all tasks' workspaces."""
    return workspaces() / "exam"


class Store:
    """All sittings.

    Args:
        root: the folder around them; in the state folder if not given.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or state() / FOLDER

    def numbers(self) -> list[int]:
        """Of all sittings that there were, the oldest first."""
        return sorted(int(file.parent.name) for file in self.root.glob(f"*/{_FILE}") if file.parent.name.isdecimal())

    def unused(self) -> int:
        """The number of the next sitting: more than that of any folder that has more than rendered tasks, such as the
        results of a sitting whose file was deleted.
        """
        kept = [each.parent.name for each in self.root.glob("*/*") if each.name != _TASKS]
        return max((int(name) for name in kept if name.isdecimal()), default=0) + 1

    def folder(self, number: int) -> Path:
        """The folder of a sitting."""
        return self.root / f"{number:04}"

    def load(self, number: int) -> Sitting:
        """A sitting as it is on the disk.

        Raises:
            UsageError: there was none.
            LabError: its file is damaged.
        """
        folder = str(self.folder(number))
        found = state_files.kept(
            self.folder(number) / _FILE, Sitting, f"the state of exam {number}",
            f"what it was can't be told any more; move it away: {shlex.join(['mv', folder, f'{folder}.damaged'])}",
        )  # fmt: skip
        if found is None:
            raise UsageError(f"there was no exam {number}", "see which there were: lab exam history")
        return found

    def open(self) -> Sitting | None:
        """The sitting that has not ended; None if all have."""
        for number in reversed(self.numbers()):
            if (found := self.load(number)).phase in OPEN:
                return found
        return None

    def save(self, sitting: Sitting) -> None:
        """Write a sitting; it is on the disk when this returns."""
        durable.write(self.folder(sitting.number) / _FILE, msgspec.json.encode(sitting).decode())

    @contextlib.contextmanager
    def change(self, number: int) -> Iterator[Sitting]:
        """Read a sitting, and write what the block makes of it; other commands wait meanwhile."""
        with locking.alone(self.root / "state.lock", "the exam's state", lambda text: None):
            sitting = self.load(number)
            yield sitting
            self.save(sitting)

    def work(self) -> contextlib.AbstractContextManager[None]:
        """Hold the exam alone for long work: making it, checking, grading, clearing.

        Raises:
            LabError: another command does such work.
        """
        return locking.alone(self.root / "work.lock", "the exam", lambda text: None, wait=False)

    def no_work(self, say: Callable[[str], None]) -> contextlib.AbstractContextManager[None]:
        """Keep such work off while the block runs; several commands may do so at once.

        Args:
            say: is told that another command does such work, and that this one waits.
        """
        return locking.among_others(self.root / "work.lock", "the exam", say)

    def rendered(self, sitting: Sitting, seat: Seat) -> Rendered:
        """A seat's task as it was drawn; the bank may have changed since.

        Raises:
            LabError: its folder is gone.
        """
        folder = self.tasks(sitting.number) / seat.slug / seat.task
        try:
            about = describe(folder / FILE)
        except UsageError as gone:
            raise LabError(gone.message, "give this exam up, and start it again: lab exam stop") from gone
        return Rendered(
            folder, seat.task, seat.task, task=Task(folder, about), seed=seat.seed, space=seat.namespace
        )  # fmt: skip

    def tasks(self, number: int) -> Path:
        """The folder of a sitting's rendered tasks."""
        return self.folder(number) / _TASKS
