"""Keeps Deployments and Services as their manifests say, by applying these again, and says what had changed."""

import os
from pathlib import Path

import kube
import yaml

SERVICES = ("page", "forecast", "recommend")
FLIGHT = "in-the-air"
manifests = {}
pods = {}


def read():
    folder = Path(os.environ.get("MANIFESTS", "/manifests"))
    for name in SERVICES:
        manifests[name] = list(yaml.safe_load_all((folder / f"{name}.yaml").read_text()))


def drifted(name):
    """What had changed about a service, before it was put right."""
    found = set()
    for manifest in manifests[name]:
        before = kube.get(manifest["kind"], name)
        if manifest["kind"] == "Service":
            if before is None:
                found.add("service-deleted")
            elif before["spec"].get("selector") != manifest["spec"]["selector"]:
                found.add("selector-changed")
        elif before is not None:
            if before["spec"]["replicas"] != manifest["spec"]["replicas"]:
                found.add("scaled-down")
            if images(before) != images(manifest):
                found.add("image-changed")
        if found or before is None:
            kube.apply(manifest)
    return found


def images(deployment):
    return [each["image"] for each in deployment["spec"]["template"]["spec"]["containers"]]


def killed(name):
    """Are pods gone while others of the same template took their place, and nobody has asked for another number?"""
    now = {
        each["metadata"]["uid"]: each["metadata"]["labels"].get("pod-template-hash")
        for each in kube.items("Pod", f"app={name}")
        if not each["metadata"].get("deletionTimestamp")
    }
    before, pods[name] = pods.get(name, {}), now
    gone = {before[uid] for uid in before.keys() - now.keys()}
    return bool(gone) and (not now or gone <= set(now.values())) and len(set(before.values())) == 1


def shut():
    """The services that a NetworkPolicy of a stranger's stood in front of."""
    found = set()
    for policy in kube.items("NetworkPolicy"):
        hit = {name for name in SERVICES if shuts_off(policy, labels(name))}
        if hit and policy["metadata"]["name"] != FLIGHT:
            kube.delete("NetworkPolicy", policy["metadata"]["name"])
            found |= hit
    return found


def labels(name):
    """Of a service's pods."""
    manifest = next(each for each in manifests[name] if each["kind"] == "Deployment")
    return manifest["spec"]["template"]["metadata"]["labels"]


def shuts_off(policy, labels):
    """Does a NetworkPolicy let nobody reach pods with these labels?"""
    spec = policy["spec"]
    inwards = "Ingress" in (spec.get("policyTypes") or ["Ingress"]) and not spec.get("ingress")
    return inwards and selected(spec.get("podSelector") or {}, labels)


def selected(selector, labels):
    """Does a selector of labels select these?"""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(fits(each, labels) for each in selector.get("matchExpressions") or [])


def fits(one, labels):
    has, among = one["key"] in labels, labels.get(one["key"]) in (one.get("values") or [])
    return {"In": has and among, "NotIn": not among, "Exists": has, "DoesNotExist": not has}[one["operator"]]


def well(name):
    """Has a Deployment all its pods?"""
    status = kube.get("Deployment", name)["status"]
    return status.get("readyReplicas", 0) >= 1 and not status.get("unavailableReplicas")
