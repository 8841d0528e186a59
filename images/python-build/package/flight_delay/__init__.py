"""How likely flights arrive late: `probabilities(rows)`, by the model `version`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from . import forest
from .features import encode

_HERE = files(__name__)
_about: dict[str, Any] = json.loads((_HERE / "model.json").read_text())
with (_HERE / "model.npz").open("rb") as _file:
    _arrays = dict(np.load(_file))
version: str = _about["version"]


def probabilities(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    """For each flight the probability of an arrival 15 minutes late or later."""
    features = _about["features"]
    numbers = np.asarray(encode(rows, features, _about["categories"], _about["defaults"]), np.float32)
    parts = [_arrays[name] for name in ("feature", "threshold", "left", "right", "share", "root")]
    return np.frombuffer(forest.walk(*parts, numbers, len(features))).tolist()
