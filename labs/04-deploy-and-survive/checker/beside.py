"""What is beside the model: who else makes pods for its Service, and whether the shadow would get its next pod."""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit import admission
from mlops_lab.kit.jobs import over
from mlops_lab.kit.pods import made_by, name
from mlops_lab.kit.workloads import labels_of_pods
from mlops_lab.kube.client import Object

MAKERS = ("CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet")
FULL = "exceeded quota"  # there is room again as soon as the pod is gone that the next one comes for
NEXT = "checker-shadow"


async def no_other_maker(lab: Lab, deployment: Object) -> Observation:
    """Whether nothing but a Deployment makes pods with the labels that Service `model` selects, now or one day."""
    selector = (await lab.objects.service("model"))["spec"].get("selector") or {}
    labels = ", ".join(f"{key}={value}" for key, value in selector.items())
    found = []
    for kind in MAKERS:
        for item in await lab.objects.all(kind):
            own = item["metadata"].get("uid") == deployment["metadata"].get("uid") or made_by(item, deployment)
            if not own and not over(item) and selector and selector.items() <= labels_of_pods(item).items():
                found.append(f"{kind} {name(item)}")
    expected = f"of all that makes pods only Deployment {name(deployment)} gives them {labels or 'the labels'}"
    return holds(not found, expected, f"{', '.join(found[:6])} does so, too")


async def next_pod_let_in(lab: Lab, deployment: Object) -> Observation:
    """Whether the API server takes another pod of a Deployment's template; it is never scheduled, and deleted at once.

    A quota that is used up is none of its business: the next pod comes when another one has gone.
    """
    spec = dict(deployment["spec"]["template"]["spec"])
    containers = spec.pop("containers")
    answer = await admission.answered(lab, admission.gated(lab, NEXT, containers, **spec))
    taken = answer.pod is not None or FULL in answer.refusal
    return holds(taken, f"a next pod of Deployment {name(deployment)} is let in", answer.refusal[:300])
