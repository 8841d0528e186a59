"""The check that is running in this task: whom to tell that it waits, and how long it did."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from mlops_lab.checks.check import Check


class Running:
    """A check in progress.

    Attributes:
        state, left: what it last waited for, and the seconds it had left.
        waited: seconds spent waiting for the cluster or sending load.
        met: what was seen where it was as expected, for the report of a pass.
    """

    def __init__(self, check: Check, tell: Callable[[Check, str, float], None]) -> None:
        self.check = check
        self.state = "not started"
        self.left = 0.0
        self.waited = 0.0
        self.met: list[str] = []
        self._tell = tell
        self._depth = 0

    def say(self, state: str, left: float) -> None:
        """Pass on what is seen while waiting."""
        self.state, self.left = state, left
        self._tell(self.check, state, left)

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


running: ContextVar[Running | None] = ContextVar("running", default=None)


def say(state: str, left: float) -> None:
    """Tell whoever listens what the running check sees and how many seconds it has left."""
    if current := running.get():
        current.say(state, left)


def note(seen: str) -> None:
    """Keep what the running check saw, and was right, for its report."""
    if current := running.get():
        current.met.append(seen)


@contextlib.contextmanager
def waits() -> Iterator[None]:
    """Count the time inside as the running check's waiting."""
    current = running.get()
    with current.waits() if current else contextlib.nullcontext():
        yield
