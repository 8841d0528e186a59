"""From a flight's fields to the numbers that a model reads; training and serving share this, so they can't differ.

Categories become the share of late flights that the training rows had in them. A category never seen there, and
weather that is missing, become the value of the training rows as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

FLIGHT = ("month", "weekday", "hour", "carrier", "origin", "dest", "distance")
WEATHER = ("temp", "wind_speed", "precip", "visib")
CATEGORIES = ("carrier", "origin", "dest")

# What each version of the model reads.
FEATURES = {"v1": FLIGHT, "v2": (*FLIGHT, *WEATHER)}


def encode(
    rows: Iterable[Mapping[str, Any]],
    features: Sequence[str],
    categories: Mapping[str, Mapping[str, float]],
    defaults: Mapping[str, float],
) -> list[list[float]]:
    """One list of numbers for each row, in the order of `features`.

    Args:
        rows: fields by name; others than `features` are ignored.
        categories: for each category field, the number of each value.
        defaults: for each field, the number that stands for an unknown or missing value.
    """

    def number(row: Mapping[str, Any], feature: str) -> float:
        value = row.get(feature)
        if feature in categories:
            return categories[feature].get(value, defaults[feature])  # type: ignore[arg-type]
        return defaults[feature] if value is None else float(value)

    return [[number(row, feature) for feature in features] for row in rows]
