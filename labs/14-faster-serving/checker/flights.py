"""The flights that lab 14's crowd asks about; it runs in a pod.

Rows are made anew for each run, so that none was ever asked before; some are strange, and some lie on a tree's split.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

NEAR = 1e-5
TRIED = 100  # flights, of which one at least comes by a split
ASIDE = (-0.2, 0.0, 0.2)  # of a split, in turn: what is rounded down, or up, comes to its other side
WEATHER = ("temp", "wind_speed", "precip", "visib")
CODES = ("carrier", "origin", "dest")
WHOLE = {"month": (1, 12), "day": (1, 31), "weekday": (0, 6), "hour": (0, 23)}  # numbers, with their least and most
MOST_ROWS = 1000
BEYOND = 1e9  # whatever limits somebody gives the weather; a float32 holds it
LEFT_OUT = object()  # in the place of a value: the field is not sent
TOO_LARGE = "temp 1e999"  # JSON, which is read as infinity
DIGITS = 401
HUGE = 10 ** (DIGITS - 1)  # a whole number that JSON can say and that no float holds: float() raises for it
NO_ROWS: tuple[Any, ...] = (None, 7, "UA", [])  # each in the place of a row
NO_LISTS: tuple[Any, ...] = (None, 7, "UA")  # each in the place of rows
NO_OBJECTS: tuple[Any, ...] = (None, 7, "rows")  # each in the place of the whole body
BODIES = (
    "no row", "no field rows", f"{MOST_ROWS + 1} rows", "a field beside rows", "rows that are one flight, not a list",
    "a list, not an object", "a body that ends early", *(f"{each!r} in the place of a row" for each in NO_ROWS),
    *(f"{each!r} in the place of the whole body" for each in NO_OBJECTS), "a null beside rows",
    *(f"{each!r} in the place of rows" for each in NO_LISTS), "an empty body", "a body in Latin-1, which is no UTF-8",
    TOO_LARGE,
)  # fmt: skip


@dataclass(frozen=True)
class Bad:
    """One way to break contract.py: the value of a field in one row, or what is wrong with the body as a whole."""

    what: str
    field: str = ""
    value: Any = None

    @property
    def no_json(self) -> bool:
        """Is it a value that JSON can't say? FastAPI's own refusal repeats it, and so ends as 500."""
        return self.what == TOO_LARGE or (isinstance(self.value, float) and not math.isfinite(self.value))


def _values() -> Iterator[tuple[str, Any]]:
    """Each rule of a field, broken: the field and the value."""
    for name, (least, most) in WHOLE.items():
        yield from (
            (name, value)
            for value in (least - 1, most + 1, least + 0.5, str(least + 0.5), str(most + 1), "noon", None, LEFT_OUT)
        )
        # int() raises OverflowError for what float() makes of the first one, and float() for the second; the others
        # float() takes, and they are within the range.
        yield from ((name, value) for value in ("inf", HUGE, f"{most}.", f"{most}e0"))
    yield from (("distance", value) for value in (0, -5, 20001, "0", "20001", "far", None, LEFT_OUT))
    yield from (("distance", value) for value in (float("nan"), "nan"))  # neither below a limit nor above it
    yield from ((name, HUGE) for name in ("distance", "temp"))
    for name in CODES:
        yield from ((name, value) for value in ("ewr", "E", "NEWAR", "E-R", "", None, 12, LEFT_OUT))
        yield from ((name, value) for value in ("EWR\n", "EW ", "ÉW"))  # Python's $, strip() and \w take them
    yield from ((name, value) for name in WEATHER for value in ("mild", ""))
    yield from (("temp", float("nan")), ("visib", float("inf")), ("gate", "B7"), ("gate", None))
    yield from (("temp", "-Infinity"), ("precip", "inf"), ("wind_speed", "nan"))
    yield from (("precip", [0.1]), ("hour", [17]), ("distance", {}), ("dest", ["ORD"]))


def _shown(value: Any) -> str:
    """A value in words."""
    return "left out" if value is LEFT_OUT else f"of {DIGITS} digits" if value == HUGE else repr(value)


BAD: tuple[Bad, ...] = (
    *(Bad(f"{name} {_shown(value)}", name, value) for name, value in _values()),
    *map(Bad, BODIES),
)


class Flights:
    """Flights that nobody asked about before: the fields of known ones, mixed, at a distance of their own."""

    def __init__(self, known: Sequence[Mapping[str, Any]], seed: int) -> None:
        self._known, self._random = known, random.Random(seed)
        self._bad = random.Random(seed).sample(BAD, len(BAD))

    def rows(self, count: int) -> list[Object]:
        """So many; one in twenty has a carrier that no model has seen, and one in five no weather."""
        found = []
        for _ in range(count):
            row = {name: self._random.choice(self._known)[name] for name in self._known[0]}
            row["distance"] = round(self._random.uniform(90, 2700), 3)
            if self._random.random() < 0.05:
                row["carrier"] = "ZZ"
            if self._random.random() < 0.2:
                row |= dict.fromkeys(WEATHER)
            found.append(row)
        return found

    def spoilt(self, rows: Sequence[Object], number: int) -> tuple[Any, Bad]:
        """A body with these rows and one thing wrong, and what it is: another for each number, until all had a turn.

        Which row is the bad one is drawn. Text and bytes are the body itself, as it is sent.
        """
        bad, at = self._bad[number % len(BAD)], self._random.randrange(len(rows))

        def instead(row: Any) -> list[Any]:
            return [*rows[:at], row, *rows[at + 1 :]]

        if bad.field:
            others = {name: value for name, value in rows[at].items() if name != bad.field}
            return {"rows": instead(others if bad.value is LEFT_OUT else others | {bad.field: bad.value})}, bad
        short = {name: value for name, value in rows[0].items() if name not in WEATHER}  # a refusal may repeat it all
        bodies: list[Any] = [
            {"rows": []}, {}, {"rows": [short] * (MOST_ROWS + 1)}, {"rows": rows, "gate": "B7"}, {"rows": rows[0]},
            list(rows), json.dumps({"rows": rows})[:-2], *({"rows": instead(each)} for each in NO_ROWS),
            *(json.dumps(each) for each in NO_OBJECTS), {"rows": rows, "gate": None},
            *({"rows": each} for each in NO_LISTS), b"",
            json.dumps({"rows": instead(rows[at] | {"dest": "ÉUA"})}, ensure_ascii=False).encode("latin-1"),
            json.dumps({"rows": instead(rows[at] | {"temp": 1e99})}).replace("1e+99", "1e999"),
        ]  # fmt: skip
        return bodies[BODIES.index(bad.what)], bad


def on_splits(model: Any, name: str, count: int, flights: Flights) -> dict[str, list[Object]]:
    """Flights with a field that lies on a split of a tree that they come by, and matters there: at most `count` each.

    scikit-learn compares the float32 of a value with a split that is a float64. Whoever makes float32 of the splits as
    well sends the first of these flights down the other branch, as if the value were the next smaller one. The others
    have the split itself, of which float32 makes that first value: those who leave it a float64 send down there.
    """
    import numpy as np

    splits = _splits(model, name)
    on = splits.astype(np.float32)
    above = on.astype(np.float64) > splits
    on, splits = on[above], splits[above]
    rounded: list[Object] = []
    exact: list[Object] = []
    for value, split in list(zip(on, splits, strict=True))[:: max(1, len(on) // count)]:
        rows = flights.rows(TRIED)
        there = model.probabilities([{**row, name: float(value)} for row in rows])
        below = model.probabilities([{**row, name: float(np.nextafter(value, np.float32(-np.inf)))} for row in rows])
        if (at := _furthest(there, below)) is not None:
            rounded.append({**rows[at], name: float(value)})
            exact.append({**rows[at], name: float(split)})
    bodies = {f"flights with {name} on a split": rounded, f"flights with {name} on a split, in 64 bits": exact}
    return {what: rows[:count] for what, rows in bodies.items() if rows}


def with_fractions(model: Any, name: str, count: int, flights: Flights) -> list[Object]:
    """Flights with a fraction in a field that matters, each also with the whole numbers below and above it.

    They are about at most `count` splits of trees, if the model reads the field at all.
    """
    splits = _splits(model, name)
    found: list[Object] = []
    for number, split in enumerate(splits[:: max(1, len(splits) // count)][:count]):
        value = round(float(split) + ASIDE[number % len(ASIDE)], 3)
        rows = flights.rows(TRIED)
        asked = value, math.floor(value), math.ceil(value)
        there, below, above = (model.probabilities([{**row, name: each} for row in rows]) for each in asked)
        at = _furthest(there, above if ASIDE[number % len(ASIDE)] <= 0 else below)
        if at is not None:
            found += [{**rows[at], name: each} for each in asked]
    return found


def one_field_apart(model: Any, flights: Flights) -> dict[str, list[Object]]:
    """Of each field that matters: a flight, then one that differs in that field alone, then both at once."""
    found: dict[str, list[Object]] = {}
    for name in flights.rows(1)[0]:
        rows = flights.rows(TRIED)
        others = [{**row, name: other[name]} for row, other in zip(rows, flights.rows(TRIED), strict=True)]
        if (at := _furthest(model.probabilities(rows), model.probabilities(others))) is not None:
            found[f"a flight of which another differs in {name} alone"] = [rows[at]]
            found[f"a flight that differs in {name} alone"] = [others[at]]
            found[f"two flights that differ in {name} alone"] = [others[at], rows[at]]
    return found


def _splits(model: Any, name: str) -> Any:
    """Where trees part by a field: an array of float64 in order, empty if the model does not read it."""
    import numpy as np

    bundle = model._bundle
    features = list(bundle["features"])
    if name not in features:
        return np.empty(0)
    trees = [each.tree_ for each in bundle["forest"].estimators_]
    return np.unique(np.concatenate([tree.threshold[tree.feature == features.index(name)] for tree in trees]))


def _furthest(ones: Sequence[float], others: Sequence[float]) -> int | None:
    """Where two lists of probabilities are furthest apart; None where nobody could tell them apart anyway."""
    apart = [abs(one - other) for one, other in zip(ones, others, strict=True)]
    return apart.index(max(apart)) if max(apart) > 10 * NEAR else None


def strange(first: Object, second: Object) -> dict[str, list[Object]]:
    """Rows that are allowed, by what is unusual about them."""
    bare = {key: value for key, value in second.items() if key not in WEATHER}
    least = {"month": 1, "day": 1, "weekday": 0, "hour": 0, "distance": 0.5}
    most = {"month": 12, "day": 31, "weekday": 6, "hour": 23, "distance": 20000}
    return {
        "a carrier and a destination that the model has never seen": [first, second | {"carrier": "ZZ", "dest": "QQQ"}],
        "codes of two to four characters, letters or digits": [
            first | {"carrier": "12", "origin": "KJFK", "dest": "00"},
            second | {"carrier": "UAL", "origin": "999"},
            second | {"carrier": "Z9ZZ", "origin": "QQ", "dest": "1A9B"},
        ],
        "weather left out in one of two": [bare, first],
        "weather null": [second | dict.fromkeys(WEATHER)],
        "numbers written as text": [
            first | {"hour": "17", "distance": "719.5"},
            second | {"temp": "41"},
            {name: value if value is None else str(value) for name, value in second.items()},
        ],
        "whole numbers written as text with a point": [
            first | {"month": "7.0", "hour": "17.0"},
            second | {"day": "4.0", "weekday": "3.0"},
        ],
        "weather as it never was here": [
            first | {"temp": -40.5, "wind_speed": 0, "precip": 0, "visib": 0},
            second | {"temp": 250, "wind_speed": 300, "precip": 40, "visib": 99.9},
            first | dict.fromkeys(WEATHER, -BEYOND),
            second | dict.fromkeys(WEATHER, BEYOND),
        ],
        "fields in another order": [dict(reversed(first.items())), second, dict(reversed(second.items()))],
        "whole numbers with a point": [first | {"month": 7.0, "weekday": 3.0}, second | {"day": 4.0, "hour": 17.0}],
        "true and false, which stand for 1 and 0": [
            first | {"month": True, "hour": False, "temp": True},
            second | {"distance": True, "day": True, "weekday": False, "visib": False},
        ],
        "the ends of each range": [second | least, second | most],
        "1000 rows": [bare | {"hour": number % 24, "month": number % 12 + 1} for number in range(MOST_ROWS)],
    }


def meant(rows: Sequence[Object]) -> list[Object]:
    """Rows in which no number is text."""
    return [
        {name: float(value) if isinstance(value, str) and name not in CODES else value for name, value in row.items()}
        for row in rows
    ]
