"""Bodies for POST /predict that no row alone makes, as texts; it runs in a pod."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

DEPTHS = range(920, 1000)  # about as deep as Python bears: some parsers read it, and what follows can't write it


def refused(row: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    """All that is not a flight for one reason: a field out of its range, of another type, left out; and wrong rows.

    Args:
        most: rows that may be asked about at once.
    """
    asked = "month", "day", "weekday", "hour", "carrier", "origin", "dest", "distance"
    outside = {"month": (0, 13), "day": (0, 32), "weekday": (-1, 7), "hour": (-1, 31), "carrier": (12,)}
    wrong: list[dict[str, Any]] = [{**row, name: each} for name, values in outside.items() for each in values]
    wrong += [{**row, "distance": "far"}, {**row, "temp": "warm"}]
    wrong += [{name: value for name, value in row.items() if name != left_out} for left_out in asked]
    return [*({"rows": [each]} for each in wrong), {"rows": []}, {"rows": [row] * (most + 1)}, {}]


def nested(row: Mapping[str, Any], depth: int) -> str:
    """A body with one row, whose carrier is a list in a list, so many of them."""
    return json.dumps({"rows": [{**row, "carrier": "deep"}]}).replace('"deep"', "[" * depth + "]" * depth)


def misplaced(row: Mapping[str, Any], place: int) -> str:
    """A body whose fault is at this place: in so many rows the last is wrong, or the sign behind so many blanks."""
    if place % 2:
        return '{"rows": ' + " " * place + "?"
    return json.dumps({"rows": [*[row] * (place - 1), {**row, "hour": 31}]})
