"""An object put back as it was found, also what was added to it since."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mlops_lab.checks import Lab, LabError
from mlops_lab.kube.client import Object

# Metadata that is the object's owner's; the rest is the API server's, or a controller's.
_METADATA = ("labels", "annotations")
# The Deployment controller's own annotation.
_REVISION = "deployment.kubernetes.io/revision"
_PUT_BACK_WITHIN = 60.0  # s in which the API server may be away
_EVERY = 1.0  # s

T = TypeVar("T")


def owned(item: Object) -> Object:
    """The part of an object that its owner wrote: labels, annotations, and all else but status and metadata."""
    kept = {key: value for key, value in item.items() if key not in ("apiVersion", "kind", "metadata", "status")}
    metadata = {key: dict(item["metadata"].get(key) or {}) for key in _METADATA}
    metadata["annotations"].pop(_REVISION, None)
    return kept | {"metadata": metadata}


def merge_patch(now: Any, wanted: Any) -> Object:
    """The merge patch (RFC 7386) that turns one plain object into another; empty if they are the same."""
    patch: Object = {key: None for key in now if key not in wanted}
    for key, value in wanted.items():
        if key in now and isinstance(now[key], dict) and isinstance(value, dict):
            if inner := merge_patch(now[key], value):
                patch[key] = inner
        elif key not in now or now[key] != value:
            patch[key] = value
    return patch


async def put_back(lab: Lab, before: Object, *, within: float = _PUT_BACK_WITHIN) -> bool:
    """Make an object again what it was; one that was deleted is made anew. Tried again while the API server is away.

    It is done to its end even where the check is cancelled meanwhile.

    Args:
        before: the object as `lab.objects.named(kind, name).now()` gave it.
        within: seconds.

    Returns:
        Whether anything had to be changed.

    Raises:
        LabError: it could not be done in time.
    """
    return await insist(lambda: _written(lab, before), within=within)


async def insist(change: Callable[[], Awaitable[T]], *, within: float = _PUT_BACK_WITHIN) -> T:
    """Do what puts something back, again while it can't be done; to its end even where the check is cancelled.

    Args:
        within: seconds.

    Raises:
        LabError: it could not be done in time.
    """
    return await asyncio.shield(_insist(change, within))


async def _insist(change: Callable[[], Awaitable[T]], within: float) -> T:
    end = time.monotonic() + within
    while True:
        try:
            return await change()
        except LabError:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(_EVERY)


async def _written(lab: Lab, before: Object) -> bool:
    """Write what differs, once."""
    kind, name, wanted = before["kind"], before["metadata"]["name"], owned(before)
    try:
        now = await lab.objects.named(kind, name).now()
    except LabError:  # where nobody can say how it is, all is written but what takes away additions
        await lab.objects.patch(kind, name, wanted)
        return True
    if now is None:
        made = {"apiVersion": before["apiVersion"], "kind": kind} | wanted
        await lab.objects.apply([made | {"metadata": {"name": name} | wanted["metadata"]}])
        return True
    if patch := merge_patch(owned(now), wanted):
        await lab.objects.patch(kind, name, patch)
    return bool(patch)


def interrupted() -> bool:
    """Is the check being cancelled? Then what it changed is put back, and nobody waits for what follows from that."""
    task = asyncio.current_task()
    return bool(task and task.cancelling())
