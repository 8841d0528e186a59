"""What costs pods beside those that an autoscaler asks for: others of the model's server, and those that end slowly.

The server is that of the images flight-delay and flight-delay-pytorch, in whatever version and by whatever registry's
name.
"""

from __future__ import annotations

import re
from dataclasses import replace

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.deployments import old_pods_gone, owned_pods
from mlops_lab.kit.pods import every_container, leaving, name
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import over

_IMAGES = ("flight-delay", "flight-delay-pytorch")
# How the images start it, and other ways to; a command with none of these is another program.
_STARTS = re.compile(
    r"(?<![\w-])-[bBdEiIOPqsSuvx]*m\s*(?:server|network)(?![\w.])|\bserver\.app\b|\b(?:server|network)[./]__main__\b"
)


async def no_other_server(lab: Lab, deployment: str = "model") -> Observation:
    """Whether the model's server runs in a Deployment's pods alone, now and by any CronJob that is not suspended.

    One of its pods that is made between two lists looks like another; the second time it does not.
    """
    seen = await _no_other_server(lab, deployment)
    return seen if seen.ok else await _no_other_server(lab, deployment)


async def _no_other_server(lab: Lab, deployment: str) -> Observation:
    own = {name(each) for each in await owned_pods(lab, deployment)}
    others = sorted(
        name(each)
        for each in await lab.objects.all("Pod")
        if name(each) not in own and not leaving(each) and runs_server(each)
    )
    others += sorted(
        f"pods of CronJob {name(each)}"
        for each in await lab.objects.all("CronJob")
        if not each["spec"].get("suspend") and runs_server(each["spec"]["jobTemplate"]["spec"]["template"])
    )
    wanted = f"the model's server runs in the pods of Deployment {deployment} alone"
    return holds(not others, wanted, f"it runs in {', '.join(others[:5])}, too")


def runs_server(pod: Object) -> bool:
    """Does a container of the pod, or of a template of pods, run the model's server?"""
    if over(pod):
        return False
    return any(map(_is_server, every_container(pod["spec"])))


async def ended(lab: Lab, deployment: str = "model", *, within: int) -> Observation:
    """Whether a Deployment's pods that were told to go have ended so many seconds later."""
    seen = await old_pods_gone(lab, deployment, within=within)
    return replace(seen, expected=f"pods that are told to go have ended within {within} s")


def _is_server(container: Object) -> bool:
    """Is it one of the images, with the command that the image has, or one that starts the server as well?"""
    image = str(container["image"]).partition("@")[0].rpartition("/")[2].partition(":")[0]
    command = container.get("command") or []
    words = " ".join(map(str, [*command, *(container.get("args") or [])]))
    return image in _IMAGES and (not command or bool(_STARTS.search(words)))
