"""Bodies for POST /predict: refused ones, strange ones, and texts that no row alone makes; it runs in a pod."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

WHOLE = {"month": (1, 12), "day": (1, 31), "weekday": (0, 6), "hour": (0, 24)}
CODES = "carrier", "origin", "dest"
WEATHER = "temp", "wind_speed", "precip", "visib"  # may be left out, or null
SEATS = 75_000  # of a field that nobody knows: some 750 kB, which take longer to read than the model takes for a flight
DEPTHS = range(920, 1000)  # about as deep as Python bears: some parsers read it, and what follows can't write it


def refused(row: Mapping[str, Any], most: int) -> list[dict[str, Any] | str]:
    """All that is not a flight for one reason: a field out of its range, of another type, left out; and wrong rows.

    Args:
        most: rows that may be asked about at once.
    """
    asked = *WHOLE, *CODES, "distance"
    wrong: list[Any] = [{**row, name: end} for name, (low, high) in WHOLE.items() for end in (low - 1, high + 1)]
    wrong += [{**row, name: 4.5} for name in WHOLE] + [{**row, name: 12} for name in CODES]
    wrong += [{**row, name: "far"} for name in (*WHOLE, "distance", *WEATHER)] + [{**row, name: None} for name in asked]
    wrong += [{name: value for name, value in row.items() if name != left_out} for left_out in asked]
    no_rows: list[Any] = [[], None, row, [row] * (most + 1)]
    return [
        *({"rows": [each]} for each in (*wrong, None)),
        *({"rows": each} for each in no_rows),
        {},
        json.dumps([row]),
    ]


def odd(row: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A flight that is allowed, with codes, numbers and a field that nobody knows.

    Args:
        number: by turns it has weather, null in the place of each, and none.
    """
    known = [name for name in ("distance", *WEATHER) if row.get(name) is not None]
    new = {name: row[name] + round(random.random() / 100, 6) for name in known}
    codes = {name: uuid.uuid4().hex[:6] for name in CODES}
    bare = {name: value for name, value in {**row, **new}.items() if name not in WEATHER}
    weather = {name: new.get(name) for name in WEATHER}
    return bare | codes | {"gate": "B7"} | (weather, dict.fromkeys(WEATHER), {})[number % 3]


def long_to_read(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Flights that are allowed, and a large field that nobody knows, which is read and passed over."""
    return {"rows": rows, "seats": [{"a": seat % 10} for seat in range(SEATS)]}


def nested(row: Mapping[str, Any], depth: int) -> str:
    """A body with one row, whose carrier is a list in a list, so many of them."""
    return json.dumps({"rows": [{**row, "carrier": "deep"}]}).replace('"deep"', "[" * depth + "]" * depth)


def misplaced(row: Mapping[str, Any], place: int) -> str:
    """A body whose fault is at this place: in so many rows the last is wrong, or the sign behind so many blanks."""
    if place % 2:
        return '{"rows": ' + " " * place + "?"
    return json.dumps({"rows": [*[row] * (place - 1), {**row, "hour": 31}]})
