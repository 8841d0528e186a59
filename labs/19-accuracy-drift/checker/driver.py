"""What asks the learner's detector, in the process that it runs in: makes a new one, or calls one until it alarms.

It does not know where the drift is.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

Call = Sequence[Any]  # a method's name and its arguments

_module = importlib.import_module("detector")
if not hasattr(_module, "Detector"):
    raise AttributeError("detector.py has no class Detector")
_detectors: list[Any] = []


def answer(message: tuple[str, Sequence[Call]]) -> dict[str, Any]:
    """Do what is said: `new`, or `feed` with calls."""
    what, calls = message
    if what == "new":
        _detectors[:] = [_module.Detector()]
        return {"made": 0, "alarm": False}
    return _feed(_detectors[0], calls)


def _feed(detector: Any, calls: Sequence[Call]) -> dict[str, Any]:
    """Make calls until one alarms: how many were made, and whether the last one did."""
    for number, (call, *values) in enumerate(calls, 1):
        if call == "predicted":
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
