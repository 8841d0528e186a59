"""What pages hear while they are open: server-sent events, the teacher's of the whole class, a learner's of his own.

An event only says where something has changed; the page then asks for that part, with its own rights.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

_WAITING = 200  # events that a slow client may have open; then it has to begin anew
PING = 20.0  # s of silence after which a line is sent


class Listener:
    """One page that is open.

    Args:
        learner: hears of this one only; empty: of all.
    """

    def __init__(self, learner: str = "") -> None:
        self.learner = learner
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(_WAITING)

    def hear(self, learner: str, text: str) -> None:
        """Something has changed; who is too slow is sent away, and comes back to a page that is new."""
        if self.learner and learner and learner != self.learner:
            return
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """No more is told."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def next(self, within: float = PING) -> str | None:
        """The next event, empty if there was none for so long; None at the end."""
        try:
            return await asyncio.wait_for(self._queue.get(), within)
        except TimeoutError:
            return ""


class Hub:
    """Who listens."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()

    def tell(self, kind: str, learner: str = "", lab: str = "") -> None:
        """Tell all whom it concerns."""
        text = _event({"kind": kind, "learner": learner, "lab": lab})
        for each in list(self.listeners):
            each.hear(learner, text)

    def close(self) -> None:
        """End all."""
        for each in list(self.listeners):
            each.end()


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value)}\n\n"
