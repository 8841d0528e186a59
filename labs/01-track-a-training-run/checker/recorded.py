"""What a run in MLflow has recorded, read from the REST API's objects, and what ran beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime

from mlops_lab.kit.pods import every_container, made_by
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kube.client import Object

_AROUND = re.compile(r"[\[\](){}]")
CLOCKS = 3.0  # s that clocks of nodes may be apart; the Job's times are whole seconds
ADDRESS, PLATFORM = "MLFLOW_TRACKING_URI", "platform"  # a variable, and the ConfigMap that has it


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
        return bool(_AROUND.search(one) and _AROUND.search(other)) and parts(one) == parts(other)


def parts(text: str) -> list[str]:
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


def started_beside(pods: Iterable[Object], job: Object, run: Object) -> list[str]:
    """Pods that are not the Job's and know where MLflow is, started after the Job and before the run began.

    One that was there before, such as the learner's for trying things out, is none of them.
    """
    since, until = _seconds(job.get("status", {}).get("startTime")), float(run["info"].get("start_time") or 0) / 1000
    if since is None:
        return []
    return [
        name_of(pod)
        for pod in pods
        if not made_by(pod, job)
        and _knows_mlflow(pod["spec"])
        and any(since - CLOCKS <= at <= until + CLOCKS for at in _starts(pod))
    ]


def _knows_mlflow(spec: Object) -> bool:
    """Is a container told where MLflow is: by the variable, or by all of the ConfigMap that the platform gives?"""
    return any(
        any(each["name"] == ADDRESS for each in container.get("env") or [])
        or any((each.get("configMapRef") or {}).get("name") == PLATFORM for each in container.get("envFrom") or [])
        for container in every_container(spec)
    )


def _starts(pod: Object) -> list[float]:
    """When containers of a pod were started, with the last time before where one was started anew."""
    kinds = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    told = [each for kind in kinds for each in (pod.get("status") or {}).get(kind) or []]
    states = [each.get(field) or {} for each in told for field in ("state", "lastState")]
    found = [_seconds(each.get("startedAt")) for state in states for each in state.values()]
    return [each for each in found if each is not None]


def _seconds(at: str | None) -> float | None:
    return datetime.fromisoformat(at).timestamp() if at else None
