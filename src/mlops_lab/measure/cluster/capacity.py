"""Pods that can't be scheduled only because pods of other namespaces use the nodes' capacity.

A pod that does not fit because of the lab's own pods is the learner's fault; one that does not fit because of other
namespaces is the environment's. Pods of the cluster itself and of the platform count as given: labs are made to fit
with them.

What a pod requests is computed as the scheduler does:
https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers,
https://kubernetes.io/docs/concepts/workloads/pods/pod-level-resources/,
https://kubernetes.io/docs/concepts/scheduling-eviction/pod-overhead/. Of what else keeps a pod from a node its
`nodeSelector` is asked, and no affinity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from fractions import Fraction

from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.quantity import quantity

_ENDED = ("Succeeded", "Failed")
_RESOURCES = ("cpu", "memory")


def pending_because_of_others(kube: Kube, own: Sequence[str], given: Collection[str]) -> list[str]:
    """Which pods are Pending because of other namespaces' pods, in words; empty if none is.

    Args:
        own: the namespaces whose pods are examined.
        given: namespaces that are part of the cluster, besides those that begin with `kube-`.
    """
    waiting = [pod for namespace in own for pod in kube.list("Pod", namespace) if _unschedulable(pod)]
    if not waiting:
        return []
    placed = [pod for pod in kube.list("Pod") if pod["spec"].get("nodeName") and _phase(pod) not in _ENDED]
    nodes = [node for node in kube.list("Node") if _open(node)]
    return [said for pod in waiting if (said := _said(pod, placed, nodes, {*own, *given}))]


def _said(pod: Object, placed: Sequence[Object], nodes: Sequence[Object], known: Collection[str]) -> str:
    others: Counter[str] = Counter()
    requested, would_fit = requests(pod), False
    wanted = (pod["spec"].get("nodeSelector") or {}).items()
    for node in nodes:
        if not wanted <= (node["metadata"].get("labels") or {}).items():
            continue
        here = [each for each in placed if each["spec"]["nodeName"] == node["metadata"]["name"]]
        mine = [each for each in here if belongs(each["metadata"]["namespace"], known)]
        others.update(each["metadata"]["namespace"] for each in here if each not in mine)
        would_fit = would_fit or _fits(requested, node, mine)
    if not others or not would_fit:
        return ""
    where = ", ".join(name for name, _ in others.most_common(3))
    return (
        f"no node has room for pod {pod['metadata']['name']} beside the pods of {where}; make room: lab reset the labs "
        "that you are done with"
    )


def requests(pod: Object) -> dict[str, Fraction]:
    """What a pod requests: `cpu` in cores, `memory` in bytes."""
    spec = pod["spec"]
    starting = spec.get("initContainers") or []
    sidecars = [each for each in starting if each.get("restartPolicy") == "Always"]
    found, overhead = {}, spec.get("overhead") or {}
    for name in _RESOURCES:
        running = sum((_request(each, name) for each in [*spec["containers"], *sidecars]), Fraction())
        before, most = Fraction(), Fraction()
        for each in starting:
            most = max(most, before + _request(each, name))
            before += _request(each, name) if each in sidecars else 0
        # What the pod itself requests holds for all its containers, whatever they request.
        whole = max(running, most) if _requested(spec, name) is None else _request(spec, name)
        found[name] = whole + Fraction(quantity(overhead.get(name, "0")))
    return found


def _request(item: Object, name: str) -> Fraction:
    """Of a container, or of a pod's specification as a whole; 0 if it requests nothing."""
    return Fraction(quantity(_requested(item, name) or "0"))


def _requested(item: Object, name: str) -> str | None:
    asked: str | None = ((item.get("resources") or {}).get("requests") or {}).get(name)
    return asked


def _fits(requested: dict[str, Fraction], node: Object, pods: Sequence[Object]) -> bool:
    taken = [requests(pod) for pod in pods]
    return all(
        requested[name] + sum((each[name] for each in taken), Fraction())
        <= Fraction(quantity(node["status"]["allocatable"][name]))
        for name in _RESOURCES
    )


def _open(node: Object) -> bool:
    """Can any pod be scheduled there? Not on a control plane with workers, or a drained node."""
    taints = node["spec"].get("taints") or []
    return not any(taint["effect"] in ("NoSchedule", "NoExecute") for taint in taints)


def belongs(namespace: str, known: Collection[str]) -> bool:
    """Whether a namespace is one of those, or the cluster's own."""
    return namespace in known or namespace.startswith("kube-")


def _unschedulable(pod: Object) -> bool:
    """Is it for lack of CPU or memory?"""
    return any(
        each["type"] == "PodScheduled"
        and each.get("reason") == "Unschedulable"
        and any(f"Insufficient {name}" in each.get("message", "") for name in _RESOURCES)
        for each in pod.get("status", {}).get("conditions") or []
    )


def _phase(pod: Object) -> str:
    return str(pod.get("status", {}).get("phase", ""))
