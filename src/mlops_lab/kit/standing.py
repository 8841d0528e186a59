"""Objects of the checker's own in the lab's namespace, that stand only while a block runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from mlops_lab.checks import Lab
from mlops_lab.kube.client import Object

_GONE_WITHIN = 60.0  # s for a pod that an interrupted check has left


@contextlib.asynccontextmanager
async def standing(lab: Lab, objects: Sequence[Object], *, grace: int | None = None) -> AsyncIterator[None]:
    """Apply objects, and delete them when the block is left, however it is left.

    What bears the name of one of their pods is deleted first: a check that was cut off may have left it, and a pod
    can't be changed.

    Args:
        grace: seconds that a pod may take to end; None for its own.

    Raises:
        LabError: one can't be made, or can't be deleted.
    """
    for item in objects:
        if item["kind"] == "Pod":
            await remove_leftover(lab, item["metadata"]["name"])
    try:
        await lab.objects.apply(objects)
        yield
    finally:
        deleted = [lab.objects.delete(item["kind"], item["metadata"]["name"], grace=grace) for item in objects]
        for ended in await asyncio.gather(*deleted, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended


async def remove_leftover(lab: Lab, pod: str) -> None:
    """Delete a pod of the checker's that a check which was cut off has left; there may be none.

    Raises:
        LabError: it is still there after a minute.
    """
    if await lab.objects.named("Pod", pod).now():
        await lab.objects.kill(pod, grace=0)
        await lab.objects.gone("Pod", pod, within=_GONE_WITHIN)
