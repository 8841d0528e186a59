"""What a Deployment's next pod has: what was changed in a pod that runs is that pod's alone."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kube.client import Object

# Why sizes are looked at in `next_pod`, too; a lab says behind it what comes of that.
RESIZED_BY_HAND = (
    "what is changed in a pod (--subresource resize) is that pod's alone: the next one has what its Deployment's "
    "template says"
)
# Why `scraped_as_before` wants it of the template; a lab says behind it what comes of that.
WRITTEN_BY_HAND = (
    "what is written on a pod that runs (kubectl annotate pod) is gone with it: its successor has what "
    "spec.template.metadata.annotations of the Deployment says"
)
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
    """Would Prometheus scrape a Deployment's next pods where it scrapes these, by the annotations of its template?"""
    given = _scraped(deployment["spec"]["template"])
    own = set().union(*map(_scraped, pods))
    return Observation(
        own <= given,
        f"the template of Deployment {name_of(deployment)} has the annotations by which its pods are scraped",
        f"by them {_listed(given)} is scraped, of its running pods {_listed(own)}",
    )


def asks_to_be_scraped(item: Object) -> bool:
    """Has a pod, or a template, the annotation by which Prometheus scrapes it?"""
    return _annotations(item).get("prometheus_io_scrape") == "true"


def _scraped(item: Object) -> set[str]:
    """What is scraped of a pod, or of each pod that a template makes, such as `http port 8080, /metrics`."""
    if not asks_to_be_scraped(item):
        return set()
    said = _annotations(item)
    declared = {str(port["containerPort"]) for each in item["spec"]["containers"] for port in each.get("ports") or []}
    ports = {said["prometheus_io_port"]} if said.get("prometheus_io_port") else declared
    scheme, path = said.get("prometheus_io_scheme") or "http", said.get("prometheus_io_path") or "/metrics"
    return {f"{scheme} port {port}, {path}" for port in ports}


def _annotations(item: Object) -> dict[str, str]:
    """As Prometheus knows them: by names in which all but letters, digits and _ is _."""
    annotations = (item.get("metadata") or {}).get("annotations") or {}
    return {re.sub(r"\W", "_", key, flags=re.ASCII): value for key, value in annotations.items()}


def _listed(scraped: set[str]) -> str:
    return "; ".join(sorted(scraped)) or "nothing"
