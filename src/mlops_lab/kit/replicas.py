"""A Deployment with another number of pods, while a block runs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from mlops_lab.checks import Lab
from mlops_lab.kit.restore import insist
from mlops_lab.kube.errors import NotFound


async def scale(lab: Lab, deployment: str, pods: int) -> None:
    """Set a Deployment's number of pods; one that is gone meanwhile stays so."""
    with contextlib.suppress(NotFound):
        await lab.objects.patch("Deployment", deployment, {"spec": {"replicas": pods}})


@contextlib.asynccontextmanager
async def scaled(lab: Lab, deployment: str, pods: int) -> AsyncIterator[None]:
    """That number of pods while the block runs; the number from before when it is left, however it is left.

    Raises:
        Failure: there is no such Deployment any more.
    """
    before = (await lab.objects.deployment(deployment).present())["spec"].get("replicas", 1)
    try:
        await scale(lab, deployment, pods)
        yield
    finally:
        await insist(lambda: scale(lab, deployment, int(before)))
