"""Copies of the learner's pod with empty volumes: of the same files, and of such as end in a comment more."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import AsyncIterator

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.copies import Copy, of_pod
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object

from .scenario import pod_of
from .service import Credit

SAME, OTHER = "checker-same-files", "checker-another-release"
COMMENT = "\n# another release\n"
STARTED_WITHIN = 90  # s


@contextlib.asynccontextmanager
async def released(lab: Lab, name: str) -> AsyncIterator[Credit]:
    """A copy, once it answers, while the block runs.

    Args:
        name: `SAME` or `OTHER`, which has another comment in its .py files.

    Raises:
        Failure: no .py file of the pod comes from a ConfigMap, or the copy does not answer.
        LabError: the copy can't be started.
    """
    pod = await pod_of(lab)
    maps = {each: await lab.objects.named("ConfigMap", each).now() for each in sorted(config_maps(pod))}
    changed, names = others({each: found for each, found in maps.items() if found})
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
            "it must start where there is nothing yet, and with another comment in its files",
        )
        yield Credit(lab, name)


def config_maps(pod: Object) -> set[str]:
    """The names of the ConfigMaps that a pod mounts."""
    found = set()
    for volume in pod["spec"].get("volumes") or []:
        for source in (volume, *((volume.get("projected") or {}).get("sources") or [])):
            if name := (source.get("configMap") or {}).get("name"):
                found.add(name)
    return found


def others(maps: dict[str, Object]) -> tuple[list[Object], dict[str, str]]:
    """Copies of the ConfigMaps that have .py files, each with a comment more; and their names, by the old ones."""
    made, names = [], {}
    for place, (name, found) in enumerate(maps.items()):
        data = {key: text + COMMENT * key.endswith(".py") for key, text in (found.get("data") or {}).items()}
        if any(key.endswith(".py") for key in data):
            names[name] = f"{OTHER}-{place}"
            made.append(
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": names[name]}, "data": data}
                | ({"binaryData": found["binaryData"]} if found.get("binaryData") else {})
            )
    return made, names


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
