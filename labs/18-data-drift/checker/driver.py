"""What asks the learner's detectors, in the process that they run in."""

from __future__ import annotations

import importlib
import itertools
import reprlib
from typing import Any

NAMES = 1000  # more than any frame has columns

_module = importlib.import_module("detector")
if not hasattr(_module, "Detector"):
    raise AttributeError("detector.py has no class Detector")
_detectors: dict[int, Any] = {}


def answer(message: tuple[str, int, Any]) -> dict[str, Any]:
    """`make` the detector of a number, of a reference; or `update` it with rows, and say what it names."""
    what, number, rows = message
    if what == "make":
        _detectors[number] = _module.Detector(rows)
        return {"names": []}
    return {"names": _names(_detectors[number].update(rows))}


def _names(answer: Any) -> list[str]:
    """What `update` returned, as a list of names."""
    if isinstance(answer, str | bytes) or not hasattr(answer, "__iter__"):
        raise TypeError(f"update returned {reprlib.repr(answer)}, which is no list of names")
    found = list(itertools.islice(answer, NAMES))
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"update returned a list with {reprlib.repr(name)} in it, which is no name")
    return [str(name)[:80] for name in found]
