"""Objects as plain dicts in the API's own form, and what their status says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]
Objects = list[Object]  # where `list` means something else, as in a class with a method of that name


def is_true(item: Object | None, condition: str) -> bool:
    """Whether a condition of the object's status is True; not if it is unknown, or if there is no object."""
    found = (item or {}).get("status", {}).get("conditions") or []
    return any(each["type"] == condition and each["status"] == "True" for each in found)


def is_ready(item: Object | None) -> bool:
    """Whether a Pod's or a Node's condition Ready is True; a pod's makes it an endpoint of its Services."""
    return is_true(item, "Ready")


def phase(item: Object | None) -> str:
    """A pod's phase, or a claim's; `gone` where there is none."""
    return str(((item or {}).get("status") or {}).get("phase") or "gone")


def scheduled(pod: Object | None) -> Object:
    """A pod's condition PodScheduled; empty without one."""
    conditions = ((pod or {}).get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == "PodScheduled"), {})


def alive(pods: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pods that are not being deleted, and have not ended (as one that a node evicted)."""
    return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp") and not over(pod)]


def over(pod: Object) -> bool:
    """Has a pod ended for good, as those of Jobs do, and one that was evicted? It stays until somebody deletes it."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def own_taints(node: Object) -> Objects:
    """The taints that someone gave a node; those of the node's life cycle say how it is."""
    return [each for each in node["spec"].get("taints") or [] if not each["key"].startswith("node.kubernetes.io/")]
