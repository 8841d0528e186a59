"""A lab's namespace: created with its labels, seeded, and deleted with all that is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.cluster import own, record
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.ending import end_pods
from mlops_lab.labs import parts
from mlops_lab.labs.catalog import Exercise, about
from mlops_lab.labs.registry import REGISTRY, with_registry
from mlops_lab.measure.pods.evidence import evidence

MANAGED_BY = "mlops-lab"
# A namespace is gone when its pods are; a pod may have this grace period (the checks' own limit for a preStop hook).
_GONE_WITHIN = 180.0
# A restarted controller manager begins when the old one's lease has expired (15 s).
_USABLE_WITHIN = 90.0
# A seed's Job prepares what the learner starts with; on a small machine this takes some time.
_SEEDED_WITHIN = 300.0
_ENDS = ("Complete", "Failed")


def create(kube: Kube, exercise: Exercise, namespace: str) -> None:
    """Create the namespace if it does not exist, with a ConfigMap of the platform's addresses.

    Raises:
        LabError: a namespace of that name exists and is not the tool's, the old one does not go away, or the cluster
            lacks a part of the platform that the lab needs.
    """
    needs = about(exercise).needs
    parts.require_installed(kube, exercise.number, needs)
    found = kube.find("Namespace", namespace)
    if found and found["metadata"].get("deletionTimestamp"):
        end_pods(kube, namespace)
        kube.wait_gone("Namespace", namespace, within=_GONE_WITHIN)
        found = None
    if found and _labels(found).get("app.kubernetes.io/managed-by") != MANAGED_BY:
        raise LabError(
            f"namespace {namespace} exists already and was not created by `lab`",
            f"if you don't need it, delete it: kubectl delete namespace {namespace}",
        )
    labels = {
        "mlops-lab/lab": exercise.number,
        "app.kubernetes.io/managed-by": MANAGED_BY,
        "pod-security.kubernetes.io/enforce": "baseline",
    }
    make(kube, namespace, labels)
    if parts.needed(needs):
        meta = {"name": parts.SETTINGS, "labels": {"app.kubernetes.io/managed-by": MANAGED_BY}}
        settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": parts.settings(namespace, needs)}
        kube.apply([settings], namespace)


def make(kube: Kube, namespace: str, labels: dict[str, str] | None = None) -> None:
    """Create a namespace, and wait until pods may be created in it.

    Pods are refused until its default ServiceAccount exists, which takes a moment, or half a minute on a new cluster.

    Raises:
        LabError: the ServiceAccount does not exist in time.
    """
    meta = {"name": namespace, "labels": labels or {}}
    item = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
    if _is_users(kube):
        own.create(kube.context, item, kube.create)
    kube.apply([item])
    ready, _ = kube.wait(
        "ServiceAccount", "default", namespace, lambda item: True if item else None, within=_USABLE_WITHIN
    )
    if not ready:
        raise LabError(
            f"namespace {namespace} has no default ServiceAccount after {_USABLE_WITHIN:g} s",
            "check that the controller manager, which creates it, runs (kubectl -n kube-system get pods), "
            "then run this again",
        )


def seed(kube: Kube, exercise: Exercise, namespace: str, registry: str = REGISTRY) -> int:
    """Apply the lab's start/seed.yaml, if it has one, and wait until its Jobs are done; returns its number of objects.

    Raises:
        LabError: a Job failed or is not done in time; with what its pods and events tell.
    """
    file = exercise.folder / "start" / "seed.yaml"
    if not file.is_file():
        return 0
    objects = _load(file, registry)
    kube.apply(objects, namespace)
    for item in objects:
        if item["kind"] == "Job":
            _wait_for_job(kube, item["metadata"]["name"], namespace)
    return len(objects)


def _wait_for_job(kube: Kube, name: str, namespace: str) -> None:
    def ended(job: Object | None) -> str | None:
        conditions = ((job or {}).get("status") or {}).get("conditions") or []
        return next((each["type"] for each in conditions if each["type"] in _ENDS and each["status"] == "True"), None)

    how, _ = kube.wait("Job", name, namespace, ended, within=_SEEDED_WITHIN)
    if how != "Complete":
        lines = evidence(kube, "Job", name, namespace)
        raise LabError(
            f"the lab's own Job {name} {'failed' if how else f'is not done after {_SEEDED_WITHIN:g} s'}",
            f"see why: kubectl -n {namespace} logs job/{name}", "\n".join(lines),
        )  # fmt: skip


def remove(kube: Kube, exercise: Exercise, namespace: str, within: float = _GONE_WITHIN) -> None:
    """Delete the namespace and wait until it is gone; then remove what has its name in the platform.

    In this order, since its pods may make something there until they end. The namespace need not exist.

    Raises:
        LabError: it is not the tool's own, still exists after `within` seconds, or a part does not answer. The next
            call continues.
    """
    found = kube.find("Namespace", namespace)
    if found and _labels(found).get("app.kubernetes.io/managed-by") != MANAGED_BY:
        raise LabError(
            f"namespace {namespace} was not created by `lab`, so `lab` does not delete it",
            f"if nothing in it is needed, delete it: kubectl delete namespace {namespace}; then run this again",
        )
    if found:
        kube.delete("Namespace", namespace)
        end_pods(kube, namespace)
        kube.wait_gone("Namespace", namespace, within=within)
    if _is_users(kube):
        own.gone_by_name(kube.context, "Namespace", namespace)
    parts.remove(kube, namespace, about(exercise).needs)


def _is_users(kube: Kube) -> bool:
    """Is it a cluster that the user named, where what is made is recorded?"""
    named = record.named()
    return named is not None and named.context == kube.context


def _labels(item: dict[str, Any]) -> dict[str, str]:
    return dict(item["metadata"].get("labels") or {})


def _load(file: Path, registry: str) -> list[dict[str, Any]]:
    import yaml

    try:
        found = [item for item in yaml.safe_load_all(with_registry(file.read_text(), registry)) if item]
    except yaml.YAMLError as broken:
        raise UsageError(f"{file}: {broken}", "the lab's seed is broken; tell the lab's author") from broken
    return found
