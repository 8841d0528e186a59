"""Memory that pods ask for, those of a cluster now and those that a chart would make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlops_lab.base.quick_yaml import load_all
from mlops_lab.kube.quantity import quantity

_DONE = ("Succeeded", "Failed")


def asked_by(pods: Iterable[dict[str, Any]]) -> int:
    """Bytes of memory that pods of a cluster request; those that have ended request nothing any more."""
    return sum(_pod(each["spec"]) for each in pods if each.get("status", {}).get("phase") not in _DONE)


def asked_in(manifest: str, nodes: int) -> int:
    """Bytes of memory that the pods of a rendered chart would request, without those of its tests.

    Args:
        nodes: how many there are, for what runs on each.
    """
    total = 0
    for item in load_all(manifest):
        if item.get("kind") in ("Deployment", "StatefulSet", "DaemonSet"):
            number = nodes if item["kind"] == "DaemonSet" else item["spec"].get("replicas", 1)
            total += number * _pod(item["spec"]["template"]["spec"])
    return total


def _pod(spec: dict[str, Any]) -> int:
    """What the scheduler counts: all containers together, or the largest that comes before them."""
    before = [_container(each) for each in spec.get("initContainers") or []]
    return max(sum(_container(each) for each in spec["containers"]), *before, 0)


def _container(item: dict[str, Any]) -> int:
    return int(quantity(((item.get("resources") or {}).get("requests") or {}).get("memory", 0)))
