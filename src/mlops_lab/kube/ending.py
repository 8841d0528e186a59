"""What a namespace that is being deleted waits for, and nobody needs any more."""

from __future__ import annotations

from mlops_lab.kube.client import Kube

GRACE = 1  # s for pods


def end_pods(kube: Kube, namespace: str) -> None:
    """Delete the Jobs and the pods of a namespace that is being deleted: it is gone once its pods are.

    Pods go there before all else (KEP-5080). A failed pod of a Job with `backoffLimitPerIndex` bears a finalizer until
    the Job has made another one in its place (KEP-3850), which nobody can in such a namespace. Without the Job it goes.
    """
    for kind, grace in (("Job", None), ("Pod", GRACE)):
        for each in kube.list(kind, namespace):
            kube.delete(kind, each["metadata"]["name"], namespace, grace=grace)
