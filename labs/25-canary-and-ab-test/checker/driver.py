"""What asks the learner's judge, in the process that it runs in: makes a new one, or lets it look.

It does not know what kind of canary it is, nor what comes next.
"""

from __future__ import annotations

import importlib
from typing import Any

_module = importlib.import_module("judge")
if not hasattr(_module, "Judge"):
    raise AttributeError("judge.py has no class Judge")
_judges: list[Any] = []


def answer(message: list[Any]) -> dict[str, Any]:
    """Do what is said: nothing for a new judge, or what is new of both models; what the judge says of it."""
    if not message:
        _judges[:] = [_module.Judge()]
        return {"said": None}
    said = _judges[0].look(*message)
    if said is None or (isinstance(said, str) and len(said) <= 40):
        return {"said": None if said is None else str.__str__(said)}  # of an Enum's member its value, not its name
    return {"strange": repr(said)[:80]}
