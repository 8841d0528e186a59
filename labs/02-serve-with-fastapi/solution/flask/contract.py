"""What a body of POST /predict may hold, looked at by hand; whatever breaks it is Refused, with the field."""

import json
import re
import sys

WHOLE = {"month": (1, 12), "day": (1, 31), "weekday": (0, 6), "hour": (0, 23)}
CODES = ("carrier", "origin", "dest")
WEATHER = ("temp", "wind_speed", "precip", "visib")
FIELDS = {*WHOLE, *CODES, "distance", *WEATHER}
MOST_ROWS = 1000


class Refused(Exception):
    """The body is not what the contract says; the text says why."""


def rows_of(text: str) -> list[dict]:
    """The flights of a body; raises Refused."""
    try:
        body = json.loads(text, parse_constant=no_number)
    except (ValueError, RecursionError) as wrong:
        raise Refused(f"the body is not JSON: {wrong}") from wrong
    if not isinstance(body, dict):
        raise Refused("the body must be an object with the field rows")
    if strange := body.keys() - {"rows"}:
        raise Refused(f"unknown field {sorted(strange)[0]}")
    rows = body.get("rows")
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_ROWS:
        raise Refused(f"rows: must be a list of 1 to {MOST_ROWS} flights")
    for number, row in enumerate(rows):
        if reason := wrong_in(row):
            raise Refused(f"rows[{number}]{reason}")
    return rows


def wrong_in(row: object) -> str:
    """What is wrong with a flight; empty if nothing is."""
    if not isinstance(row, dict):
        return ": must be an object"
    if strange := row.keys() - FIELDS:
        return f".{sorted(strange)[0]}: unknown field"
    if missing := FIELDS - set(WEATHER) - row.keys():
        return f".{sorted(missing)[0]}: missing"
    for name, (least, most) in WHOLE.items():
        value = row[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            return f".{name}: must be a whole number from {least} to {most}"
    for name in CODES:
        if not isinstance(row[name], str) or not re.fullmatch("[A-Z0-9]{2,4}", row[name]):
            return f".{name}: must be a code of 2 to 4 capital letters or digits"
    if not is_number(row["distance"]) or not 0 < row["distance"] <= 20000:
        return ".distance: must be a number above 0, 20000 at most"
    for name in WEATHER:
        if row.get(name) is not None and not is_number(row[name]):
            return f".{name}: must be a number or null"
    return ""


def is_number(value: object) -> bool:
    """Is it a number, and a finite one? 1e999 is read as infinity; true is an int to Python."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def no_number(name: str) -> float:
    """Called for NaN and Infinity, which Python's json reads although JSON does not have them."""
    raise ValueError(f"{name} is not JSON")
