"""What costs pods beside those that the autoscaler asks for."""

from __future__ import annotations

from dataclasses import replace

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.deployments import old_pods_gone, owned_pods
from mlops_lab.kit.pods import leaving, lives_long, name
from mlops_lab.kube.client import Object

from .served import FOREST, NETWORK

ENDED = ("Succeeded", "Failed")


async def no_other_server(lab: Lab) -> Observation:
    """Whether the given server runs in the pods of Deployment `model` alone, now and by any CronJob."""
    own = {name(each) for each in await owned_pods(lab)}
    images = [f"{lab.platform.registry}/{each}" for each in (FOREST, NETWORK)]
    others = sorted(
        name(each)
        for each in await lab.objects.all("Pod")
        if name(each) not in own and not leaving(each) and runs_server(each, images)
    )
    others += sorted(
        f"pods of CronJob {name(each)}"
        for each in await lab.objects.all("CronJob")
        if runs_server(each["spec"]["jobTemplate"]["spec"]["template"], images)
    )
    wanted = "the model's server runs in the pods of Deployment model alone"
    return holds(not others, wanted, f"it runs in {', '.join(others[:5])}, too")


def runs_server(pod: Object, images: list[str]) -> bool:
    """Does a container of the pod, or of a template of pods, run one of the images as it is?

    With a command of its own it is another program.
    """
    if (pod.get("status") or {}).get("phase") in ENDED:
        return False
    return any(each["image"] in images and not each.get("command") for each in lives_long(pod["spec"]))


async def ended(lab: Lab, within: int) -> Observation:
    """Whether the pods that were told to go have ended so many seconds later."""
    seen = await old_pods_gone(lab, within=within)
    return replace(seen, expected=f"pods that are told to go have ended within {within} s")
