"""Bodies for POST /predict that no row alone makes, as texts; it runs in a pod."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

DEPTHS = range(920, 1000)  # about as deep as Python bears: some parsers read it, and what follows can't write it


def nested(row: Mapping[str, Any], depth: int) -> str:
    """A body with one row, whose carrier is a list in a list, so many of them."""
    return json.dumps({"rows": [{**row, "carrier": "deep"}]}).replace('"deep"', "[" * depth + "]" * depth)


def misplaced(row: Mapping[str, Any], place: int) -> str:
    """A body whose fault is at this place: in so many rows the last is wrong, or the sign behind so many blanks."""
    if place % 2:
        return '{"rows": ' + " " * place + "?"
    return json.dumps({"rows": [*[row] * (place - 1), {**row, "hour": 31}]})
