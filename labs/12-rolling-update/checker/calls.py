"""Calls of the learner's `deploy`, each in a copy of the workspace that is made anew, and the pods it brings about."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from mlops_lab.checks import Lab, LabError, is_ready
from mlops_lab.checks.rooms.work import Command
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.given import differences, in_manifests
from mlops_lab.kit.pods import name, runs
from mlops_lab.kube.client import Object

START = Path(__file__).parents[1] / "start"
WITHIN = 60  # s for one call of the program
_KUBECONFIG = Path(".lab") / "kubeconfig"


async def deploy(lab: Lab, image: str) -> Command:
    """Call the program once, as a pipeline does that checks the folder out for each run.

    The copy has the kubeconfig, too, at the place where the README has learners look for it.
    """
    with lab.work.copy() as work:
        if (own := lab.work.folder / _KUBECONFIG).is_file():
            (work.folder / _KUBECONFIG).parent.mkdir(exist_ok=True)
            shutil.copy(own, work.folder / _KUBECONFIG)
        return await work.command("deploy", image, within=WITHIN, cluster=True)


@dataclass
class Tried:
    """The pods of the Deployment that ran an image while the program was at work.

    Attributes:
        ever_ready: whether each was ever ready, by its name.
        others: how the server of one differs from the given one, but for its image, by its name.
        fewest: the fewest pods that the Deployment wanted; None if it was not seen.
    """

    ever_ready: dict[str, bool] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    fewest: int | None = None


@contextlib.asynccontextmanager
async def noted(lab: Lab, image: str, *, every: float) -> AsyncIterator[Tried]:
    """Note the Deployment's pods of an image while the block runs.

    Args:
        every: seconds between two looks.

    Raises:
        LabError: as `note_pods`.
    """
    seen = Tried()
    looking = asyncio.create_task(note_pods(lab, image, seen, every=every))
    try:
        yield seen
    finally:
        looking.cancel()
        ended = (await asyncio.gather(looking, return_exceptions=True))[0]
    if isinstance(ended, Exception):
        raise ended


async def note_pods(lab: Lab, image: str, seen: Tried, *, every: float = 0.3) -> None:
    """Note each pod of the Deployment that runs an image, and how many pods it wants, until cancelled.

    Raises:
        LabError: the API server does not tell, for longer than a moment.
    """
    while True:
        try:
            pods, deployment = await owned_pods(lab), await deployment_now(lab)
        except LabError as trouble:
            if not trouble.transient:
                raise
            pods, deployment = [], None
        if deployment:
            wanted = wanted_pods(deployment)
            seen.fewest = wanted if seen.fewest is None else min(seen.fewest, wanted)
        for pod in pods:
            if runs(pod, image):
                seen.ever_ready[name(pod)] = seen.ever_ready.get(name(pod), False) or is_ready(pod)
                if said := other_server(pod["spec"]):
                    seen.others[name(pod)] = said[0]
        await asyncio.sleep(every)


async def deployment_now(lab: Lab) -> Object | None:
    """Deployment `model`; None without one."""
    return await lab.objects.deployment("model").now()


def wanted_pods(deployment: Object | None) -> int:
    """How many pods a Deployment wants; 1 without one, as where nothing is said."""
    return int(((deployment or {}).get("spec") or {}).get("replicas", 1))


def other_server(spec: Object) -> list[str]:
    """How the first container of a pod's spec differs from the server that was given, whatever its image, in words."""
    given: Object = in_manifests(START, "Deployment", "model")["spec"]["template"]["spec"]
    first, *others = given["containers"]
    return differences(spec, given | {"containers": [first | {"image": spec["containers"][0]["image"]}, *others]})
