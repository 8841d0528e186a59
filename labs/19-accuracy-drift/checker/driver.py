"""What asks the learner's detector, in the process that it runs in: makes a new one, or calls one until it alarms.

It does not know where the drift is. The clock goes as it does in life, where a flight comes every 105 s: by so much
Python's clocks are put forward with each prediction.
"""

from __future__ import annotations

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

_module = importlib.import_module("detector")
if not hasattr(_module, "Detector"):
    raise AttributeError("detector.py has no class Detector")
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
