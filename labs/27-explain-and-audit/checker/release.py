"""Copies of the learner's pod with empty volumes: of the same files, and of such as one ends in a comment more."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import AsyncIterator
from random import Random

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.copies import Copy, of_pod
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.standing import standing
from mlops_lab.kit.volumes import config_maps
from mlops_lab.kube.client import Object

from .scenario import pod_of
from .service import Credit

GIVEN = "bank.py"  # which decides, and is seldom the file that is run
SAME, OTHER = "checker-same-files", "checker-another-release"
COMMENT = "\n# another release\n"
STARTED_WITHIN = 90  # s


@contextlib.asynccontextmanager
async def released(lab: Lab, name: str) -> AsyncIterator[Credit]:
    """A copy, once it answers, while the block runs.

    Args:
        name: `SAME` or `OTHER`, in which one .py file ends in another comment.

    Raises:
        Failure: no .py file of the pod comes from a ConfigMap, or the copy does not answer.
        LabError: the copy can't be started.
    """
    pod = await pod_of(lab)
    maps = {each: await lab.objects.named("ConfigMap", each).now() for each in sorted({*config_maps(pod["spec"])})}
    changed, names = others(drawn(lab, "release"), {each: found for each, found in maps.items() if found})
    must(
        Observation(bool(names), "the program's .py files in ConfigMaps that the pod mounts", "there are none"),
        "the checker starts a copy of the pod with other files, and finds them in its ConfigMaps: kubectl get pod -o "
        "yaml",
    )
    objects = of_pod(pod, await lab.objects.service("credit"), name, change=lambda container: None)
    objects[0]["spec"]["volumes"] = volumes(objects[0]["spec"]["volumes"], names if name == OTHER else {})
    async with standing(lab, [*(changed if name == OTHER else []), *objects], grace=1):
        last, answered = "it never answered", False
        async for answer in Copy(lab, name).answers("/trail/head", within=STARTED_WITHIN):
            last, answered = answer.shown, answer.status == 200
            if answered:
                break
        wanted = f"a copy of the pod with empty volumes answers GET /trail/head in {STARTED_WITHIN} s"
        must(
            Observation(answered, wanted, last),
            "it must start where there is nothing yet, and with another comment in one of its files",
        )
        yield Credit(lab, name)


def others(draw: Random, maps: dict[str, Object]) -> tuple[list[Object], dict[str, str]]:
    """A copy of the ConfigMap with one of the .py files, which has a comment more; and its name, by the old one.

    That is `GIVEN` if there is one.
    """
    files = [(name, key) for name, found in maps.items() for key in found.get("data") or {} if key.endswith(".py")]
    if not files:
        return [], {}
    name, key = draw.choice([each for each in files if each[1] == GIVEN] or files)
    data = maps[name]["data"] | {key: maps[name]["data"][key] + COMMENT}
    made: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": OTHER}, "data": data}
    if maps[name].get("binaryData"):
        made["binaryData"] = maps[name]["binaryData"]
    return [made], {name: OTHER}


def volumes(known: list[Object], names: dict[str, str]) -> list[Object]:
    """Volumes with other ConfigMaps, and with nothing in place of what was kept."""
    made = copy.deepcopy(known)
    for volume in made:
        if volume.pop("persistentVolumeClaim", None) is not None:
            volume["emptyDir"] = {}
        for source in (volume, *((volume.get("projected") or {}).get("sources") or [])):
            mounted = source.get("configMap") or {}
            if mounted.get("name") in names:
                mounted["name"] = names[mounted["name"]]
    return made
