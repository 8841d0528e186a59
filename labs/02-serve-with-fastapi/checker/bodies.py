"""Bodies of POST /predict: those that the contract refuses, and those that are strange and allowed."""

from __future__ import annotations

import json
import random
from typing import Any, NamedTuple

from mlops_lab.checks import Lab
from mlops_lab.kit.drawn import drawn
from mlops_lab.kube.client import Object

WHOLE = {"month": (1, 12), "day": (1, 31), "weekday": (0, 6), "hour": (0, 23)}
CODES = ("carrier", "origin", "dest")
WEATHER = ("temp", "wind_speed", "precip", "visib")
FIELDS = (*WHOLE, *CODES, "distance", *WEATHER)
# What Python, JavaScript or YAML would read in the place of the distance, and JSON does not have.
NO_JSON_NUMBERS = ("+719", ".5", "719.", "0719", "0x2CF", "7_19", "719.0f")
# The model knows numbers, not the calendar.
NO_DAYS = ((2, 30), (2, 31), (4, 31), (6, 31), (9, 31), (11, 31))
ALIKE = 6  # flights of each that differ in one thing alone
BEYOND = 1e30  # whatever limits somebody gives the weather; a float32 holds it


class Bad(NamedTuple):
    """A body with one thing wrong.

    Attributes:
        kind: `missing`, `unknown`, `type`, `range`, `rows` or `json`.
        names: the field that the refusal must name; empty where there is none.
        row: the flight that has it, of two or more; 0 if the body as a whole is wrong.
    """

    kind: str
    what: str
    body: Any
    names: str = ""
    row: int = 0


def two_rows(lab: Lab) -> tuple[Object, Object]:
    """Two good rows."""
    first, second = (dict(row) for row in lab.traffic.hidden_rows(2).rows)
    return first, second


def bad_bodies(first: Object, second: Object) -> list[Bad]:
    """Every body has one thing wrong; by turns it is in the first row and in the second, the other one is good."""
    found: list[Bad] = []

    def add(kind: str, what: str, names: str, row: Object) -> None:
        place = 2 if len(found) % 3 else 1
        rows = [first, row] if place == 2 else [row, second]
        found.append(Bad(kind, f"{what}, in row {place} of 2", {"rows": rows}, names, place))

    for name in (*WHOLE, *CODES, "distance"):
        add("missing", f"{name} missing", name, {key: value for key, value in second.items() if key != name})
    misspelt = {key: value for key, value in second.items() if key != "visib"}
    add("unknown", "visibility instead of visib", "visibility", misspelt | {"visibility": 10.0})
    add("unknown", "a field airline more", "airline", second | {"airline": "UA"})
    for kind, names, values in (
        ("type", WHOLE, ("July", "7", 7.5, True, None, [4])),
        ("type", CODES, (7, 22, 1234, None, ["UA"])),
        ("type", ("distance",), ("far", "719", True, None)),
        ("type", WEATHER, ("warm", "41.5", "", False, [], {"mph": 9})),
        ("range", CODES, ("U", "CHICAGO", "KEWRX", "ewr", "U-", "ORD\n", "", "\u00d6B", "1\u0662")),
        ("range", ("distance",), (0, -719, 20000.5, 20001)),
    ):
        for name in names:
            for value in values:
                add(kind, f"{name} {json.dumps(value)}", name, second | {name: value})
    for name, (least, most) in WHOLE.items():
        for value in (least - 1, most + 1):
            add("range", f"{name} {value}", name, second | {name: value})
    short = {key: value for key, value in second.items() if key not in WEATHER}
    for kind, what, name, row, place, many in (
        ("range", "month 13", "month", short | {"month": 13}, 3, 5),
        ("unknown", "a field airline more", "airline", short | {"airline": "UA"}, 4, 5),
        ("unknown", "a field airline that is null", "airline", short | {"airline": None}, 2, 5),
        ("missing", "dest missing", "dest", {key: value for key, value in short.items() if key != "dest"}, 640, 1000),
    ):
        rows = [row if number == place else short for number in range(1, many + 1)]
        found.append(Bad(kind, f"{what}, in row {place} of {many}", {"rows": rows}, name, place))
    found += [
        Bad("unknown", "a field model_version beside rows", {"rows": [first], "model_version": "v1"}, "model_version"),
        Bad("unknown", "a null model_version beside rows", {"rows": [first], "model_version": None}, "model_version"),
        Bad("rows", "no rows: []", {"rows": []}, "rows"),
        Bad("rows", "no field rows: {}", {}, "rows"),
        Bad("rows", "rows null", {"rows": None}, "rows"),
        Bad("rows", "one flight, not in a list", {"rows": first}, "rows"),
        *(Bad("rows", f"rows {json.dumps(value)}", {"rows": value}, "rows") for value in (5, True, "all")),
        Bad("rows", "1001 rows", {"rows": [short] * 1001}, "rows"),
        Bad("rows", "a second row that is 5", {"rows": [first, 5]}, row=2),
        Bad("rows", "a second row that is null", {"rows": [first, None]}, row=2),
        Bad("missing", "a second row that is {}", {"rows": [first, {}]}, row=2),
        # Some readers make infinity of it, and name no field.
        Bad("range", "a distance of 401 digits", {"rows": [first, second | {"distance": 10**400}]}, row=2),
        Bad("rows", "a list instead of an object", [first]),
        *(Bad("rows", f"{text} instead of an object", text) for text in ("null", "5", '"rows"')),
        Bad("json", "JSON that is cut off", json.dumps({"rows": [first]})[:-9]),
        Bad("json", "text that is no JSON", "month=7&hour=17"),
        *(Bad("json", f"what is no JSON but looks like it: {what}", text) for what, text in nearly_json(second)),
    ]
    return found


def nearly_json(row: Object) -> list[tuple[str, str]]:
    """Bodies, as text, that a reader who forgives would take for JSON, and what is wrong with each."""
    good, marked = json.dumps({"rows": [row]}), json.dumps({"rows": [row | {"distance": "HERE"}]})
    return [
        ("single quotes", good.replace('"', "'")),
        ("a comma after the last field", good.replace("}]", ",}]")),
        ("a comma after the last row", good.replace("}]", "},]")),
        ("a comment", good.replace("[{", "[ /* one flight */ {")),
        ("a name without quotes", good.replace('"rows"', "rows")),
        ("a second object after the first", good + good),
        *((f"the number {text}", marked.replace('"HERE"', text)) for text in NO_JSON_NUMBERS),
    ]


def unusual(first: Object, second: Object, draw: random.Random) -> dict[str, Any]:
    """Bodies that are allowed, by what is unusual about them; one that is a text is sent as it is."""
    bare = {key: value for key, value in second.items() if key not in WEATHER}
    storm = {"temp": 131, "wind_speed": 250.5, "precip": 12.5, "visib": 40}
    no_weather = {"temp": -459.5, "wind_speed": -1, "precip": -0.5, "visib": 1e6}
    least = {"month": 1, "day": 1, "weekday": 0, "hour": 0, "distance": 0.5}
    most = {"month": 12, "day": 31, "weekday": 6, "hour": 23, "distance": 20000}
    hours = [bare | {"hour": 3 * number + 4} for number in range(ALIKE)]
    many = [second | storm | {"hour": number % 24, "month": number % 12 + 1} for number in range(1000)]
    written = json.dumps({"rows": [second | {"carrier": "CODE", "distance": "MILES"}]})
    return {
        "carrier ZZ, which the model has never seen": {"rows": [first, second | {"carrier": "ZZ"}]},
        "dest QQQ, which the model has never seen": {"rows": [second | {"dest": "QQQ"}, first]},
        "dest of 4 letters, KORD": {"rows": [second | {"dest": "KORD"}]},
        "distance that is a fraction": {"rows": [second | {"distance": 719.25}]},
        "dest of 2, Q7": {"rows": [second | {"dest": "Q7"}]},
        "origin XXX, which the model has never seen": {"rows": [first, second | {"origin": "XXX"}]},
        "origin of 4 letters, KJFK": {"rows": [second | {"origin": "KJFK"}]},
        "origin of 2, Z9": {"rows": [second | {"origin": "Z9"}, first]},
        "carrier of 3, UAL": {"rows": [second | {"carrier": "UAL"}]},
        "carrier of 4, ABCD": {"rows": [second | {"carrier": "ABCD"}]},
        "days that no calendar has": {"rows": [second | {"month": month, "day": day} for month, day in NO_DAYS]},
        "weather as there never was": {"rows": [second | storm]},
        "weather that can't be": {"rows": [first, second | no_weather]},
        "weather beyond all limits, below and above": {
            "rows": [second | dict.fromkeys(WEATHER, number) for number in (-BEYOND, BEYOND)]
        },
        "carrier with a digit, 9E": {"rows": [second | {"carrier": "9E"}]},
        "carrier of digits, 22": {"rows": [second | {"carrier": "22"}, first]},
        "dest of digits, 1234": {"rows": [first, second | {"dest": "1234"}]},
        "origin that begins with a digit, 7K": {"rows": [second | {"origin": "7K"}]},
        "weather left out": {"rows": [bare, first]},
        "weather null": {"rows": [second | dict.fromkeys(WEATHER)]},
        "frost, and no wind": {"rows": [second | {"temp": -4, "wind_speed": 0}]},
        "the least of each range": {"rows": [second | least]},
        "the most of each range": {"rows": [second | most]},
        "1000 rows": {"rows": [bare | {"hour": number % 24, "month": number % 12 + 1} for number in range(1000)]},
        "1000 rows with white space": json.dumps({"rows": many}, indent=4),
        "a code with \\u escapes, and 7.19e2": written.replace("CODE", "\\u0055\\u0041").replace('"MILES"', "7.19e2"),
        "a flight, and others that differ from it in one field": {"rows": one_changed(second, draw)},
        "flights whose month and day, or weekday and hour, are changed about": {
            "rows": [
                row | changed
                for row in hours
                for changed in (
                    {"month": 7, "day": 4},
                    {"month": 4, "day": 7},
                    {"weekday": 6, "hour": 5},
                    {"weekday": 5, "hour": 6},
                )
            ]
        },
    }


def one_changed(row: Object, draw: random.Random) -> list[Object]:
    """A flight, and others that differ from it in one field: who keeps answers may not take one for another."""
    others: dict[str, list[Any]] = {
        **{name: draw.sample(range(least, most + 1), 4) for name, (least, most) in WHOLE.items()},
        "carrier": ["UA", "B6", "WN", "AA"],
        "origin": ["EWR", "JFK", "LGA"],
        "dest": ["ORD", "LAX", "BOS", "ATL"],
        "distance": [150.5, 400, 1100.25, 2500],
        "temp": [None, 0, 15.5, 45, 88],
        "wind_speed": [None, 0, 9.5, 30],
        "precip": [None, 0, 0.15, 1.5],
        "visib": [None, 0, 0.25, 4, 10],
    }
    return [row, *(row | {name: value} for name, values in others.items() for value in values)]


def drawn_unusual(lab: Lab) -> dict[str, Any]:
    """Those that this run sends."""
    return unusual(*two_rows(lab), drawn(lab, "unusual flights"))


def no_numbers(row: Object) -> dict[str, str]:
    """Bodies, as text, with values that Python's json takes for numbers, in each field that is one."""
    return {
        f"{name} {text}": json.dumps({"rows": [row | {name: "HERE"}]}).replace('"HERE"', text)
        for name in (*WHOLE, "distance", *WEATHER)
        for text in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999")
    }
