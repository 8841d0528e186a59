"""What goes once a submission was graded: its namespaces with all in them, and what bears their name elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.grader import names
from mlops_lab.classroom.grader.rooms import Services
from mlops_lab.kube.client import Kube
from mlops_lab.kube.ending import end_pods
from mlops_lab.kube.exact import delete_exactly
from mlops_lab.labs import parts
from mlops_lab.measure.services.pipelines import Pipelines
from mlops_lab.measure.services.tracking import Tracking


class Foreign(LabError):
    """A namespace of that name is somebody else's."""


def remove(kube: Kube, namespace: str, klass: str) -> bool:
    """Have a namespace go; is it gone?

    Args:
        klass: the class's own namespace, by which what a grader makes is labelled.

    Raises:
        Foreign: it is somebody else's.
    """
    there = kube.find("Namespace", namespace)
    if there is None:
        return True
    if names.label(there, names.CLASS) != klass:
        raise Foreign(
            f"namespace {namespace} is not this class's",
            f"if nobody needs it, delete it: kubectl delete namespace {namespace}",
        )
    if not there["metadata"].get("deletionTimestamp"):
        delete_exactly(kube, there)
        end_pods(kube, namespace)
    return False


def forget(kube: Kube, namespace: str, needs: Sequence[str]) -> None:
    """Remove what has a namespace's name in MLflow and in pipelines, once the namespace is gone.

    Raises:
        LabError: a part does not answer.
    """
    services, needed = Services(kube), parts.needed(needs)
    parts.remove_from(
        Tracking(services) if "tracking" in needed else None,
        Pipelines(services) if "pipelines" in needed else None,
        namespace,
    )
