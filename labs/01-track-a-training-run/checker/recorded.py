"""What a run in MLflow has recorded, read from the REST API's objects."""

from __future__ import annotations

import json
from collections.abc import Iterable

from mlops_lab.kube.client import Object


def text_values(pairs: Iterable[Object]) -> dict[str, str]:
    """Params or tags, by their key."""
    return {each["key"]: str(each["value"]) for each in pairs}


def context(given: Object) -> str:
    """In which context a dataset was logged."""
    return next((each["value"] for each in given.get("tags", []) if each["key"] == "mlflow.data.context"), "")


def size(dataset: Object) -> int:
    """The rows that a dataset's profile tells; 0 if it does not."""
    try:
        profile = json.loads(dataset.get("profile") or "{}")
        shape = profile.get("features_shape") or profile.get("shape") or [0]
        return int(profile.get("num_rows") or shape[0])
    # A profile of a form of its own; OverflowError: 1e999 rows.
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError, OverflowError):
        return 0


def same(one: str, other: str) -> bool:
    """Do two texts say the same value? 400 is 400.0."""
    try:
        return one == other or float(one) == float(other)
    except ValueError:
        return False
