"""CPU time that a node and its pods have used, as the kubelet's summary tells it: who used how much of a machine.

The kubelet measures every 10 to 15 s; `at` is the time of a measurement by the node's clock. The sum of all pods stands
in their common cgroup, so that it has the pods that are gone, too.

https://kubernetes.io/docs/reference/instrumentation/node-metrics/#summary-api-source: `systemContainers` has the cgroup
`pods`, `usageCoreNanoSeconds` counts since the start (staging/src/k8s.io/kubelet/pkg/apis/stats/v1alpha1/types.go).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.quantity import quantity
from mlops_lab.measure.cluster.capacity import belongs
from mlops_lab.measure.cluster.environment import GIVEN


class Used(NamedTuple):
    """CPU seconds that one node has used until then.

    Attributes:
        at: the kubelet's time of the measurement of all pods, in seconds since 1970.
        node: all of the node, pods and all else.
        pods: all pods that it has or had.
        strange: pods that it has, or is known to have had, and that belong neither to the lab nor to the cluster, by
            uid.
        hosts: whether it has pods of the lab.
    """

    at: float
    node: float
    pods: float
    strange: Mapping[str, float] = {}
    hosts: bool = False


class Spent(NamedTuple):
    """CPU seconds that nodes used between two measurements.

    Attributes:
        seconds: between the measurements.
        node: all that was used.
        ours: by pods of the lab and of the cluster.
        theirs: by other labs' pods.
    """

    seconds: float
    node: float
    ours: float
    theirs: float


def machines(kube: Kube) -> dict[str, tuple[int, list[str]]]:
    """The machines that nodes run on, by boot id, each with its cores and the nodes there: kind's share one kernel.

    https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/node-v1/#NodeStatus: nodeInfo.bootID
    """
    found: dict[str, tuple[int, list[str]]] = {}
    for node in kube.list("Node"):
        cores, names = found.get(boot := node["status"]["nodeInfo"]["bootID"], (0, []))
        found[boot] = max(cores, int(quantity(node["status"]["capacity"]["cpu"]))), [*names, node["metadata"]["name"]]
    return found


def used(kube: Kube, node: str, lab: str) -> Used | None:
    """The kubelet's newest measurement; None before its first.

    Args:
        lab: the lab's namespace.

    Raises:
        LabError: the API server does not answer, or does not give access to the kubelet's summary.
    """
    path = f"/api/v1/nodes/{node}/proxy/stats/summary?only_cpu_and_memory=true"
    said = kube.raw(path, f"the CPU time that node {node} has used")
    # Without that cgroup all of the node counts for its pods.
    pods = next((each for each in said["node"].get("systemContainers") or [] if each["name"] == "pods"), said["node"])
    at = (pods.get("cpu") or {}).get("time")
    if at is None:
        return None
    there = [(pod["podRef"], _of_pod(pod)) for pod in said.get("pods") or []]
    strange = {pod["uid"]: seconds for pod, seconds in there if not belongs(pod["namespace"], {lab, *GIVEN})}
    hosts = any(pod["namespace"] == lab for pod, _ in there)
    return Used(datetime.fromisoformat(at).timestamp(), _seconds(said["node"]), _seconds(pods), strange, hosts)


def spent(measured: Sequence[tuple[Used, Used]]) -> Spent:
    """What nodes of one machine spent together between two measurements of each."""
    whole = ours = theirs = seconds = 0.0
    for first, last in measured:
        strange = sum(now - first.strange.get(uid, 0.0) for uid, now in last.strange.items())
        theirs += strange
        ours += max(last.pods - first.pods - strange, 0.0)
        whole += max(last.node - first.node, 0.0)
        seconds = max(seconds, last.at - first.at)
    return Spent(seconds, whole, ours, theirs)


def _of_pod(pod: Object) -> float:
    return _seconds(pod) or sum(map(_seconds, pod.get("containers") or []))


def _seconds(item: Mapping[str, Any]) -> float:
    return float((item.get("cpu") or {}).get("usageCoreNanoSeconds") or 0) / 1e9
