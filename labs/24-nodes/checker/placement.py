"""What the scheduler goes by, read from a pod: tolerations, and where it has to be beside its nodes' labels.

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from mlops_lab.kube.client import Object

MARK = "node-role.kubernetes.io/control-plane"
NAME = "kubernetes.io/hostname"  # each node has that label


def role_tolerated() -> Object:
    """The toleration of the control plane's taint."""
    return {"key": MARK, "operator": "Exists", "effect": "NoSchedule"}


def taint_tolerated() -> Object:
    """The same as the cluster's own pods write it: of the taint without a value, and of no other."""
    return {"key": MARK, "effect": "NoSchedule"}


def tolerates(pod: Object, wanted: Object) -> bool:
    """Does a pod tolerate what this toleration of a key and an effect does?"""
    for each in pod["spec"].get("tolerations") or []:
        if each.get("effect") not in (None, "", wanted["effect"]):
            continue
        exists = each.get("operator") == "Exists"
        if each.get("key") == wanted["key"] or (exists and not each.get("key")):
            return True
    return False


def unwanted(spec: Object, labels: Mapping[str, str], node: str) -> Iterator[tuple[dict[str, str], str]]:
    """Nodes that have what a pod's required node affinity wants a node not to have: a label each, or the name.

    Args:
        spec: of the pod.
        labels, node: of a node that is changed accordingly; but for its name, labels that it has are left.
    """
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or []:
        for each in term.get("matchExpressions") or []:
            key = each["key"]
            if each["operator"] in ("NotIn", "DoesNotExist") and (key == NAME or key not in labels):
                yield {**labels, key: (each.get("values") or [""])[0]}, node
        for each in term.get("matchFields") or []:
            if each["operator"] == "NotIn":
                yield dict(labels), each["values"][0]


def by_node(pods: Iterable[Object]) -> str:
    """How many pods are on which node, in words."""
    places = Counter(str(pod["spec"].get("nodeName") or "no node") for pod in pods)
    return ", ".join(f"{number} on {node}" for node, number in sorted(places.items())) or "nowhere"


def by_way_of(spec: Object, shared: Mapping[str, str]) -> list[str]:
    """What else than node affinity keeps a pod from nodes: labels by which its pods are spread, or go where others are.

    A node without a label that a required spread goes by gets no pod; whoever is to be where another pod is goes by a
    label, too, and is nowhere else.

    Args:
        spec: of the pod.
        shared: the labels that all nodes have that are meant, with the same values, and so nobody is kept away by.
    """
    spreads = spec.get("topologySpreadConstraints") or []
    beside = (spec.get("affinity") or {}).get("podAffinity") or {}
    places = beside.get("requiredDuringSchedulingIgnoredDuringExecution") or []
    keys = [each["topologyKey"] for each in spreads if each["whenUnsatisfiable"] == "DoNotSchedule"]
    keys = [key for key in keys if key != NAME] + [each["topologyKey"] for each in places]
    return [key for key in dict.fromkeys(keys) if key not in shared]
