"""An exam on the page: its tasks as places, its clock, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.desk.live import Channel, Message
from mlops_lab.desk.markdown import body, rendered
from mlops_lab.desk.place import Action, Faults, Place, row, told
from mlops_lab.desk.sitting import Sitting, Task

_EVERY = 5.0  # s between two messages with the time that is left; pages count on in between
_AGAIN = 30.0  # s after a grading that failed until it is tried again, once the time is over
_NOTE = 10_000  # characters


class Exam(Channel):
    """One sitting.

    Args:
        number: no other exam of this desk has it.
    """

    def __init__(self, sitting: Sitting, number: int) -> None:
        super().__init__()
        self.sitting, self.number = sitting, number
        self.tasks = {task.number: TaskPlace(self, task) for task in sitting.tasks()}
        self.trouble: LabError | None = None  # of the last grading
        self.graded = self.gone = False
        self._unseen: LabError | None = None  # of the last look
        self._not_before = self._looked = 0.0
        self._faults = Faults()
        self._grading: asyncio.Task[None] | None = None
        self._clock: Message | None = None

    def first(self) -> list[Message]:
        """The clock, and each task's flag and note."""
        marks: list[Message] = []
        with contextlib.suppress(LabError):  # the next look says what is wrong
            marks = [self._mark(task) for task in self.sitting.tasks()]
        clock = self._now()
        return [clock, *marks] if clock else marks

    @property
    def grading(self) -> bool:
        """Is it being graded now?"""
        return self._grading is not None and not self._grading.done()

    @property
    def over(self) -> bool:
        """Is it graded, or no longer the exam that there is?"""
        return self.graded or self.gone

    async def left(self) -> float:
        """Seconds until the end, by the last look: who asks does not wait for a cluster that is silent."""
        if clock := self._now():
            return float(clock["left"])
        return await asyncio.to_thread(self.sitting.seconds_left)

    def task(self, number: int) -> Task:
        """A task as it stands now."""
        return next(task for task in self.sitting.tasks() if task.number == number)

    async def marked(self, number: int) -> None:
        """Tell all windows of a task's new flag or note."""
        self.tell(self._mark(await asyncio.to_thread(self.task, number)))

    def submit(self) -> None:
        """Have it graded; nothing happens if it is."""
        if not self.grading and not self.graded:
            self.trouble = None
            self._grading = asyncio.create_task(self._grade())

    async def look(self) -> float:
        """See how far it is, submit it at the end, and tell all windows; whatever is wrong with it, they are told.

        Returns:
            Seconds until the end.
        """
        left: float = self._clock["left"] if self._clock else 0.0
        try:
            self.graded = await asyncio.to_thread(self.sitting.sheet) is not None
            left = 0.0 if self.graded else await asyncio.to_thread(self.sitting.seconds_left)
            self._unseen = None
            if left <= 0 and time.monotonic() >= self._not_before:
                self.submit()
        except Exception as fault:
            self._unseen = self._faults.said(fault)
        stands = self._stands() if not self.graded else None
        stand = {"left": left, "stands": stands is not None, "grading": self.grading, "graded": self.graded}
        self._clock = {"kind": "clock", **stand, "trouble": told(self.trouble or self._unseen or stands)}
        self._looked = time.monotonic()
        self.tell(self._clock)
        return left

    def _now(self) -> Message | None:
        """What the last look told, with what has gone since."""
        if self._clock is None:
            return None
        gone = 0.0 if self._clock["stands"] else time.monotonic() - self._looked
        return {**self._clock, "left": max(self._clock["left"] - gone, 0.0)}

    def _stands(self) -> LabError | None:
        if not (why := self.sitting.standing):
            return None
        return LabError(f"the cluster does not answer ({why}), and the clock stands until it does", "see: lab status")

    def _mark(self, task: Task) -> Message:
        return {"kind": "mark", "number": task.number, "flagged": task.flagged, "note": task.note}

    async def _grade(self) -> None:
        try:
            await asyncio.to_thread(self.sitting.submit)
            self.graded = await asyncio.to_thread(self.sitting.sheet) is not None
        except Exception as fault:
            self.trouble = self._faults.said(fault)
        self._not_before = time.monotonic() + _AGAIN
        asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self.look()))


class Current:
    """The exam that there is now; the same object as long as it is the same sitting.

    Args:
        changed: called when it is another one, or gone.

    Attributes:
        known: the exam as of the last look.
    """

    def __init__(self, sitting: Callable[[], Sitting | None], changed: Callable[[], None]) -> None:
        self._sitting, self._changed = sitting, changed
        self.known: Exam | None = None
        self._count = 0
        self._faults = Faults()

    def get(self) -> Exam | None:
        """The exam; None if there is none."""
        before, new = self.known.sitting if self.known else None, self.known
        try:
            found = self._sitting()
            if found is not before:
                new = Exam(found, self._count + 1) if found is not None else None
        except Exception as fault:  # lab exam says what is wrong with it
            self._faults.said(fault)
            found = new = None
        if found is not before:
            if self.known:
                self.known.gone = True
                self.known.tell({"kind": "gone"})
            self._count += 1
            self.known = new
            self._changed()
        return self.known

    async def follow(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            exam, left = self.get(), 0.0
            if exam and not exam.graded:
                left = await exam.look()
            await asyncio.sleep(min(_EVERY, left) if left > 0 else _EVERY)


class TaskPlace(Place):
    """A task of an exam."""

    def __init__(self, exam: Exam, task: Task) -> None:
        facts = (f"Task {task.number}", f"{task.weight} %", f"about {task.minutes} min", task.domain)
        actions = (Action("check", "Check"),) if exam.sitting.practice else ()
        super().__init__(f"exam/{task.number}", task.title, (*facts, f"namespace {task.namespace}"), actions)
        self.shell = f"{self.key} of {exam.number}"
        self.exam, self.task = exam, task
        self._verdicts: Message = {"kind": "verdicts", "rows": [], "note": "", "old": False}
        self._hints: list[str] = []

    @property
    def html(self) -> str:
        """The task's text."""
        return rendered(body(self.task.text))

    @property
    def folder(self) -> Path | None:
        """The task's workspace, until the exam is over."""
        return self.task.workspace if not self.over and self.task.workspace.is_dir() else None

    @property
    def over(self) -> bool:
        """With the exam."""
        return self.exam.over

    @property
    def environment(self) -> Mapping[str, str]:
        """What the sitting says."""
        return {"KUBECONFIG": str(self.task.kubeconfig), **self.task.environment}

    @property
    def has_checks(self) -> bool:
        """In practice only."""
        return self.exam.sitting.practice

    def first(self) -> list[Message]:
        """How it stands, and in practice its hints and verdicts."""
        shown = [self._told_hints(), self._verdicts] if self.has_checks else []
        return [self.state(), *shown]

    async def act(self, name: str, given: Mapping[str, Any]) -> None:
        """Flag it, note something; in practice check it, or take a hint."""
        sitting, number = self.exam.sitting, self.task.number
        if name == "flag":
            await asyncio.to_thread(sitting.flag, number, bool(given.get("on")))
            await self.exam.marked(number)
        elif name == "note":
            await asyncio.to_thread(sitting.write_note, number, str(given.get("text", ""))[:_NOTE])
            await self.exam.marked(number)
        elif not sitting.practice:
            raise UsageError(
                "an exam has no hints, and no checks before its end", "practise: lab exam start --practice"
            )
        elif name == "hint":
            self._hints = list(await asyncio.to_thread(sitting.hints, number))
            self.tell(self._told_hints())
        else:
            await self._check()

    async def _check(self) -> None:
        if self.busy:
            return
        self.busy = "checking"
        self.tell_state()
        try:
            results = await asyncio.to_thread(self.exam.sitting.check, self.task.number)
            rows = [row(each.plain(), each.trace.get("loads", ())) for each in results]
            self._verdicts = {**self._verdicts, "rows": rows}
            self.tell(self._verdicts)
        finally:
            self.busy = ""
            self.tell_state()

    def _told_hints(self) -> Message:
        return {"kind": "hints", "html": [rendered(each, below=2) for each in self._hints], "tiers": 0}
