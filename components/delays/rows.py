"""Rows of flights as a pandas frame: written and read as CSV, and turned into the numbers that a model reads.

The columns are the fields of POST /predict, `late` (1, 0, or empty while it is not known yet) and `date`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from server.features import CATEGORIES, WEATHER

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FIELDS = ("month", "day", "weekday", "hour", *CATEGORIES, "distance", *WEATHER)
LABEL, DAY = "late", "date"
COLUMNS = (*FIELDS, LABEL, DAY)


def join(files: Mapping[date, bytes]) -> bytes:
    """One CSV file of several days, with the date as last column; the bytes of a line are not looked at."""
    lines: list[bytes] = []
    head = b""
    for day in sorted(files):
        first, *rest = files[day].splitlines()
        if head and first != head:
            raise ValueError(f"the file of {day} has other columns than the ones before: {first.decode()!r}")
        head = first
        lines += [line + f",{day}".encode() for line in rest]
    return b"\n".join([head + b"," + DAY.encode(), *lines, b""])


def head(file: bytes) -> bytes:
    """What `join` gives for no days: the columns of this day's file, and no rows."""
    return file.splitlines()[0] + b"," + DAY.encode() + b"\n"


def read(path: str | Path) -> pd.DataFrame:
    """A file as `join` writes it. Categories stay text; what is not a number where one belongs stays text too."""
    import pandas as pd

    # Only an empty field is missing: NA is a carrier's code somewhere.
    text = dict.fromkeys((*CATEGORIES, DAY), str)
    return pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])


def numbers(
    frame: pd.DataFrame,
    features: Sequence[str],
    categories: Mapping[str, Mapping[str, float]],
    defaults: Mapping[str, float],
) -> np.ndarray:
    """What `server.features.encode` gives, column by column: (rows, features) as float32."""
    import numpy as np

    table = np.empty((len(frame), len(features)), np.float32)
    for place, feature in enumerate(features):
        column = frame[feature]
        if feature in categories:
            column = column.map(categories[feature])
        table[:, place] = column.fillna(defaults[feature]).to_numpy(np.float32)
    return table
