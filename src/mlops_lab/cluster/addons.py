"""What the cluster has before any lab: metrics-server, the tool's own namespace with the load generator, and a request
of kube-proxy's.

They are applied only if something has changed, is missing or was scaled to none: an annotation of the namespace has a
fingerprint of the manifests.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.versions import pin
from mlops_lab.base.waiting import wait_until
from mlops_lab.cluster import names, own
from mlops_lab.cluster.kubectl import Kubectl, manifest
from mlops_lab.kube.objects import is_ready, is_true

_METRICS = "v1beta1.metrics.k8s.io"
_NO_IMAGE = ("ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError")
_CRASHES = 3
# The controllers that write the objects' statuses; after a restart they begin when the old lease has expired (15 s).
_LEADERS = frozenset({"kube-controller-manager", "kube-scheduler"})
# Where the cluster has Deployments of its own: whoever scales one of those to none wants it so. This one is ours.
_CLUSTERS, _METRICS_SERVER = ("kube-system", "local-path-storage"), "metrics-server"
_KUBE_PROXY = ("--namespace", "kube-system", "set", "resources", "daemonset/kube-proxy", "--requests=cpu=50m")
_UNKNOWN = "no matches for kind"  # what kubectl says of an object whose definition is not there
_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
Started = Mapping[str, float]


def install(kubectl: Kubectl, registry: str, content: str, metrics: bool) -> bool:
    """Apply all of it if something is missing or has changed; returns whether it was.

    Args:
        registry: the prefix of the images that are ours.
        content: changes when the load image's content does, so that its pod is replaced.
        metrics: install metrics-server (a kind cluster) or leave the metrics API alone (a cluster of the user's, where
            what is made is recorded).

    Raises:
        LabError: the cluster does not answer, or refuses.
    """
    values = {"registry": registry, "content": content}
    texts = [manifest("system.yaml", fingerprint="$fingerprint", **values)]
    if metrics:
        texts.append(manifest("metrics-server.yaml", metrics_server=str(pin("images.metrics-server.name"))))
    words = _KUBE_PROXY if metrics else ()
    fingerprint = hashlib.sha256("\0".join((*texts, *words)).encode()).hexdigest()[:16]
    if stands(kubectl, "\n---\n".join(texts), names.NAMESPACE, fingerprint):
        return False
    if not metrics:
        for item in yaml.safe_load_all(texts[0]):
            if item["kind"] in own.KINDS:
                meta = {key: value for key, value in item["metadata"].items() if key != "annotations"}
                own.create(kubectl.context, {**item, "metadata": meta}, kubectl.create)
    kubectl.apply("\n---\n".join(texts).replace("$fingerprint", fingerprint))
    if metrics:
        ask_cpu_for_kube_proxy(kubectl)
    return True


def ask_cpu_for_kube_proxy(kubectl: Kubectl) -> None:
    """Give kube-proxy a request of CPU, which kubeadm does not; if that can't be done, the cluster works without.

    Without one it comes last wherever pods want all of the CPU: with 25 threads that wanted one on two cores it took up
    to 8 s to write its rules, and one time in fourteen more than a second; with one of 100m less than 2 s, and one time
    in 600. Meanwhile pods that are not ready get requests.
    """
    kubectl.run(*_KUBE_PROXY, check=False)


def stands(kubectl: Kubectl, text: str, namespace: str, fingerprint: str) -> bool:
    """Is all of a manifest in the cluster as it was applied last, with pods where it wants some? One call.

    Args:
        namespace: the one of the manifest's that has the fingerprint.

    Raises:
        LabError: the cluster does not answer.
    """
    done = kubectl.run("get", "-f", "-", "--ignore-not-found", "-o", "json", stdin=text, check=False)
    if done.code != 0 and _UNKNOWN not in done.stderr:
        raise LabError("the API server does not say what is there", "see: lab status", done.stderr.strip())
    if done.code != 0 or not done.stdout.strip():
        return False
    answer = json.loads(done.stdout)
    there = {_key(item): item for item in answer.get("items", [answer])}
    noted = there.get(("Namespace", "", namespace), {}).get("metadata", {}).get("annotations") or {}
    if noted.get("mlops-lab/manifests") != fingerprint:
        return False
    return {_key(item) for item in yaml.safe_load_all(text)} <= there.keys() and not any(map(is_none, there.values()))


def is_none(item: dict[str, Any]) -> bool:
    """Is it a Deployment that somebody has scaled to none?"""
    return bool(item["kind"] == "Deployment" and item["spec"].get("replicas", 1) == 0)


def _key(item: dict[str, Any]) -> tuple[str, str, str]:
    return item["kind"], item["metadata"].get("namespace", ""), name(item)


def wait(kubectl: Kubectl, nodes: int, started: Started, within: float = 180) -> None:
    """Wait until the cluster is ready for a lab.

    Args:
        nodes: how many nodes must be Ready; 0 for a cluster of the user's, where only the tool's own pods count.
        started: when nodes were restarted (Unix seconds by name); only statuses newer than that count.

    Raises:
        LabError: it is not, within the limit; the message carries what is missing.
    """

    def probe() -> tuple[bool | None, str]:
        missing = lacking(kubectl, nodes, started)
        return (True, "ready") if not missing else (None, ", ".join(missing[:4]))

    wait_until(probe, what="the cluster", within=within, every=0.3, hint="see what is wrong: lab status, lab doctor")


def lacking(kubectl: Kubectl, nodes: int, started: Started | None = None) -> list[str]:
    """What is not ready yet, in words; empty when everything is.

    Args:
        nodes, started: as `wait`.

    Raises:
        LabError: a pod of the tool's own can't start, whatever time it is given; or the user may not look.
    """
    # In one call where the cluster is ours: each kubectl takes CPU that the nodes need to become ready.
    kinds = "nodes,deployments,apiservices,leases" + (",pods" if nodes else "")
    try:
        items = kubectl.get(kinds, "-A")
        unfinished = unavailable(items, (names.NAMESPACE, "kube-system") if nodes else (names.NAMESPACE,))
        pods = [item for item in items if item["kind"] == "Pod"]
        if unfinished and not pods:
            pods = kubectl.get("pods", "-n", names.NAMESPACE)
    except LabError as silent:  # it may take a connection and not answer, while it begins
        if "(Forbidden)" in silent.detail:
            refused = f"the cluster {kubectl.context} does not let you see what is ready"
            todo = "ask its administrator for that right; docs/platform.md says which `lab` needs"
            raise LabError(refused, todo, silent.detail) from silent
        return [f"the API server does not answer: {silent.brief}"]
    missing = unready(items, nodes, started or {})
    missing += [f"deployment {name(item)} is not available" for item in unfinished]
    for item in unfinished:
        fail_if_stuck(kubectl, item, [pod for pod in pods if not _outlived(pod, started or {})])
    found = {_key(item): item for item in items}
    if not is_true(found.get(("APIService", "", _METRICS), {}), "Available"):
        missing.append("the metrics API is not available")
    if ("Deployment", names.NAMESPACE, "load") not in found:
        missing.append("deployment load does not exist")
    # An API server that has just started is ready before it can tell its schema, and kubectl apply asks for that.
    if started and not missing and kubectl.run("get", "--raw", "/openapi/v2", within=10, check=False).code != 0:
        missing.append("the API server does not tell its schema yet")
    return missing


def unready(items: list[dict[str, Any]], nodes: int, started: Started) -> list[str]:
    """What is not ready yet of the nodes themselves, in words.

    Args:
        items: the cluster's nodes and leases, and its pods.
        nodes, started: as `wait`.
    """
    ready = {name(item) for item in items if item["kind"] == "Node" and is_ready(item)}
    heard = {name(item): _renewed(item) for item in items if item["kind"] == "Lease"}
    well = [node for node in ready & heard.keys() if heard[node] >= started.get(node, 0)]
    missing = [f"{len(well)} of {nodes} nodes are Ready"] if len(well) < nodes else []
    return [*missing, *(_not_taken_up(items, started, heard) if started else ())]


def unavailable(items: list[dict[str, Any]], spaces: Collection[str]) -> list[dict[str, Any]]:
    """The Deployments in these namespaces that are not rolled out, or that somebody has scaled to none."""
    deployments = [item for item in items if item["kind"] == "Deployment" and item["metadata"]["namespace"] in spaces]
    return [item for item in deployments if not _rolled_out(item)]


def name(item: dict[str, Any]) -> str:
    """An object's name."""
    return str(item["metadata"]["name"])


def _rolled_out(item: dict[str, Any]) -> bool:
    """All pods are of the newest template, and all of them but CoreDNS' second are available."""
    status, wanted = item.get("status", {}), item["spec"].get("replicas", 1)
    updated, available = (status.get(f"{kind}Replicas", 0) for kind in ("updated", "available"))
    current = status.get("observedGeneration", 0) >= item["metadata"]["generation"]
    if not wanted:
        return item["metadata"]["namespace"] in _CLUSTERS and name(item) != _METRICS_SERVER
    return bool(current and updated >= wanted and status.get("replicas", 0) == updated and available >= 1)


def _not_taken_up(items: list[dict[str, Any]], started: Started, heard: Mapping[str, float]) -> list[str]:
    """Objects whose status is from before nodes were restarted: it counts pods that ended with the nodes as Ready."""
    says = []
    for node in items:
        if node["kind"] == "Node" and _CONTROL_PLANE in (node["metadata"].get("labels") or {}):
            since = started.get(name(node), 0)
            says += [f"{leader} has not begun yet" for leader in sorted(_LEADERS) if heard.get(leader, 0) < since]
    old = [
        pod
        for pod in items
        if pod["kind"] == "Pod"
        and is_ready(pod)
        and "deletionTimestamp" not in pod["metadata"]
        and _begun(pod) < int(started.get(pod["spec"].get("nodeName", ""), 0))
    ]
    if old:
        says.append(f"{len(old)} pods have not begun again yet, such as {name(old[0])}")
    return says


def _outlived(pod: dict[str, Any], started: Started) -> bool:
    """Is the pod older than its node's last start? Then it ended with the node, and its restarts mean nothing."""
    made = pod["metadata"].get("creationTimestamp")
    since = started.get(pod.get("spec", {}).get("nodeName", ""), 0)
    return bool(made) and datetime.datetime.fromisoformat(made).timestamp() < since


def _begun(pod: dict[str, Any]) -> float:
    """When the first of the pod's containers that run now was started, in whole seconds."""
    states = [each["state"].get("running") for each in pod.get("status", {}).get("containerStatuses") or []]
    times = [datetime.datetime.fromisoformat(state["startedAt"]).timestamp() for state in states if state]
    return min(times, default=float("inf"))


def _renewed(lease: dict[str, Any]) -> float:
    text = lease.get("spec", {}).get("renewTime")
    return datetime.datetime.fromisoformat(text).timestamp() if text else float("inf")


def fail_if_stuck(kubectl: Kubectl, deployment: dict[str, Any], pods: list[dict[str, Any]]) -> None:
    """Don't wait for a Deployment any longer that time won't help.

    Args:
        pods: those to look at; others' don't count.

    Raises:
        LabError: an image can't be had, or a pod crashes again and again.
    """
    namespace = deployment["metadata"]["namespace"]
    current = {each["image"] for each in deployment["spec"]["template"]["spec"]["containers"]}
    for pod in pods:
        if pod["metadata"]["namespace"] != namespace:
            continue
        for container in pod.get("status", {}).get("containerStatuses") or []:
            waiting, before = container["state"].get("waiting", {}), container.get("lastState", {}).get("terminated")
            if container["image"] not in current or "deletionTimestamp" in pod["metadata"]:
                continue
            if waiting.get("reason") in _NO_IMAGE:
                prefix = container["image"].rpartition("/")[0]
                ours = prefix == names.REGISTRY_PREFIX
                raise LabError(
                    f"the image {container['image']} can't be used: {waiting['reason']}",
                    "`lab up` puts it there again" if ours
                    else f"push the project's images there: lab images push {prefix}",
                    waiting.get("message", ""),
                )  # fmt: skip
            if waiting.get("reason") == "CrashLoopBackOff" and container["restartCount"] >= _CRASHES and before:
                raise LabError(
                    f"{name(pod)} in {namespace} crashes again and again (exit code {before['exitCode']})",
                    f"read why: kubectl --context {kubectl.context} -n {namespace} logs {name(pod)} --previous",
                    kubectl.run("logs", "-n", namespace, name(pod), "--previous", "--tail=10", check=False).stdout,
                )
