"""Progress in bytes: how much of a long piece of work is done."""

from __future__ import annotations

import threading
import time

from mlops_lab.base.progress import Progress


def sized(size: float) -> str:
    """Bytes as people write them: 640 kB, 23 MB, 1.13 GB."""
    if size >= 1e9:
        return f"{size / 1e9:.2f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


class Meter:
    """Counts bytes and says now and then how many of all there are; safe to call from several threads.

    Args:
        what: the piece of work, in a word or two.
        total: bytes in all.
        every: seconds between two lines.
    """

    def __init__(self, progress: Progress, what: str, total: int, every: float = 5) -> None:
        self._progress, self._what, self._total, self._every = progress, what, total, every
        self._done, self._said, self._lock = 0, time.monotonic(), threading.Lock()

    def add(self, size: int) -> None:
        """So many more are done."""
        with self._lock:
            self._done += size
            if time.monotonic() - self._said < self._every:
                return
            self._said = time.monotonic()
            done = self._done
        self._progress.say(f"  .. {self._what}: {sized(done)} of {sized(self._total)}")
