"""What containers use as the kubelet measures it: CPU time, working set, and throttled CFS periods.

They come from cAdvisor by the API server's node proxy, as a monitoring system reads them. The kubelet measures each
container every 10 to 15 s; a reading has the time of that measurement, by the node's clock.

https://kubernetes.io/docs/reference/instrumentation/node-metrics/
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube, Object

_CPU, _MEMORY = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"
_PERIODS, _THROTTLED = "container_cpu_cfs_periods_total", "container_cpu_cfs_throttled_periods_total"
# One sample of the text format; cAdvisor gives each its time in ms.
_SAMPLE = re.compile(r"(?P<name>\w+)\{(?P<labels>.*)\} (?P<value>\S+) (?P<at>\d+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Key = tuple[str, str]


class Waits(NamedTuple):
    """In how many CFS periods a pod as a whole had to wait, at one moment (s since 1970)."""

    at: float
    throttled: float


class Reading(NamedTuple):
    """A container as the kubelet saw it at one moment.

    Attributes:
        at: when, in seconds since 1970 by the node's clock.
        cpu: CPU seconds used since the container's start.
        memory: its working set in bytes, which is what eviction and `kubectl top` go by.
        periods, throttled: CFS periods in which it wanted to run, and those in which it had to wait for its CPU limit;
            None for a container without one.
        pod: where every container of a pod has a limit, the pod's cgroup has their sum. Who runs out of both waits for
            the one, for the other, or for both; the kubelet looks at them at times of their own.
    """

    at: float
    cpu: float
    memory: float
    periods: float | None
    throttled: float | None
    pod: Waits | None = None


class Use(NamedTuple):
    """What a container used over some time.

    Attributes:
        seconds: from the first reading to the last.
        cores: CPU, on average.
        peak, least: the largest and the smallest working set read, in bytes.
        throttled: the share of CFS periods in which it had to wait, for its own limit or its pod's, whichever is more,
            0 to 1; None without a CPU limit.
    """

    seconds: float
    cores: float
    peak: float
    least: float
    throttled: float | None


class Total(NamedTuple):
    """The CPU seconds that a container has used since it began, when that was measured, and which container it is."""

    at: float
    seconds: float
    what: str


def totals(kube: Kube, namespace: str, pods: Collection[str], nodes: Iterable[str]) -> dict[str, Total]:
    """The newest CPU time of each container of a namespace by its cgroup, whose name ends with the container's id.

    Args:
        pods: only of these, by name; empty for all.
        nodes: that they are on.

    Raises:
        LabError: the API server does not answer, or does not give access to the kubelet's metrics.
    """
    found: dict[str, Total] = {}
    for node in sorted({each for each in nodes if each}):
        for name, labels, value, at in _samples(cadvisor(kube, node)):
            pod, container, place = (labels.get(label, "") for label in ("pod", "container", "id"))
            if name != _CPU or labels.get("namespace") != namespace or not container or (pods and pod not in pods):
                continue
            if place not in found or at > found[place].at:
                found[place] = Total(at, value, f"container {container} of pod {pod}")
    return found


def cadvisor(kube: Kube, node: str) -> str:
    """What cAdvisor says of a node's containers."""
    return kube.text(f"/api/v1/nodes/{node}/proxy/metrics/cadvisor", f"what containers on node {node} use")


def readings(kube: Kube, pods: Sequence[Object]) -> dict[Key, Reading]:
    """The newest reading of each container, by pod and container; one that the kubelet has not yet seen is left out.

    Raises:
        LabError: the API server does not answer, or does not give access to the kubelet's metrics.
    """
    found: dict[Key, Reading] = {}
    for node in sorted({pod["spec"]["nodeName"] for pod in pods if pod["spec"].get("nodeName")}):
        found |= parsed(cadvisor(kube, node), [pod for pod in pods if pod["spec"].get("nodeName") == node])
    return found


def parsed(text: str, pods: Iterable[Object]) -> dict[Key, Reading]:
    """The readings of these pods' containers in cAdvisor's text.

    A container that was just started anew may be there beside the one before it: the newer one counts.
    """
    wanted = {(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in pods}
    seen: dict[tuple[str, str, str, float], dict[str, float]] = {}
    waits: dict[str, Waits] = {}
    for name, labels, value, at in _samples(text):
        if (labels.get("namespace", ""), labels.get("pod", "")) not in wanted:
            continue
        if labels.get("container"):
            key = (labels["pod"], labels["container"], labels.get("id", ""), at)
            seen.setdefault(key, {})[name] = value
        elif name == _THROTTLED and not labels.get("image"):  # the pod's own cgroup, not its sandbox
            waits[labels["pod"]] = Waits(at, value)
    found: dict[Key, Reading] = {}
    for (pod, container, _, at), values in sorted(seen.items(), key=lambda item: item[0][3]):
        if _CPU in values and _MEMORY in values:
            found[pod, container] = Reading(
                at, values[_CPU], values[_MEMORY], values.get(_PERIODS), values.get(_THROTTLED), waits.get(pod)
            )
    return found


def use(seen: Sequence[Reading]) -> Use:
    """What a container used from the first of these readings to the last.

    Raises:
        LabError: there are fewer than two, or it was started anew in between: its counters began again.
    """
    if len(seen) < 2 or seen[-1].at <= seen[0].at:
        raise LabError(
            "the kubelet gave too few measurements of a container",
            "it takes them every 10 to 15 s unless the machine is too busy; close other programs and check again",
        )
    first, last = seen[0], seen[-1]
    if any(later.cpu < earlier.cpu for earlier, later in pairwise(seen)):
        raise LabError("a container restarted while its use was measured", "check again")
    seconds = last.at - first.at
    share = None
    if last.periods is not None and last.throttled is not None:
        periods = last.periods - (first.periods or 0)
        throttled = max(last.throttled - (first.throttled or 0), _of_pod(seen) * seconds)
        share = min(throttled / periods, 1.0) if periods > 0 else 0.0
    memory = [each.memory for each in seen]
    return Use(seconds, (last.cpu - first.cpu) / seconds, max(memory), min(memory), share)


def _of_pod(seen: Sequence[Reading]) -> float:
    """In how many CFS periods for each second the pod as a whole had to wait, since the first reading; 0 if unknown."""
    waits = [each.pod for each in seen if each.pod and each.pod.at >= seen[0].at]
    if not waits or waits[-1].at <= waits[0].at:
        return 0.0
    return max(waits[-1].throttled - waits[0].throttled, 0.0) / (waits[-1].at - waits[0].at)


def restarts(pod: Object) -> int:
    """How often a pod's containers were restarted."""
    return sum(each.get("restartCount", 0) for each in _statuses(pod))


def last_end(pod: Object) -> Mapping[str, Any]:
    """How the container of a pod that was started anew, or has ended, ended last: `reason`, `exitCode`; else empty."""
    for each in _statuses(pod):
        for state in (each.get("lastState"), each.get("state")):
            if ended := (state or {}).get("terminated"):
                return dict(ended)
    return {}


def killed_for_memory(pod: Object) -> bool:
    """Was its container last ended by the kernel, for want of memory?

    The runtime may miss the reason where several processes end at once; SIGKILL (137) is what remains of it.
    """
    ended = last_end(pod)
    return ended.get("reason") == "OOMKilled" or ended.get("exitCode") == 137


def _statuses(pod: Object) -> list[Object]:
    return list(pod.get("status", {}).get("containerStatuses") or [])


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float, float]]:
    names = (f"{_CPU}{{", f"{_MEMORY}{{", f"{_PERIODS}{{", f"{_THROTTLED}{{")
    for line in text.splitlines():
        if line.startswith(names) and (sample := _SAMPLE.fullmatch(line)):
            labels = dict(_LABEL.findall(sample["labels"]))
            yield sample["name"], labels, float(sample["value"]), int(sample["at"]) / 1000
