"""What an object's status says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def is_true(item: dict[str, Any] | None, condition: str) -> bool:
    """Whether a condition of the object's status is True; not if it is unknown, or if there is no object."""
    found = (item or {}).get("status", {}).get("conditions") or []
    return any(each["type"] == condition and each["status"] == "True" for each in found)


def is_ready(item: dict[str, Any] | None) -> bool:
    """Whether a Pod's or a Node's condition Ready is True; a pod's makes it an endpoint of its Services."""
    return is_true(item, "Ready")


def alive(pods: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pods that are not being deleted."""
    return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
