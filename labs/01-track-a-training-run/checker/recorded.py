"""What a run in MLflow has recorded, read from the REST API's objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime

from mlops_lab.kube.client import Object

_AROUND = re.compile(r"[\[\](){}]")
CLOCKS = 3.0  # s that clocks of nodes may be apart; the Job's times are whole seconds


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
    """Do two texts say the same value? 400 is 400.0, and (32, 16) is [32, 16]."""
    try:
        return one == other or float(one) == float(other)
    except ValueError:
        return bool(_AROUND.search(one) and _AROUND.search(other)) and _parts(one) == _parts(other)


def _parts(text: str) -> list[str]:
    """What a list, a tuple or a dict holds, however it is written."""
    return _AROUND.sub(" ", text.replace(",", " ").replace(":", " ").replace("'", " ").replace('"', " ")).split()


def before_or_after(run: Object, job: Object) -> float:
    """By how many seconds a run began before a Job (less than 0) or after it had ended; 0 for while it ran."""
    status = job.get("status", {})
    began, ended = (_seconds(status.get(name)) for name in ("startTime", "completionTime"))
    at = float(run["info"].get("start_time") or 0) / 1000
    if began is not None and at < began - CLOCKS:
        return at - began
    return at - ended if ended is not None and at > ended + CLOCKS else 0.0


def _seconds(at: str | None) -> float | None:
    return datetime.fromisoformat(at).timestamp() if at else None
