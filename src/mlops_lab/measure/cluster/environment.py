"""Is the cluster healthy? A failure on an unhealthy cluster never counts against the learner."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.errors import Unreachable
from mlops_lab.kube.objects import is_ready, is_true
from mlops_lab.measure.cluster.capacity import pending_because_of_others
from mlops_lab.measure.cluster.nodes import abandoned, uncordon
from mlops_lab.platform.releases import RELEASES

SYSTEM_NAMESPACE = "mlops-lab-system"
# What is part of the cluster: kind's storage, this project's own pods, the platform.
GIVEN = frozenset({"local-path-storage", SYSTEM_NAMESPACE, *(release.namespace for release in RELEASES)})


def problems(kube: Kube, parts: Sequence[str] = (), lab: str = "") -> list[str]:
    """What is wrong with the cluster, in words; empty when nothing is.

    Checks the API server, the nodes' conditions and capacity, DNS, the metrics API and the project's own pods.
    Uncordons a node that a killed checker has left cordoned.

    Args:
        parts: the namespaces of the platform's parts that must be healthy, too.
        lab: the lab's namespace; its pods, and those that parts run for it, must find the capacity that labs count on.
    """
    try:
        nodes = kube.list("Node")
        for name in abandoned(kube, nodes):
            uncordon(kube, name, within=0)
        found = [_node(node) for node in nodes]
        found += [_api_service(item) for item in _metrics_api(kube)]
        for namespace, selector in (("kube-system", "k8s-app=kube-dns"), (SYSTEM_NAMESPACE, "")):
            found += [_workload(item) for item in kube.list("Deployment", namespace, selector)]
        for namespace in parts:
            workloads = [item for kind in ("Deployment", "StatefulSet") for item in kube.list(kind, namespace)]
            found += [_workload(item) for item in workloads] or [
                f"{namespace} is not installed; see what is wrong: lab status"
            ]
        own = [name for name in (lab, *parts) if name]
        found += pending_because_of_others(kube, own, GIVEN)
    except Unreachable as down:
        return [f"{down.message}; {down.hint}"]
    return [problem for problem in found if problem]


def _metrics_api(kube: Kube) -> list[Object]:
    service = kube.find("APIService", "v1beta1.metrics.k8s.io", api_version="apiregistration.k8s.io/v1")
    return [service] if service else []


def _node(node: Object) -> str:
    name = node["metadata"]["name"]
    if not is_ready(node):
        return f"node {name} is not Ready"
    pressed = [kind for kind in ("MemoryPressure", "DiskPressure", "PIDPressure") if is_true(node, kind)]
    return f"node {name} has {', '.join(pressed)}" if pressed else ""


def _api_service(item: Object) -> str:
    return "" if is_true(item, "Available") else f"API {item['metadata']['name']} is not available"


def _workload(item: Object) -> str:
    wanted = item["spec"].get("replicas", 1)
    available = item.get("status", {}).get("availableReplicas") or 0
    name = f"{item['metadata']['namespace']}/{item['metadata']['name']}"
    return f"{item['kind']} {name} has {available} of {wanted} pods available" if available < min(1, wanted) else ""
