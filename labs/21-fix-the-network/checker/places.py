"""The four of the chain: where they listen, and where a pod of each is just now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlops_lab.checks import Lab, absent, expect
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.pods import leaving, name, ready
from mlops_lab.kube.client import Object

PORTS = {"gateway": 8080, "model": 8080, "features": 8080, "store": 7000}  # the pods' own; Services have port 80
METRICS = 9100
OF_SERVICES = 80  # on which no pod of the four listens
_HASH = "pod-template-hash"  # a label that is its ReplicaSet's own


@dataclass(frozen=True)
class Place:
    """A ready pod of one of the four, by name, its address, its first container, and the labels of its template."""

    pod: str
    address: str
    container: str
    labels: Mapping[str, str] = field(default_factory=dict)


async def pods_at_work(lab: Lab, deployment: str) -> list[Object]:
    """The ready pods of a Deployment that are not being deleted, by name."""
    return sorted((each for each in ready(await owned_pods(lab, deployment)) if not leaving(each)), key=name)


def first_of(pod: Object) -> str:
    """The name of a pod's first container."""
    return str(pod["spec"]["containers"][0]["name"])


async def places(lab: Lab) -> dict[str, Place]:
    """A place for each of the four.

    Raises:
        Failure: one of them has no ready pod any more.
    """
    found = {}
    for deployment in PORTS:
        pods = await pods_at_work(lab, deployment)
        if not pods:
            expect(absent(f"a ready pod of Deployment {deployment}", "there is none any more")).because(
                "what is checked must stay until the check ends"
            )
        labels = {key: value for key, value in (pods[0]["metadata"].get("labels") or {}).items() if key != _HASH}
        found[deployment] = Place(name(pods[0]), str(pods[0]["status"]["podIP"]), first_of(pods[0]), labels)
    return found
