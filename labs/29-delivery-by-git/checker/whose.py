"""Which pods are the learner's: by who made them, since a label says what anybody writes."""

from __future__ import annotations

from mlops_lab.checks import Lab
from mlops_lab.kube.client import Object

DEPLOYMENTS, JOB = ("model", "git"), "first-commit"  # of the team, and what the lab gives
MAKERS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


def is_learners(pod: Object) -> bool:
    """Whether a pod is neither of the team's service, of the Git server, nor of the Job that made the repository."""
    for each in pod["metadata"].get("ownerReferences") or []:
        kind, name = each.get("kind"), str(each.get("name"))
        if (kind == "ReplicaSet" and name.rpartition("-")[0] in DEPLOYMENTS) or (kind == "Job" and name == JOB):
            return False
    return True


async def accounts(lab: Lab) -> list[str]:
    """The ServiceAccounts of the learner's pods, also of those that a Job or CronJob makes now and then."""
    specs = [pod["spec"] for pod in await lab.objects.all("Pod") if is_learners(pod)]
    for kind in MAKERS:
        for item in await lab.objects.all(kind):
            name = item["metadata"]["name"]
            if (kind == "Deployment" and name in DEPLOYMENTS) or (kind == "Job" and name == JOB):
                continue
            spec = item["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else item["spec"]
            specs.append(spec["template"].get("spec") or {})
    return sorted({each.get("serviceAccountName") or "default" for each in specs})
