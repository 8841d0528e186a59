"""Changes of Secrets and ConfigMaps on their way into pods, which kubelets look for more often than they do by default.

A kubelet syncs a pod whenever that changes in any way; here in an annotation, which is gone at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeVar

from mlops_lab.checks import Lab, LabError, Observation
from mlops_lab.kit.pods import leaving
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kube.client import Object

T = TypeVar("T")

FOLLOWED_WITHIN = 60  # s from a change of Secret or ConfigMap until every pod goes by it
SYNC_EVERY = 3  # s
MARK = "mlops-lab/look-again"


async def in_force(
    lab: Lab,
    look: Callable[[], Awaitable[T]],
    test: Callable[[T], bool],
    *,
    expected: str,
    shown: Callable[[T], str],
    within: float = FOLLOWED_WITHIN,
) -> Observation:
    """As `lab.time.eventually`, with the kubelets hurried if it is not so at once."""
    if test(seen := await look()):
        return Observation(True, expected, shown(seen), seen)
    async with kubelets_hurried(lab):
        return await lab.time.eventually(look, test, expected=expected, shown=shown, within=within)


@contextlib.asynccontextmanager
async def kubelets_hurried(lab: Lab) -> AsyncIterator[None]:
    """Have the kubelets look every few seconds whether mounted objects have changed, rather than every minute or so."""
    enough = asyncio.Event()

    async def hurry() -> None:
        turn = 0
        while not enough.is_set():
            turn += 1
            with contextlib.suppress(LabError):  # if it lasts, what is measured meanwhile says so
                await annotate(lab, str(turn))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), SYNC_EVERY)

    task = asyncio.create_task(hurry())
    try:
        yield
    finally:
        enough.set()  # not cancelled: a request that is under way would come after the last one
        await task
        await annotate(lab, None)


async def annotate(lab: Lab, value: str | None) -> None:
    """Annotate the namespace's pods; None takes the annotation away."""
    change: Object = {"metadata": {"annotations": {MARK: value}}}
    for pod in await lab.objects.all("Pod"):
        if value or MARK in (pod["metadata"].get("annotations") or {}):
            await of_pod(lab, pod, partial(lab.objects.patch, "Pod", patch=change))


async def of_pod(lab: Lab, pod: Object, look: Callable[[str], Awaitable[T]]) -> T | None:
    """What `look` says of a pod by its name; None if the pod went away meanwhile."""
    name = name_of(pod)
    try:
        return await look(name)
    except LabError:
        there = await lab.objects.named("Pod", name).now()
        if there and there["metadata"]["uid"] == pod["metadata"]["uid"] and not leaving(there):
            raise
        return None
