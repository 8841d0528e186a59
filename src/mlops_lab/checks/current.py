"""The check that is running in this task: whom to tell that it waits, how long it did, and what it did."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

from mlops_lab.checks.check import Check
from mlops_lab.checks.trace import Trace

T = TypeVar("T")


class Running:
    """A check in progress.

    Attributes:
        state, left: what it last waited for, and the seconds it had left.
        waited: seconds spent waiting for the cluster or sending load.
        met: what was seen where it was as expected, for the report of a pass.
        trace: the requests, loads and objects that it looked through.
    """

    def __init__(self, check: Check, tell: Callable[[Check, str, float], None]) -> None:
        self.check = check
        self.state = "not started"
        self.left = 0.0
        self.waited = 0.0
        self.met: list[str] = []
        self.trace = Trace()
        self._tell = tell
        self._depth = 0

    def say(self, state: str, left: float) -> None:
        """Pass on what is seen while waiting."""
        self.state, self.left = printable(state), left
        self._tell(self.check, self.state, left)

    @contextlib.contextmanager
    def waits(self) -> Iterator[None]:
        """Count the time inside as waiting; a wait within a wait counts once."""
        began = time.monotonic()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self.waited += time.monotonic() - began


def printable(text: str) -> str:
    """Without lone surrogates: JSON may have them (`"\\ud800"`), and no terminal or file takes them."""
    return text.encode("utf-8", "replace").decode()


running: ContextVar[Running | None] = ContextVar("running", default=None)
# What several checks share is traced apart from the check that happens to begin it.
_shared: ContextVar[Trace | None] = ContextVar("shared", default=None)


def say(state: str, left: float) -> None:
    """Tell whoever listens what the running check sees and how many seconds it has left."""
    if current := running.get():
        current.say(state, left)


def note(seen: str) -> None:
    """Keep what the running check saw, and was right, for its report."""
    if current := running.get():
        current.met.append(seen)


def trace() -> Trace:
    """Where what is done now is noted; outside a check it is forgotten."""
    current = running.get()
    return _shared.get() or (current.trace if current else Trace())


@contextlib.contextmanager
def traced(apart: Trace) -> Iterator[None]:
    """Note what is done inside in a trace of its own."""
    token = _shared.set(apart)
    try:
        yield
    finally:
        _shared.reset(token)


@contextlib.contextmanager
def waits() -> Iterator[None]:
    """Count the time inside as the running check's waiting."""
    current = running.get()
    with current.waits() if current else contextlib.nullcontext():
        yield


async def in_thread(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Call a function that blocks, beside the other checks; counted as waiting."""
    with waits():
        return await asyncio.to_thread(function, *arguments, **named)


async def change(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """As `in_thread`, for a short call that changes something: where the check is cancelled, first the call ends.

    A thread goes on after a cancellation, so that the change could otherwise come after what takes it back.
    """
    with waits():
        work = asyncio.ensure_future(asyncio.to_thread(function, *arguments, **named))
        try:
            return await asyncio.shield(work)
        finally:
            while not work.done():  # each further cancellation ends the wait, and not the call
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # is looked at: nobody else is told of it where the check was cancelled
