"""The state of the cluster: nodes, add-ons, registry, versions."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_lab.base.errors import LabError
from mlops_lab.cluster import addons, holder, kind, names, record, registry
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.engine.docker import Docker, answering
from mlops_lab.kube.objects import is_ready


@dataclass(frozen=True)
class Part:
    """One part of the cluster: what it is, whether it is healthy, and details in words."""

    what: str
    healthy: bool
    seen: str


def status() -> list[Part]:
    """The parts of the cluster in use.

    Raises:
        LabError: no cluster was brought up.
    """
    cluster = record.current()
    parts = [Part("context", True, f"{cluster.context} ({'kind' if cluster.is_kind else 'yours'})")]
    if cluster.is_kind:
        docker = answering()
        if docker is None:
            return [*parts, Part("engine", False, "no Docker engine answers")]
        parts.append(Part("engine", True, f"Docker {docker.version}"))
        found = kind.nodes(docker)
        stopped = [node.name for node in found if not node.running]
        seen = f"stopped: {', '.join(stopped)}" if stopped else f"{len(found)} running"
        parts.append(Part("containers", bool(found) and not stopped, seen))
        parts.append(Part("registry", registry.answers(), names.REGISTRY_PREFIX))
        parts += _second(docker)
    kubectl = Kubectl(cluster.context, cluster.kubeconfig)
    if not kubectl.answers():
        return [*parts, Part("API server", False, "does not answer")]
    for node in kubectl.get("nodes"):
        info = node["status"]["nodeInfo"]
        runtime = f"{info['containerRuntimeVersion'].partition('+')[0]}, {info['architecture']}"
        parts.append(Part(f"node {addons.name(node)}", is_ready(node), f"{info['kubeletVersion']}, {runtime}"))
    try:
        missing = addons.lacking(kubectl, len(names.NODES[cluster.nodes]) if cluster.is_kind else 0)
    except LabError as error:
        missing = [error.message]
    parts.append(Part("add-ons", not missing, ", ".join(missing) or "metrics API, DNS, load pod"))
    return parts


def _second(docker: Docker) -> list[Part]:
    """The second cluster, if there is one. It is there to be broken, so nothing about it is unhealthy."""
    found = [each for each in kind.nodes(docker, names.second()) if each.ours]
    if not found:
        return []
    stopped = [each.name for each in found if not each.running]
    running = f"stopped: {', '.join(stopped)}" if stopped else f"{len(found)} running"
    has = holder.noted()
    return [Part("second cluster", True, f"{running}, for {has.name}; {has.ends}")]
