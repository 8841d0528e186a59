"""Progress of long work: what runs now, what is done, how much time is left.

On a terminal it is a line that is updated; elsewhere (a log, CI) one line at the start and the end of each piece of
work, and one now and then in between, so that nothing looks stuck.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO


class Progress:
    """What a long command shows while it works, kept fresh as long as any piece of work runs.

    Safe to call from several threads, also when their pieces begin and end in any order.

    Args:
        stream: where it goes; standard error, so that standard output stays the result.
        every: seconds between two lines of a stream that is no terminal.
    """

    def __init__(self, stream: TextIO | None = None, every: float = 30) -> None:
        self._out = stream or sys.stderr
        self._live = self._out.isatty()
        self._every = every
        self._lock = threading.RLock()
        self._running: dict[str, float] = {}
        self._left: Callable[[], float | None] = lambda: None
        self._painted = ""
        self._entering = threading.Lock()
        self._users = 0
        self._view = contextlib.ExitStack()

    def say(self, text: str) -> None:
        """One line that stays."""
        with self._lock:
            self._clear()
            print(text, file=self._out, flush=True)

    @contextlib.contextmanager
    def piece(self, name: str) -> Iterator[None]:
        """A piece of work with a name: shown while it runs, with its time when it is done."""
        begin = time.monotonic()
        with self._fresh():
            with self._lock:
                self._running[name] = begin
                if not self._live:
                    self.say(f"  .. {name}")
            try:
                yield
            except BaseException:
                with self._lock:
                    self._running.pop(name, None)
                raise
            with self._lock:
                self._running.pop(name, None)
                self.say(f"  ok {name} ({spell(time.monotonic() - begin)})")

    @contextlib.contextmanager
    def showing(self, left: Callable[[], float | None]) -> Iterator[None]:
        """Keep the view fresh while the block runs, and say in it how much time is left.

        Args:
            left: estimates the seconds that are left, or None when nothing is known.
        """
        before, self._left = self._left, left
        try:
            with self._fresh():
                yield
        finally:
            self._left = before

    @contextlib.contextmanager
    def _fresh(self) -> Iterator[None]:
        """The view is painted again and again from the first that enters this until the last that leaves it."""
        with self._entering:
            if not self._users:
                self._view.enter_context(self._ticking())
            self._users += 1
        try:
            yield
        finally:
            with self._entering:
                self._users -= 1
                if not self._users:
                    self._view.close()

    @contextlib.contextmanager
    def _ticking(self) -> Iterator[None]:
        stop = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(stop,), daemon=True)
        ticker.start()
        try:
            yield
        finally:
            stop.set()
            ticker.join()
            with self._lock:
                self._clear()

    def _tick(self, stop: threading.Event) -> None:
        while not stop.wait(0.5 if self._live else self._every):
            with self._lock:
                now = time.monotonic()
                running = ", ".join(f"{name} {spell(now - begin)}" for name, begin in self._running.items())
                left = self._left()
                tail = f" · about {spell(left)} left" if left else ""
                if not self._live:
                    print(f"  .. {running}{tail}", file=self._out, flush=True)
                else:
                    self._clear()
                    self._painted = f"  .. {running}{tail}"[:118]
                    print(self._painted, end="", file=self._out, flush=True)

    def _clear(self) -> None:
        if self._painted:
            print("\r\033[K", end="", file=self._out, flush=True)
            self._painted = ""


def spell(seconds: float) -> str:
    """A duration as people write it: 4.2 s, 48 s, 3 min 20 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
