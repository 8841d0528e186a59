"""A lab's namespace: made with its labels, seeded, and taken away to the last object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.kube.client import Kube, Object
from mlops_lab.labs import parts
from mlops_lab.labs.catalog import Exercise, about
from mlops_lab.labs.registry import REGISTRY, with_registry
from mlops_lab.measure.pods.evidence import evidence

MANAGED_BY = "mlops-lab"
# Namespaces go when their pods have gone; a pod may ask for this much grace (the checks' own limit for a preStop).
_GONE_WITHIN = 180.0
# A controller manager that was killed takes up its work when the lease of the one before has run out (15 s).
_USABLE_WITHIN = 90.0
# A seed's Job prepares what the learner begins with; on a small machine it takes some time.
_SEEDED_WITHIN = 300.0
# The grace that pods get when the namespace goes: what they serve goes with them.
_GRACE = 1
_ENDS = ("Complete", "Failed")


def create(kube: Kube, exercise: Exercise, namespace: str) -> None:
    """Make the namespace, if it is not there, and say in it where the platform is.

    Raises:
        LabError: a namespace of that name is there and is not the tool's, the last one does not go away, or the
            cluster lacks a part of the platform that the lab needs.
    """
    needs = about(exercise).needs
    parts.must(kube, exercise.number, needs)
    found = kube.find("Namespace", namespace)
    if found and found["metadata"].get("deletionTimestamp"):
        kube.wait_gone("Namespace", namespace, within=_GONE_WITHIN)
        found = None
    if found and _labels(found).get("app.kubernetes.io/managed-by") != MANAGED_BY:
        raise LabError(
            f"namespace {namespace} is there already, and was not made by this tool",
            f"rename or delete it if it is yours: kubectl delete namespace {namespace}",
        )
    labels = {
        "mlops-lab/lab": exercise.number,
        "app.kubernetes.io/managed-by": MANAGED_BY,
        "pod-security.kubernetes.io/enforce": "baseline",
    }
    make(kube, namespace, labels)
    if parts.needed(needs):
        meta = {"name": parts.SETTINGS, "labels": {"app.kubernetes.io/managed-by": MANAGED_BY}}
        told = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": parts.settings(namespace, needs)}
        kube.apply([told], namespace)


def make(kube: Kube, namespace: str, labels: dict[str, str] | None = None) -> None:
    """Make a namespace, and wait until pods may be made in it.

    They are refused before its default ServiceAccount is there, which comes a moment later, or half a minute on a
    cluster that has just begun.

    Raises:
        LabError: the ServiceAccount is not there in time.
    """
    meta = {"name": namespace, "labels": labels or {}}
    kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": meta}])
    ready, _ = kube.wait(
        "ServiceAccount", "default", namespace, lambda item: True if item else None, within=_USABLE_WITHIN
    )
    if not ready:
        raise LabError(
            f"namespace {namespace} has no default ServiceAccount after {_USABLE_WITHIN:g} s",
            "see whether the cluster's controller manager runs, which makes it (kubectl -n kube-system get pods), "
            "then run this again",
        )


def seed(kube: Kube, exercise: Exercise, namespace: str, registry: str = REGISTRY) -> int:
    """Apply the lab's start/seed.yaml, if it has one, and wait until its Jobs are done; how many objects it holds.

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
    """Delete the namespace with all that is in it, wait until it is gone, and then remove what bears its name in the
    platform: its pods might still have made some. What is not there is fine.

    Raises:
        LabError: it is not the tool's own, is still there after `within` seconds, or a part does not answer; then the
            next call goes on.
    """
    found = kube.find("Namespace", namespace)
    if found and _labels(found).get("app.kubernetes.io/managed-by") != MANAGED_BY:
        raise LabError(
            f"namespace {namespace} was not made by this tool, so it is left as it is",
            f"if nothing in it is needed, delete it: kubectl delete namespace {namespace}; then run this again",
        )
    if found:
        kube.delete("Namespace", namespace)
        for pod in kube.list("Pod", namespace):
            kube.delete("Pod", pod["metadata"]["name"], namespace, grace=_GRACE)
        kube.wait_gone("Namespace", namespace, within=within)
    parts.remove(kube, namespace, about(exercise).needs)


def _labels(item: dict[str, Any]) -> dict[str, str]:
    return dict(item["metadata"].get("labels") or {})


def _load(file: Path, registry: str) -> list[dict[str, Any]]:
    import yaml

    try:
        found = [item for item in yaml.safe_load_all(with_registry(file.read_text(), registry)) if item]
    except yaml.YAMLError as broken:
        raise UsageError(f"{file}: {broken}", "the lab's seed is broken: tell its author") from broken
    return found
