"""What costs pods beside those that an autoscaler asks for: others of the model's server, and those that end slowly.

The server is that of the images flight-delay and flight-delay-pytorch, in whatever version and by whatever registry's
name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.deployments import old_pods_gone, owned_pods
from mlops_lab.kit.pods import every_container, leaving, name
from mlops_lab.kit.volumes import config_maps
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import over

ENDED_WITHIN = 40  # s for a pod that is told to go; Kubernetes gives it 30, if nothing else is said
RUN_ON = (
    "a Deployment does not count pods that are ending, but they run, are paid for and count in a quota: as long as "
    "preStop and the program take, up to terminationGracePeriodSeconds. A few seconds are enough for all nodes to take "
    "a pod off their lists"
)
_IMAGES = ("flight-delay", "flight-delay-pytorch")
# How the images start it, and other ways to; a command with none of these is another program.
_STARTS = re.compile(
    r"(?<![\w-])-[bBdEiIOPqsSuvx]*m['\"]?[\s,]*['\"]?(?:server|network)(?![\w.])|\bserver\.app\b|\b(?:server|network)[./]__main__\b"
    r"|\bpython[\d.]*\s+(?:-\w+\s+)*(?:/app/|\./)?(?:server|network)/?(?![\w./])"
    r"|\brun_(?:module|path)\(\s*['\"](?:/app/)?(?:server|network)/?['\"]"
)
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)


async def no_other_server(lab: Lab, deployment: str = "model") -> Observation:
    """Whether the model's server runs in a Deployment's pods alone, now and by any CronJob that is not suspended.

    One of its pods that is made between two lists looks like another; the second time it does not.
    """
    seen = await _no_other_server(lab, deployment)
    return seen if seen.ok else await _no_other_server(lab, deployment)


async def _no_other_server(lab: Lab, deployment: str) -> Observation:
    own = {name(each) for each in await owned_pods(lab, deployment)}
    pods = [each for each in await lab.objects.all("Pod") if name(each) not in own and not leaving(each)]
    jobs = [each for each in await lab.objects.all("CronJob") if not each["spec"].get("suspend")]
    found = [(each, name(each)) for each in pods]
    found += [(each["spec"]["jobTemplate"]["spec"]["template"], f"pods of CronJob {name(each)}") for each in jobs]
    scripts: dict[str, str] = {}
    if any(config_maps(pod["spec"]) and any(map(_has_own_command, every_container(pod["spec"]))) for pod, _ in found):
        scripts = {
            name(each): "\n".join((each.get("data") or {}).values()) for each in await lab.objects.all("ConfigMap")
        }
    others = sorted(where for pod, where in found if runs_server(pod, scripts))
    wanted = f"the model's server runs in the pods of Deployment {deployment} alone"
    return holds(not others, wanted, f"it runs in {', '.join(others[:5])}, too")


def runs_server(pod: Object, scripts: Mapping[str, str] | None = None) -> bool:
    """Does a container of the pod, or of a template of pods, run the model's server?

    Args:
        scripts: what the namespace's ConfigMaps hold, by their names; a command may run what the pod mounts of them.
    """
    if over(pod):
        return False
    mounted = " ".join((scripts or {}).get(each, "") for each in config_maps(pod["spec"]))
    return any(_is_server(each, _COMMENT.sub("", mounted)) for each in every_container(pod["spec"]))


async def ended(lab: Lab, deployment: str = "model", *, within: int) -> Observation:
    """Whether a Deployment's pods that were told to go have ended so many seconds later."""
    seen = await old_pods_gone(lab, deployment, within=within)
    return replace(seen, expected=f"pods that are told to go have ended within {within} s")


def _is_server(container: Object, mounted: str) -> bool:
    """Is it one of the images, with the command that the image has, or one that starts the server as well?

    Args:
        mounted: the text of what its pod mounts.
    """
    if not _has_own_command(container):
        return _is_of_the_images(container)
    settings = [each.get("value") or "" for each in container.get("env") or []]
    words = " ".join(map(str, [*container["command"], *(container.get("args") or []), *settings]))
    return any(map(_STARTS.search, (words, mounted)))


def _has_own_command(container: Object) -> bool:
    """Is it one of the images, with another command than the image has?"""
    return bool(container.get("command")) and _is_of_the_images(container)


def _is_of_the_images(container: Object) -> bool:
    return str(container["image"]).partition("@")[0].rpartition("/")[2].partition(":")[0] in _IMAGES
