"""Volumes that `lab down --keep-data` keeps: how they are in the cluster, and as objects of the next one."""

from __future__ import annotations

from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.cluster.kubectl import Kubectl


def bound(kubectl: Kubectl, namespace: str) -> list[dict[str, Any]]:
    """The namespace's claims with all that is needed to have them again."""
    there = {item["metadata"]["name"]: item for item in kubectl.get("persistentvolumes")}
    found = []
    for item in kubectl.get("persistentvolumeclaims", "-n", namespace):
        volume = there.get(item["spec"].get("volumeName", ""))
        if volume is None:
            continue
        spec, called = volume["spec"], item["metadata"]["name"]
        place = spec.get("hostPath") or spec.get("local")
        terms = (spec.get("nodeAffinity") or {}).get("required", {}).get("nodeSelectorTerms") or [{}]
        rules = [rule for term in terms for rule in term.get("matchExpressions") or []]
        hosts = [rule["values"][0] for rule in rules if rule["key"] == "kubernetes.io/hostname"]
        if not place or not hosts:
            raise LabError(
                f"the volume of {namespace}/{called} is not on a node's disk, so `lab down --keep-data` can't keep it",
                "back up its data yourself, then: lab down",
            )
        lasting = ("capacity", "accessModes", "persistentVolumeReclaimPolicy", "storageClassName", "volumeMode")
        own = item["metadata"].get("annotations") or {}
        notes = volume["metadata"].get("annotations") or {}
        found.append({
            "namespace": namespace, "name": called, "node": hosts[0], "path": place["path"],
            "file": f"{namespace}-{called}.tar", "spec": {key: spec[key] for key in lasting if key in spec},
            "annotations": {key: value for key, value in notes.items() if key.startswith("pv.kubernetes.io/")},
            "claim": {
                "labels": item["metadata"].get("labels") or {},
                # helm takes what it finds for its own only with these.
                "annotations": {key: value for key, value in own.items() if "helm.sh/" in key},
            },
        })  # fmt: skip
    return found


def name(claim: dict[str, Any]) -> str:
    """The name of the volume that has a kept claim's data in a new cluster."""
    return f"kept-{claim['namespace']}-{claim['name']}"


def of(claim: dict[str, Any], there: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The volume with a kept claim's data: one that was restored, or the very one that was saved."""
    for item in there:
        place = item["spec"].get("hostPath") or item["spec"].get("local") or {}
        if item["metadata"]["name"] == name(claim) or place.get("path") == claim["path"]:
            return item
    return None


def volume(claim: dict[str, Any], node: str, path: str) -> dict[str, Any]:
    """A volume on a node's folder that only the claim of that name binds to; the storage class's own cleans it up."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name(claim), "annotations": claim["annotations"]},
        "spec": {
            **claim["spec"],
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "namespace": claim["namespace"], "name": claim["name"],
            },
            "hostPath": {"path": path, "type": "DirectoryOrCreate"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]},
            ]}]}},
        },
    }  # fmt: skip


def claim(kept: dict[str, Any]) -> dict[str, Any]:
    """A kept claim as it would be made again, on its restored volume."""
    spec = kept["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": kept["name"], "namespace": kept["namespace"], **kept.get("claim", {})},
        "spec": {
            "accessModes": spec["accessModes"],
            "storageClassName": spec.get("storageClassName", ""),  # without one it would be the cluster's default
            "volumeMode": spec.get("volumeMode", "Filesystem"),
            "resources": {"requests": {"storage": spec["capacity"]["storage"]}},
            "volumeName": name(kept),
        },
    }
