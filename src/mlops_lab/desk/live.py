"""What pages hear while they are open: a channel tells every window that listens, and each of them first how it stands.

A message is plain data with a `kind`. All of this runs in the server's own thread; `Channel.from_elsewhere` is for
others.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any, Protocol

from tornado.websocket import WebSocketClosedError, WebSocketHandler

from mlops_lab.desk.guard import Guarded

Message = dict[str, Any]
_EVERY = 0.1  # s at least between two messages of a kind that comes often


class Listener(Protocol):
    """Who hears."""

    def hear(self, text: str) -> None:
        """One message, as JSON."""


class Channel:
    """Who listens, and what is told."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._often: dict[str, Message] = {}
        self._told_at: dict[str, float] = {}

    def first(self) -> list[Message]:
        """What somebody who begins to listen is told."""
        return []

    def join(self, listener: Listener) -> None:
        """One more listens."""
        self._loop = asyncio.get_running_loop()
        self.listeners.add(listener)
        for message in self.first():
            listener.hear(json.dumps(message))

    def leave(self, listener: Listener) -> None:
        """One does no longer."""
        self.listeners.discard(listener)

    def tell(self, message: Message) -> None:
        """Tell all now."""
        text = json.dumps(message)
        for listener in list(self.listeners):
            listener.hear(text)

    def tell_often(self, message: Message) -> None:
        """Tell all the newest message of this kind: now if the last is some time ago, else soon."""
        loop, kind = asyncio.get_running_loop(), message["kind"]
        waiting = kind in self._often
        self._often[kind] = message
        if not waiting:
            loop.call_at(self._told_at.get(kind, 0.0) + _EVERY, self._tell_newest, kind)

    def from_elsewhere(self, function: Callable[..., None], *given: Any) -> None:
        """Call a function in the server's thread; from any other thread, and after the server has ended, too."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *given)

    def _tell_newest(self, kind: str) -> None:
        self._told_at[kind] = asyncio.get_running_loop().time()
        self.tell(self._often.pop(kind))


class Live(Guarded, WebSocketHandler):
    """A window that listens to a channel, which the address names."""

    _channel: Channel | None = None

    def open(self, *names: str) -> None:
        """Join the channel."""
        found: Channel | None = self.settings["desk"].channel(*names)
        if found is None:
            self.close(4404, "there is nothing here")
            return
        self._channel = found
        found.join(self)

    def on_message(self, message: str | bytes) -> None:
        """Pages have nothing to say here."""

    def on_close(self) -> None:
        """Leave it."""
        if self._channel:
            self._channel.leave(self)

    def hear(self, text: str) -> None:
        """One message, as JSON."""
        send(self, text)


def send(socket: WebSocketHandler, text: str, then: Callable[[], None] = lambda: None) -> None:
    """Send to a window; one that has just gone misses nothing.

    Args:
        then: called once it is on its way, and not if the window has gone.
    """

    def sent(done: asyncio.Future[None]) -> None:
        if not done.cancelled() and not done.exception():
            then()

    with contextlib.suppress(WebSocketClosedError):  # its `on_close` is on the way
        socket.write_message(text).add_done_callback(sent)
