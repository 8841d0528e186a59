"""A lab's watch in a thread of its own, with a loop of its own: checks may keep theirs busy, pages must not wait."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence

from mlops_lab.base.errors import LabError
from mlops_lab.desk.live import Message
from mlops_lab.desk.place import row, unknown
from mlops_lab.labs.rows import Row, View
from mlops_lab.learner.watch import Watch

Watched = Callable[[View], contextlib.AbstractContextManager[Watch]]


class Watching(threading.Thread):
    """A watch that runs until it is stopped.

    Args:
        watched: puts the watch together; see `learner.watching`.
        show: gets the rows and the note whenever one has changed; called from this thread and from checks' own.
        over: called at the end, with what ended it if nobody asked for it.
    """

    def __init__(
        self, watched: Watched, show: Callable[[list[Message], str], None], over: Callable[[LabError | None], None]
    ) -> None:
        super().__init__(name="watch", daemon=True)
        self._watched, self._show, self._over = watched, show, over
        self._stopped = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._watch: Watch | None = None

    def changed(self, rows: Sequence[Row], note: str) -> None:
        """A `View`'s: hand over how all stands now."""
        self._show([plain(each) for each in rows], note)

    def run(self) -> None:
        """The thread."""
        try:
            with self._watched(self) as self._watch:
                asyncio.run(self._follow(self._watch))
        except LabError as trouble:
            self._over(None if self._stopped.is_set() else trouble)
        except BaseException:
            self._over(LabError("the checks have ended by a fault of their own", "see the terminal of lab desk"))
            raise
        else:
            self._over(None)

    def again(self) -> None:
        """Run everything again, load and all."""
        if self._watch:
            self._watch.again()

    def stop(self) -> None:
        """Ask it to end; checks put back what they changed first, so `join` it."""
        self._stopped.set()
        if self._loop and self._task and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                self._loop.call_soon_threadsafe(self._task.cancel)

    async def _follow(self, watch: Watch) -> None:
        self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        if not self._stopped.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await watch.follow()


def plain(each: Row) -> Message:
    """One check's row as pages get it; what it saw last stays while it runs again."""
    live: Message = {"running": each.running, "state": each.state if each.running else "", "left": round(each.left, 1)}
    if each.result:
        return row(each.result.plain(), each.result.trace.get("loads", ()), **live)
    return row(unknown(each.check), **live)
