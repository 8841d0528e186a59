"""How much anybody may ask: a bucket of requests for each, which fills at a steady rate. No clock that can be set."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MOST = 10_000  # names that are known at once


@dataclass(frozen=True)
class Rate:
    """So many at once, and so many per minute."""

    burst: int
    per_minute: float


SUBMITTING = Rate(10, 10)
ASKING = Rate(120, 240)
LAUNCHING = Rate(300, 600)  # of one address, which may be that of all who come by a proxy
WRONG_TOKENS = Rate(20, 20)  # of one address, as the one above; a right token is never among those


class Limiter:
    """Buckets by name.

    Args:
        clock: the seconds that pass.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> float:
        """Count one of this name; returns the seconds until it may ask again, 0 if it may now."""
        now, each = self._clock(), self._rate.per_minute / 60
        left = self._left(name, now)
        if left < 1:
            return (1 - left) / each
        self._buckets[name] = (left - 1, now)
        self._buckets.move_to_end(name)
        while len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        return 0.0

    def wait(self, name: str) -> float:
        """The seconds until this name may ask again, without counting."""
        left = self._left(name, self._clock())
        return 0.0 if left >= 1 else (1 - left) / (self._rate.per_minute / 60)

    def _left(self, name: str, now: float) -> float:
        left, at = self._buckets.get(name, (float(self._rate.burst), now))
        return min(float(self._rate.burst), left + (now - at) * self._rate.per_minute / 60)
