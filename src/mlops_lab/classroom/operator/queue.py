"""Whose turn it is: names of learners, each once, what is new before what is merely looked at again.

One learner is never worked on twice at a time; who comes meanwhile has another turn afterwards. What fails waits longer
each time.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

NEW, AGAIN = 0, 1
_FIRST, _LONGEST = 0.5, 60.0  # s before what failed is tried again
_DOUBLED = 10  # times that the wait doubles at most, which is beyond the longest


class Turns:
    """A queue for several threads.

    Args:
        clock: seconds, which only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ready: list[tuple[int, int, str]] = []
        self._later: list[tuple[float, int, str, int]] = []
        self._waits: dict[str, int] = {}  # by name: the lane in which it waits
        self._busy: dict[str, float] = {}  # by name: since when
        self._anew: dict[str, int] = {}
        self._failures: dict[str, int] = {}
        self._retries: dict[str, int] = {}  # by name: which of those later is its next try, the only one that counts
        self._replaced: set[int] = set()  # tries among those later that do not count any more
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False

    def add(self, name: str, lane: int = NEW) -> None:
        """Give a learner a turn, unless there is one that waits."""
        with self._changed:
            self._add(name, lane)

    def after(self, seconds: float, name: str, lane: int = AGAIN) -> None:
        """Give a learner a turn later."""
        with self._changed:
            heapq.heappush(self._later, (self._clock() + seconds, next(self._order), name, lane))
            self._changed.notify()

    def take(self) -> str | None:
        """Wait for the next one; None once the queue is closed."""
        with self._changed:
            while not self._closed:
                wait = self._due()
                while self._ready:
                    lane, _, name = heapq.heappop(self._ready)
                    if self._waits.get(name) != lane:
                        continue  # it had its turn in the other lane
                    del self._waits[name]
                    self._busy[name] = self._clock()
                    return name
                self._changed.wait(wait)
            return None

    def done(self, name: str, failed: bool = False) -> None:
        """A turn is over; one that failed is followed by another, after a while."""
        with self._changed:
            self._busy.pop(name, None)
            lane = self._anew.pop(name, None)
            if failed:
                count = self._failures[name] = self._failures.get(name, 0) + 1
                wait = min(_LONGEST, _FIRST * 2 ** min(count - 1, _DOUBLED))
                number = next(self._order)
                if name in self._retries:
                    self._replaced.add(self._retries[name])
                self._retries[name] = number
                heapq.heappush(self._later, (self._clock() + wait, number, name, AGAIN))
            else:
                self._failures.pop(name, None)
            if lane is not None:
                self._add(name, lane)
            self._changed.notify_all()

    def longest(self) -> float:
        """For how many seconds the slowest turn of now has gone on."""
        with self._changed:
            return max((self._clock() - since for since in self._busy.values()), default=0.0)

    def close(self) -> None:
        """Send everybody home."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _add(self, name: str, lane: int) -> None:
        if name in self._busy:
            self._anew[name] = min(lane, self._anew.get(name, AGAIN))
            return
        if self._waits.get(name, AGAIN + 1) <= lane:
            return
        self._waits[name] = lane
        heapq.heappush(self._ready, (lane, next(self._order), name))
        self._changed.notify()

    def _due(self) -> float | None:
        """Move what is due to the others; returns for how long there is nothing else."""
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            _, number, name, lane = heapq.heappop(self._later)
            if number in self._replaced:
                self._replaced.remove(number)
                continue
            if self._retries.get(name) == number:
                del self._retries[name]
            self._add(name, lane)
        return self._later[0][0] - now if self._later else None
