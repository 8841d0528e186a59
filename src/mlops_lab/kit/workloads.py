"""What makes pods: Deployments, Jobs, CronJobs and the like, and what they give their pods."""

from __future__ import annotations

from mlops_lab.kube.client import Object


def labels_of_pods(workload: Object) -> dict[str, str]:
    """The labels that the pods of a workload get, those of a CronJob's Jobs too; none without a template."""
    spec = workload["spec"]
    spec = (spec.get("jobTemplate") or {}).get("spec") or spec
    return ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
