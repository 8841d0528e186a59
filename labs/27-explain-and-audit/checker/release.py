"""Copies of the learner's pod with empty volumes: of the same files, and of such as one ends in a comment more."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import AsyncIterator
from random import Random
from typing import NamedTuple

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
RELEASES = 6  # at most, each with a comment more in another file
SAME = "checker-same-files"
COMMENT = "\n# another release\n"
STARTED_WITHIN = 90  # s


class File(NamedTuple):
    """One of the program's files.

    Attributes:
        place: the ConfigMap that has it.
        name: under which it is there.
    """

    place: str
    name: str


async def program(lab: Lab) -> list[File]:
    """The .py files that get a release each.

    Raises:
        Failure: no .py file of the pod comes from a ConfigMap.
    """
    found = files(drawn(lab, "release"), await mounted(lab, await pod_of(lab)))
    must(
        Observation(bool(found), "the program's .py files in ConfigMaps that the pod mounts", "there are none"),
        "the checker starts a copy of the pod with other files, and finds them in its ConfigMaps: kubectl get pod -o "
        "yaml",
    )
    return found


@contextlib.asynccontextmanager
async def released(lab: Lab, name: str, changed: File | None = None) -> AsyncIterator[Credit]:
    """A copy, once it answers, while the block runs.

    Args:
        name: of the copy.
        changed: the file that ends in one more comment; none does without it.

    Raises:
        Failure: the copy does not answer.
        LabError: the copy can't be started.
    """
    pod = await pod_of(lab)
    objects = of_pod(pod, await lab.objects.service("credit"), name, change=lambda container: None)
    other = [longer((await mounted(lab, pod))[changed.place], changed.name, name)] if changed else []
    objects[0]["spec"]["volumes"] = volumes(objects[0]["spec"]["volumes"], {changed.place: name} if changed else {})
    async with standing(lab, [*other, *objects], grace=1):
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


async def mounted(lab: Lab, pod: Object) -> dict[str, Object]:
    """A pod's ConfigMaps by their names, as `shown`."""
    maps = {each: await lab.objects.named("ConfigMap", each).now() for each in sorted({*config_maps(pod["spec"])})}
    return {each: shown(pod["spec"], found) for each, found in maps.items() if found}


def shown(spec: Object, found: Object) -> Object:
    """A ConfigMap with those of its files alone that a pod's volumes have; some name the ones that they want."""
    data, name = found.get("data") or {}, found["metadata"]["name"]
    wanted = [each.get("items") for each in _mounted(spec.get("volumes") or []) if each.get("name") == name]
    keys = {key for items in wanted for key in ([each["key"] for each in items] if items else data)}
    return found | {"data": {key: text for key, text in data.items() if key in keys}}


def files(draw: Random, maps: dict[str, Object]) -> list[File]:
    """The .py files of ConfigMaps, `RELEASES` of them: `GIVEN` first if it is there, then others in a drawn order."""
    found = [File(place, name) for place, each in maps.items() for name in each.get("data") or {} if name[-3:] == ".py"]
    draw.shuffle(found)
    return sorted(found, key=lambda each: each.name != GIVEN)[:RELEASES]


def longer(found: Object, name: str, called: str) -> Object:
    """A copy of a ConfigMap in which one of the files has a comment more."""
    data = found["data"] | {name: found["data"][name] + COMMENT}
    made: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": called}, "data": data}
    if found.get("binaryData"):
        made["binaryData"] = found["binaryData"]
    return made


def volumes(known: list[Object], names: dict[str, str]) -> list[Object]:
    """Volumes with other ConfigMaps, and with nothing in place of what was kept."""
    made = copy.deepcopy(known)
    for volume in made:
        if volume.pop("persistentVolumeClaim", None) is not None:
            volume["emptyDir"] = {}
    for mounted in _mounted(made):
        mounted["name"] = names.get(mounted["name"], mounted["name"])
    return made


def _mounted(known: list[Object]) -> list[Object]:
    """What volumes say of the ConfigMaps that they have, also of such as are projected."""
    sources = [*known, *(each for volume in known for each in (volume.get("projected") or {}).get("sources") or [])]
    return [each["configMap"] for each in sources if each.get("configMap")]
