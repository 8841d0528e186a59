"""What a pod of `model` may request, and whether the quota holds."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from mlops_lab.checks import Lab, Observation, between, holds, observe, quantity
from mlops_lab.kit import admission
from mlops_lab.kube.client import Object
from mlops_lab.measure.cluster.capacity import requests

CPU = ("50m", "100m")
MEMORY = ("32Mi", "64Mi")
QUOTA, ROOM = "team", "512Mi"
_BEYOND = "513Mi"
_MIB = 2**20


def cpu(pods: Sequence[Object]) -> Observation:
    """Whether each pod's CPU request is within its share."""
    return _within("CPU that a pod requests", [f"{float(requested(pod, 'cpu') * 1000):g}m" for pod in pods], *CPU)


def memory(pods: Sequence[Object]) -> Observation:
    """Whether each pod's memory request is within its share."""
    said = [f"{float(requested(pod, 'memory') / _MIB):g}Mi" for pod in pods]
    return _within("memory that a pod requests", said, *MEMORY)


def requested(pod: Object, name: str) -> Fraction:
    """What a pod requests: what it says as a whole, else what its containers do, those that run first, too."""
    whole = (pod["spec"].get("resources") or {}).get("requests") or {}
    return Fraction(quantity(str(whole[name]))) if name in whole else requests(pod)[name]


def _within(what: str, amounts: Sequence[str], least: str, most: str) -> Observation:
    right = between(least, most)
    return observe(what, next((each for each in amounts if not right(each)), amounts[0]), right, timed=False)


async def beyond_is_refused(lab: Lab) -> Observation:
    """Whether a pod that requests more than the whole quota is refused."""
    resources = {"requests": {"cpu": "1m", "memory": _BEYOND}}
    answer = await admission.answered(lab, admission.gated(lab, "beyond-the-quota", [{"resources": resources}]))
    return holds(answer.pod is None, f"a pod that requests {_BEYOND} is refused", "it was let in")
