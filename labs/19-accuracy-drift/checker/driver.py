"""What asks the learner's detector, in the process that it runs in: makes a new one, or calls one until it alarms.

It does not know where the drift is. The clock goes as it does in life, where a flight comes every 105 s: by so much
Python's clocks are put forward with each prediction, those of `time` and of `datetime`.
"""

from __future__ import annotations

import datetime
import importlib
import time
from collections.abc import Callable, Sequence
from typing import Any

Call = Sequence[Any]  # a method's name and its arguments
PACE = 105  # s from one flight to the next: 300,000 in a year
_CLOCKS = ("time", "monotonic", "perf_counter")
_flights = 0


def _ahead(clock: Callable[[], Any], units: int) -> Callable[[], Any]:
    """A clock that is ahead by the time that the flights so far took."""
    return lambda: clock() + _flights * PACE * units


for _name in _CLOCKS:
    setattr(time, _name, _ahead(getattr(time, _name), 1))
    setattr(time, f"{_name}_ns", _ahead(getattr(time, f"{_name}_ns"), 10**9))

_REAL = datetime.datetime


class _Known(type):
    """Of a class that every moment is an instance of, whichever class has made it."""

    def __instancecheck__(cls, item: object) -> bool:
        return isinstance(item, _REAL)

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, _REAL)


class _Ahead(_REAL, metaclass=_Known):
    """`datetime`, of which `now` and `utcnow` have a clock of their own; `today` asks that of `time`."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return super().now(tz) + datetime.timedelta(seconds=_flights * PACE)

    @classmethod
    def utcnow(cls) -> Any:
        return super().utcnow() + datetime.timedelta(seconds=_flights * PACE)


_module = importlib.import_module("detector")
if not hasattr(_module, "Detector"):
    raise AttributeError("detector.py has no class Detector")
for _place in (datetime, _module):  # after the import: libraries keep what they know
    for _name, _value in [*vars(_place).items()]:
        if _value is _REAL:
            setattr(_place, _name, _Ahead)
_detectors: list[Any] = []


def answer(message: tuple[str, Sequence[Call]]) -> dict[str, Any]:
    """Do what is said: `new`, `feed` with calls, or `beside`: with calls of another stream, to its own detector."""
    what, calls = message
    if what == "new":
        _detectors[:] = [_module.Detector()]
        return {"made": 0, "alarm": False}
    if what == "beside":
        if len(_detectors) == 1:
            _detectors.append(_module.Detector())
        return _feed(_detectors[1], calls)
    return _feed(_detectors[0], calls)


def _feed(detector: Any, calls: Sequence[Call]) -> dict[str, Any]:
    """Make calls until one alarms: how many were made, and whether the last one did."""
    global _flights
    for number, (call, *values) in enumerate(calls, 1):
        if call == "predicted":
            _flights += 1
            detector.predicted(*values)
        elif call == "replaced":
            detector.replaced()
        else:
            said = detector.labelled(*values)
            if type(said).__name__ not in ("bool", "bool_"):
                return {"returned": repr(said)[:80], "kind": type(said).__name__}
            if said:
                return {"made": number, "alarm": True}
    return {"made": len(calls), "alarm": False}
