"""The time that a dashboard shows: `now`, `now-30m` as Grafana writes it, or a moment in milliseconds."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RELATIVE = re.compile(r"now(?:-(\d+)([smhdwMy]))?$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000, "y": 31536000}
SHORTEST, LONGEST = 60, 366 * 86400


@dataclass(frozen=True)
class Window:
    """From one time to another, in Unix seconds."""

    begin: float
    end: float

    @property
    def span(self) -> int:
        """How many seconds it is long."""
        return round(self.end - self.begin)


def moment(text: str, now: float) -> float:
    """A time in Unix seconds.

    Raises:
        ValueError: it is none.
    """
    if found := _RELATIVE.match(text):
        return now - int(found[1] or 0) * _SECONDS[found[2] or "s"]
    if text.isascii() and text.isdigit() and len(text) < 15:
        return int(text) / 1000
    raise ValueError(f"{text} is no time such as now, now-30m or 1700000000000")


def window(begin: str, end: str, now: float) -> Window:
    """From one time to another.

    Raises:
        ValueError: one of them is none, or what lies between is too short or too long.
    """
    found = Window(moment(begin, now), moment(end, now))
    if not SHORTEST <= found.span <= LONGEST:
        raise ValueError(f"from {begin} to {end} is not within {SHORTEST} s and {LONGEST // 86400} days")
    return found


def seconds(text: str) -> int:
    """A duration such as `10s` or `1m`; 0 where it is none."""
    found = re.fullmatch(r"(\d+)([smhdw])", text)
    return int(found[1]) * _SECONDS[found[2]] if found else 0
