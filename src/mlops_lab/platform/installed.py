"""What of the platform is installed and in which state, read from helm's releases and their objects.

Nothing is stored elsewhere. The labels of a release's revision say what it was made from, so after a rollback they are
those of the old revision.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from mlops_lab.base.quick_yaml import load_all
from mlops_lab.cluster import addons, record
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.status import Part
from mlops_lab.images.recipes import helm as recipe
from mlops_lab.images.store import Store
from mlops_lab.kube.objects import is_true
from mlops_lab.platform.helm import STOOD, Helm
from mlops_lab.platform.releases import RELEASES, Release

PART, PROFILE, FINGERPRINT, IMAGES = (f"mlops-lab/{key}" for key in ("part", "profile", "fingerprint", "images"))
_COUNTED = ("Deployment", "StatefulSet", "DaemonSet", "APIService", "EndpointSlice")


@dataclass(frozen=True)
class Installed:
    """The newest revision of a part's release.

    Args:
        status: helm's word for it, such as deployed or pending-upgrade.
        profile: the values profile it was made with.
        fingerprint: of all that it was made from.
        images: of the content of its images.
        stood: some revision of it was ready once; a release without one is what an installation has left.
    """

    status: str
    profile: str = ""
    fingerprint: str = ""
    images: str = ""
    stood: bool = True


def installed(kubectl: Kubectl, among: Sequence[Release] = RELEASES) -> dict[str, Installed]:
    """Which of these releases are installed, by their parts' names; one request, whatever their number."""
    # The table's form leaves out the releases themselves, which are large.
    done = kubectl.run("get", "secrets", "-A", "-l", "owner=helm", "--show-labels", "--no-headers")
    newest: dict[str, tuple[int, Installed]] = {}
    stood: set[str] = set()
    by_namespace = {each.namespace: each.part for each in among}
    for line in done.stdout.splitlines():
        namespace, *_, text = line.split()
        labels = dict(pair.partition("=")[::2] for pair in text.split(","))
        part = by_namespace.get(namespace)
        if part is None or labels.get("name") != namespace:
            continue
        profile, fingerprint, images = (labels.get(key, "") for key in (PROFILE, FINGERPRINT, IMAGES))
        found = Installed(labels.get("status", ""), profile, fingerprint, images)
        if found.status in STOOD:
            stood.add(part)
        number = int(labels.get("version", "0"))
        if number >= newest.get(part, (0, found))[0]:
            newest[part] = number, found
    return {each.part: replace(newest[each.part][1], stood=each.part in stood) for each in among if each.part in newest}


def releases_in(kubectl: Kubectl) -> list[Release]:
    """The releases that are installed, as they are with their profiles, in their order."""
    there = installed(kubectl)
    return [each.by(there[each.part].profile) for each in RELEASES if each.part in there]


def lacking(kubectl: Kubectl, helm: Helm, release: Release) -> tuple[list[str], list[str]]:
    """What is wrong with an installed part.

    Returns:
        Objects of the release that are not there (or were scaled to 0), and what is there but not ready yet.
    """
    wanted = load_all(helm.manifest(release.namespace))
    plain = [
        {
            "apiVersion": item["apiVersion"],
            "kind": item["kind"],
            "metadata": {
                "name": item["metadata"]["name"],
                "namespace": item["metadata"].get("namespace", release.namespace),
            },
        }
        for item in wanted
    ]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": plain})
    there = _items(kubectl.run("get", "-f", "-", "--ignore-not-found", "-o", "json", stdin=manifest).stdout)
    there += kubectl.get("endpointslices", "-n", release.namespace)
    return missing(wanted, there), unready(there, release)


def missing(wanted: Iterable[dict[str, Any]], there: Iterable[dict[str, Any]]) -> list[str]:
    """Objects that the release made and that are gone, or run no pods though they should."""
    found = {(item["kind"], addons.name(item)): item for item in there}
    says = []
    for item in wanted:
        key = item["kind"], addons.name(item)
        if key not in found:
            says.append(f"{key[0]} {key[1]} does not exist")
        elif item.get("spec", {}).get("replicas") and found[key].get("spec", {}).get("replicas") == 0:
            says.append(f"{key[0]} {key[1]} was scaled to 0")
    return says


def unready(there: Iterable[dict[str, Any]], release: Release) -> list[str]:
    """Workloads whose pods are not all of the newest template and ready, and pages that no pod stands behind."""
    says, behind = [], set()
    for item in there:
        if item["kind"] == "EndpointSlice" and any(
            (each.get("conditions") or {}).get("ready") is not False for each in item.get("endpoints") or []
        ):
            behind.add((item["metadata"].get("labels") or {}).get("kubernetes.io/service-name"))
        elif item["kind"] in _COUNTED and (state := _state(item)):
            says.append(f"{item['kind']} {addons.name(item)}: {state}")
    return says + [f"no ready pod is behind {page.service}" for page in release.pages if page.service not in behind]


def status() -> list[Part]:
    """The installed parts of the cluster in use, as `lab status` shows them.

    Raises:
        LabError: no cluster was brought up, or it does not answer.
    """
    cluster = record.current()
    kubectl = Kubectl(cluster.context, cluster.kubeconfig)
    program = recipe.path(Store())
    there = installed(kubectl)
    helm = Helm(program, cluster.context, cluster.kubeconfig) if program else None
    with ThreadPoolExecutor(max(1, len(there))) as pool:  # each part is three requests, one after the other
        return list(pool.map(lambda part: _seen(part, there[part], kubectl, helm), there))


def _seen(part: str, state: Installed, kubectl: Kubectl, helm: Helm | None) -> Part:
    """One installed part as `lab status` shows it."""
    if helm is None:
        return Part(part, False, "helm is missing; lab up builds it again")
    if state.status != "deployed":
        return Part(part, False, f"its release is {state.status}")
    (release,) = (each.by(state.profile) for each in RELEASES if each.part == part)
    gone, not_ready = lacking(kubectl, helm, release)
    pages = f"; lab open {release.pages[0].name}" if release.pages else ""
    wrong = ", ".join([*gone, *not_ready][:3])
    return Part(part, not wrong, wrong or f"{release.chart}, {called(state.profile)}{pages}")


def called(profile: str) -> str:
    """A profile in words: `small.grafana` is the small one with Grafana beside it."""
    base, _, engine = (profile or "own").partition(".")
    return f"{base} profile" + (f" with {engine}" if engine else "")


def _state(item: dict[str, Any]) -> str:
    """What a workload still lacks, in words; empty when it is ready."""
    status, spec = item.get("status", {}), item.get("spec", {})
    if item["kind"] == "APIService":
        return "" if is_true(item, "Available") else "it does not answer"
    if item["kind"] == "EndpointSlice":
        return ""
    if status.get("observedGeneration", 0) < item["metadata"].get("generation", 0):
        return "a change is not taken up yet"
    if item["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        updated, ready = status.get("updatedNumberScheduled", 0), status.get("numberReady", 0)
    else:
        wanted = spec.get("replicas", 1)
        updated, ready = status.get("updatedReplicas", 0), status.get("readyReplicas", 0)
    if updated < wanted:
        return f"{updated} of {wanted} pods are of the newest template"
    return f"{ready} of {wanted} pods are ready" if ready < wanted else ""


def _items(text: str) -> list[dict[str, Any]]:
    found: dict[str, Any] = json.loads(text) if text.strip() else {"items": []}
    return list(found["items"]) if "items" in found else [found]
