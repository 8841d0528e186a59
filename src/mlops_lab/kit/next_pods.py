"""What a Deployment's next pod has: what was changed in a pod that runs is that pod's alone."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kube.client import Object

_FILLED_IN = {"limits": "default", "requests": "defaultRequest"}  # by a LimitRange, and its field


async def next_pod(lab: Lab, deployment: str) -> Object:
    """The pod that a Deployment's template makes now, with the sizes that the API server fills in.

    What a container requests is its limit where it says that alone, else what a LimitRange says.

    Raises:
        Failure: there is no such Deployment.
    """
    pod: Object = copy.deepcopy((await lab.objects.deployment(deployment).present())["spec"]["template"])
    ranges = [item for each in await lab.objects.all("LimitRange") for item in each["spec"].get("limits") or []]
    for each in [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]:
        said: Object = each.get("resources") or {}
        limits = said.get("limits") or {}
        sizes = {"limits": dict(limits), "requests": {**limits, **(said.get("requests") or {})}}
        for item in (item for item in ranges if item.get("type") == "Container"):
            sizes = {kind: {**(item.get(_FILLED_IN[kind]) or {}), **own} for kind, own in sizes.items()}
        each["resources"] = {**said, **sizes}
    pod["metadata"] = {**(pod.get("metadata") or {}), "name": f"of {deployment}, the next one"}
    return pod


def scraped_as_before(deployment: Object, pods: Iterable[Object]) -> Observation:
    """Does a Deployment's template have the annotations by which Prometheus scrapes its pods?"""
    given = _scraped_by(deployment["spec"]["template"])
    beside = sorted({f"{key}={value}" for pod in pods for key, value in _scraped_by(pod).items() - given.items()})
    expected = f"the template of Deployment {name_of(deployment)} has the annotations by which its pods are scraped"
    return holds(not beside, expected, f"{', '.join(beside)} is not in it")


def _scraped_by(item: Object) -> dict[str, str]:
    """The annotations for Prometheus, which takes all but letters, digits and _ in their names for _."""
    annotations = (item.get("metadata") or {}).get("annotations") or {}
    found = {re.sub(r"\W", "_", key, flags=re.ASCII): value for key, value in annotations.items()}
    return {key: value for key, value in found.items() if key.startswith("prometheus_io_")}
