"""The CPU time that containers use between two moments, by the kubelet's count: nothing in them is asked.

The kubelet measures each container every 10 to 15 s, exactly, and says when it did. So whoever wants to know what some
work cost waits, while nothing is asked of the containers, for a measurement after its end. Each container is known by
its id: one that was started anew is another one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube, Object
from mlops_lab.measure.pods.containers import Total, totals

_HINT = "see what is wrong with the cluster: lab status"


class Count(NamedTuple):
    """Containers by their cgroups, as the kubelet measured them last; which of them run; and what runs unmeasured."""

    containers: dict[str, Total]
    running: frozenset[str]
    missing: tuple[str, ...]

    def after(self, other: Count) -> bool:
        """Has each container that runs been measured since the other count?"""
        known = self.running & other.containers.keys()
        return not self.missing and all(self.containers[each].at > other.containers[each].at for each in known)


class Spent(NamedTuple):
    """CPU seconds that were used, and which containers ended meanwhile: theirs may be more."""

    seconds: float
    ended: tuple[str, ...]


class CpuMeter:
    """The CPU time of a namespace's containers, sidecars and new pods too.

    Args:
        pods: only these, by name; none are all that there are, whenever they begin.
    """

    def __init__(self, kube: Kube, namespace: str, pods: Collection[str] = ()) -> None:
        self._kube, self._namespace, self._pods = kube, namespace, pods

    def look(self) -> Count:
        """What the kubelets know now.

        Raises:
            LabError: the API server does not answer, or does not give access to the kubelet's metrics.
        """
        pods = [
            pod
            for pod in self._kube.list("Pod", self._namespace)
            if not self._pods or pod["metadata"]["name"] in self._pods
        ]
        found = totals(self._kube, self._namespace, self._pods, [pod["spec"].get("nodeName", "") for pod in pods])
        there, missing = set(), []
        for pod in pods:
            for name, number in running(pod):
                places = [place for place in found if number in place]
                there.update(places)
                missing += [] if places else [f"container {name} of pod {pod['metadata']['name']}"]
        return Count(found, frozenset(there), tuple(missing))


def running(pod: Object) -> list[tuple[str, str]]:
    """The containers of a pod that run now, and their ids; sidecars and containers for debugging are some, too."""
    status = pod.get("status", {})
    kinds = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    return [
        (each["name"], str(each.get("containerID", "")).rpartition("/")[2])
        for kind in kinds
        for each in status.get(kind) or []
        if "running" in (each.get("state") or {}) and each.get("containerID")
    ]


def spent(counts: list[Count]) -> Spent:
    """What was used from the first to the last of these.

    Raises:
        LabError: a count went back, which no container's does.
    """
    first, last = counts[0].containers, counts[-1].containers
    seconds, ended = 0.0, set()
    for each in {each for count in counts for each in count.containers}:
        known = [count.containers[each] for count in counts if each in count.containers]
        began = first[each].seconds if each in first else 0.0
        if known[-1].seconds < began:
            raise LabError(f"the CPU time of {known[-1].what} went back", _HINT)
        seconds += known[-1].seconds - began
        if each not in last:
            ended.add(known[-1].what)
    return Spent(seconds, tuple(sorted(ended)))
