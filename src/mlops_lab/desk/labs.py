"""Labs as places: begun and reset from the page, watched while a page of them is open, with hints from the records."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.checks.check import Check
from mlops_lab.desk.live import Listener, Message
from mlops_lab.desk.markdown import body, rendered
from mlops_lab.desk.place import Action, Place, row, told, unknown
from mlops_lab.desk.watching import Watching
from mlops_lab.labs.catalog import LEVELS, About, Exercise
from mlops_lab.labs.hints import TIERS, hints
from mlops_lab.labs.rows import View
from mlops_lab.labs.workspace import folder_of
from mlops_lab.learner.hints import next_hint
from mlops_lab.learner.records import Progress, Records
from mlops_lab.learner.watch import Watch

_ALONE = 10.0  # s after the last page has gone until the watch ends: a page that is loaded anew comes back at once
_AGAIN = 10.0  # s after which checks that could not begin (the cluster is down, say) are tried again
_LOOK = 2.0  # s between two looks whether the lab was started elsewhere, while a page of it is open
_CLEARED_UP_WITHIN = 60.0  # s that checks get to put back what they changed

_ACTIONS = (
    Action("start", "Start"),
    Action("check", "Check all"),
    Action("watch", "Pause checks"),
    Action("reset", "Reset", "Reset this lab? Your files are copied to a folder with the date in its name; then the "
           "namespace is deleted with everything in it, and the lab starts again."),
)  # fmt: skip


class Cluster(Protocol):
    """What a lab needs of the cluster; each may raise LabError, and all but `watched` take their time."""

    def start(self, exercise: Exercise, records: Records, say: Callable[[str], None]) -> None:
        """As `lab start`."""

    def reset(self, exercise: Exercise, records: Records, say: Callable[[str], None]) -> None:
        """As `lab reset`."""

    def watched(
        self, exercise: Exercise, checks: Sequence[Check], records: Records, view: View, kept: Callable[[], None]
    ) -> contextlib.AbstractContextManager[Watch]:
        """As `learner.watching.watched`."""

    def environment(self, exercise: Exercise) -> Mapping[str, str]:
        """What a lab's terminal has beside its kubeconfig."""


class Here:
    """The cluster of `lab up`."""

    def start(self, exercise: Exercise, records: Records, say: Callable[[str], None]) -> None:
        """As `lab start`."""
        from mlops_lab.labs.held import held
        from mlops_lab.learner import lifecycle
        from mlops_lab.tasks import grounds

        where = grounds.make(exercise)
        records.ready()
        with held(where, exercise, say):
            lifecycle.start(where, exercise, records)

    def reset(self, exercise: Exercise, records: Records, say: Callable[[str], None]) -> None:
        """As `lab reset`."""
        from mlops_lab.labs.held import held
        from mlops_lab.learner import lifecycle
        from mlops_lab.tasks import grounds

        where = grounds.make(exercise)
        records.ready()
        with held(where, exercise, say):
            lifecycle.reset(where, exercise, records, say)

    def watched(
        self, exercise: Exercise, checks: Sequence[Check], records: Records, view: View, kept: Callable[[], None]
    ) -> contextlib.AbstractContextManager[Watch]:
        """As `learner.watching.watched`."""
        from mlops_lab.learner.watching import watched

        return watched(exercise, checks, records, view, kept)

    def environment(self, exercise: Exercise) -> Mapping[str, str]:
        """Of a lab that breaks nodes, the folder with `ssh` in its PATH."""
        from mlops_lab.tasks import grounds

        return grounds.environment(exercise)


@dataclass(frozen=True)
class Known:
    """What is known of a lab from its folder."""

    exercise: Exercise
    about: About
    checks: Sequence[Check]


class LabPlace(Place):
    """One lab.

    Args:
        changed: called when the learner's records of it have changed.
    """

    def __init__(self, known: Known, records: Records, cluster: Cluster, changed: Callable[[], None]) -> None:
        about = known.about
        facts = (f"Lab {known.exercise.number}", LEVELS[about.level], f"about {about.minutes} min")
        super().__init__(f"labs/{known.exercise.number}", about.title, facts, _ACTIONS)
        self._known, self._records, self._cluster, self._changed = known, records, cluster, changed
        self._watching: Watching | None = None
        self._paused = self._ended = False
        self._stood = False  # at the last look
        self._looking: asyncio.TimerHandle | None = None
        self._verdicts: Message | None = None

    @property
    def html(self) -> str:
        """The lab's README."""
        return rendered(body((self._known.exercise.folder / "README.md").read_text(encoding="utf-8")))

    @property
    def folder(self) -> Path | None:
        """The workspace, once the lab was started."""
        return folder_of(self._known.exercise) if self._kubeconfig.is_file() else None

    @property
    def environment(self) -> Mapping[str, str]:
        """Where the kubeconfig is; for a lab that breaks nodes also `ssh NODE`."""
        own = {"KUBECONFIG": str(self._kubeconfig)}
        return {**own, **self._cluster.environment(self._known.exercise)}

    async def act(self, name: str, given: Mapping[str, Any]) -> None:
        """See `_ACTIONS`, and `hint`."""
        if name == "hint":
            await asyncio.to_thread(next_hint, self._known.exercise, self._records)
            self._changed()
            self.tell(self._hints())
        elif name in ("start", "reset"):
            await self._begin(name)
        elif self.folder is None:
            number = self._known.exercise.number
            raise UsageError(f"lab {number} is not started", f"start it first, here or with lab start {number}")
        elif name == "check":
            self._paused = False
            self._watch(again=True)
        else:
            self._paused = not self._paused
            if self._paused:
                self._stop()
            else:
                self._watch()
        self.tell_state()

    def join(self, listener: Listener) -> None:
        """The first page of a lab that was started lets its checks run."""
        super().join(listener)
        self._go_on()
        if self._looking is None:
            self._stood = self.folder is not None
            self._looking = asyncio.get_running_loop().call_later(_LOOK, self._look)

    def leave(self, listener: Listener) -> None:
        """After the last page the checks end."""
        super().leave(listener)
        if not self.listeners:
            asyncio.get_running_loop().call_later(_ALONE, lambda: None if self.listeners else self._stop())

    def first(self) -> list[Message]:
        """How it stands, the hints that were taken, and the newest verdicts; or that the records can't be read."""
        try:
            return [self.state(), self._hints(), self._verdicts or self._recorded()]
        except LabError as trouble:
            return [{**self.state(), "trouble": told(trouble)}]

    def state(self) -> Message:
        """How it stands."""
        running = bool(self._watching and self._watching.is_alive())
        return {**super().state(), "paused": self._paused, "watching": running}

    async def end(self) -> None:
        """End the checks for good."""
        self._ended = True
        await self._end_checks()

    async def _end_checks(self) -> None:
        """End the checks, which put back what they changed."""
        if self._watching:
            self._watching.stop()
            await asyncio.to_thread(self._watching.join, _CLEARED_UP_WITHIN)

    @property
    def _kubeconfig(self) -> Path:
        return folder_of(self._known.exercise) / ".lab" / "kubeconfig"

    async def _begin(self, name: str) -> None:
        if self.busy:
            raise UsageError(f"this lab is busy: {self.busy}", "wait until that is done")
        self.busy = "starting" if name == "start" else "resetting: waiting until its namespace is gone"
        self.trouble = None
        self.tell_state()
        try:
            if self._watching:  # a round holds the lab
                await self._end_checks()
            do = self._cluster.start if name == "start" else self._cluster.reset
            await asyncio.to_thread(do, self._known.exercise, self._records, self._say)
        finally:
            self.busy = ""
            self._go_on()  # if it failed, the lab is as it was
            self.tell_state()
        self._verdicts, self._paused = None, False
        self._changed()
        self._watch()

    def _say(self, text: str) -> None:
        def said() -> None:
            self.busy = text
            self.tell_state()

        self.from_elsewhere(said)

    def _watch(self, *, again: bool = False) -> None:
        if self._watching and self._watching.is_alive():
            if again:
                self._watching.again()
            return
        if self.busy or self._ended or not self.listeners:
            return
        known = self._known

        def kept() -> None:
            self.from_elsewhere(self._changed)

        self._watching = watching = Watching(
            lambda view: self._cluster.watched(known.exercise, known.checks, self._records, view, kept),
            lambda rows, note: self.from_elsewhere(self._show, rows, note),
            lambda trouble: self.from_elsewhere(self._over, watching, trouble),
        )
        watching.start()
        self.tell_state()

    def _look(self) -> None:
        """Pages hear of a start in another terminal. While it is reset there they keep theirs."""
        self._looking = None
        if not self.listeners or self._ended:
            return
        before, self._stood = self._stood, self.folder is not None
        if self._stood and not before and not self.busy:
            self._changed()
            self._go_on()
            self.tell_state()
        self._looking = asyncio.get_running_loop().call_later(_LOOK, self._look)

    def _go_on(self) -> None:
        """Let the checks run if they are to: what asked for them before could not, as the last ones still ended."""
        if self.folder and not self._paused:
            self._watch()

    def _stop(self) -> None:
        if self._watching:
            self._watching.stop()

    def _show(self, rows: list[Message], note: str) -> None:
        if self.trouble:
            self.trouble = None
            self.tell_state()
        self._verdicts = {"kind": "verdicts", "rows": rows, "note": note, "old": False}
        self.tell_often(self._verdicts)

    def _over(self, watching: Watching, trouble: LabError | None) -> None:
        if watching is not self._watching:
            return
        self._watching, self.trouble = None, trouble
        if trouble:
            asyncio.get_running_loop().call_later(_AGAIN, self._go_on)
        if self._verdicts:
            at_rest = [{**each, "running": False, "state": "", "left": 0} for each in self._verdicts["rows"]]
            self._verdicts = {**self._verdicts, "rows": at_rest, "note": "paused" if self._paused else ""}
            self.tell(self._verdicts)
        if not trouble:  # they were stopped; since then somebody may have asked for them again
            self._go_on()
        self.tell_state()

    def _recorded(self) -> Message:
        """What the last attempt said."""
        known, number = self._known, self._known.exercise.number
        last = {each["check"]: each for each in self._records.results(number)}
        rows = []
        for item in known.checks:
            found = last.get(item.name)
            trace = self._records.trace(number, item.name) if found and found["verdict"] == "fail" else {}
            rows.append(row({**unknown(item), **(found or {}), "points": item.points}, trace.get("loads", ())))
        return {"kind": "verdicts", "rows": rows, "note": "as of the last attempt" if last else "", "old": True}

    def _hints(self) -> Message:
        taken = self._records.progress().get(self._known.exercise.number, Progress()).hints
        texts = hints(self._known.exercise)[:taken]
        return {"kind": "hints", "html": [rendered(each, below=2) for each in texts], "tiers": TIERS}
