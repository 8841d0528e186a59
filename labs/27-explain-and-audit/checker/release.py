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
SAME, OTHER, THIRD = "checker-same-files", "checker-another-release", "checker-a-third-release"
FOURTH = "checker-a-fourth-release"
RELEASES = {
    OTHER: f"one .py file ({GIVEN} if there is one)", THIRD: f"one .py file, and not {GIVEN},",
    FOURTH: f"one .py file, and neither {GIVEN} nor the one before,",
}  # fmt: skip
COMMENT = "\n# another release\n"
STARTED_WITHIN = 90  # s


@contextlib.asynccontextmanager
async def released(lab: Lab, name: str) -> AsyncIterator[Credit]:
    """A copy, once it answers, while the block runs.

    Args:
        name: `SAME`, or one of `RELEASES`, in which one .py file ends in one more comment.

    Raises:
        Failure: no .py file of the pod comes from a ConfigMap, or the copy does not answer.
        LabError: the copy can't be started.
    """
    pod = await pod_of(lab)
    maps = {each: await lab.objects.named("ConfigMap", each).now() for each in sorted({*config_maps(pod["spec"])})}
    found = {each: shown(pod["spec"], there) for each, there in maps.items() if there}
    changed, names = others(drawn(lab, "release"), found, name if name in RELEASES else OTHER)
    must(
        Observation(bool(names), "the program's .py files in ConfigMaps that the pod mounts", "there are none"),
        "the checker starts a copy of the pod with other files, and finds them in its ConfigMaps: kubectl get pod -o "
        "yaml",
    )
    objects = of_pod(pod, await lab.objects.service("credit"), name, change=lambda container: None)
    objects[0]["spec"]["volumes"] = volumes(objects[0]["spec"]["volumes"], names if name in RELEASES else {})
    async with standing(lab, [*(changed if name in RELEASES else []), *objects], grace=1):
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


def shown(spec: Object, found: Object) -> Object:
    """A ConfigMap with those of its files alone that a pod's volumes have; some name the ones that they want."""
    data, name = found.get("data") or {}, found["metadata"]["name"]
    wanted = [each.get("items") for each in _mounted(spec.get("volumes") or []) if each.get("name") == name]
    keys = {key for items in wanted for key in ([each["key"] for each in items] if items else data)}
    return found | {"data": {key: text for key, text in data.items() if key in keys}}


def others(draw: Random, maps: dict[str, Object], called: str = OTHER) -> tuple[list[Object], dict[str, str]]:
    """A copy of the ConfigMap with one of the .py files, which has a comment more; and its name, by the old one.

    That file is `GIVEN` if there is one. In the releases that are called `THIRD` and `FOURTH` it is another, and not
    the same in both, if there are such.
    """
    files = [(name, key) for name, found in maps.items() for key in found.get("data") or {} if key.endswith(".py")]
    if not files:
        return [], {}
    some = [each for each in files if (each[1] == GIVEN) is (called == OTHER)] or files
    name, key = draw.sample(some, min(2, len(some)))[-1 if called == FOURTH else 0]
    data = maps[name]["data"] | {key: maps[name]["data"][key] + COMMENT}
    made: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": called}, "data": data}
    if maps[name].get("binaryData"):
        made["binaryData"] = maps[name]["binaryData"]
    return [made], {name: called}


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
