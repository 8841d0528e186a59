"""The end of a rollout; and what happens to the Service's requests when a pod is made anew."""

from mlops_lab.checks import Observation, rollout_state
from mlops_lab.kit.deployments import status_count
from mlops_lab.kit.endpoints import answered_by
from mlops_lab.kube.client import Object
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

_REPLACED_WITHIN, _ANSWERS_WITHIN = 25.0, 20.0  # s; a probe that says nothing of its times asks each 10 s


async def rollout_over(lab: TaskLab, deployment: str, *, within: float) -> Observation:
    """Wait until a Deployment has no pods of a template before: they come and go while the repair is rolled out.

    Args:
        within: seconds.
    """
    return await lab.objects.deployment(deployment).until(
        of_one_template, expected="no pods of a template before", shown=rollout_state, within=within
    )


def of_one_template(deployment: Object | None) -> bool:
    """Has a Deployment's controller seen the newest spec, and are all its pods of that one's template?"""
    if deployment is None or status_count(deployment, "observedGeneration") < deployment["metadata"]["generation"]:
        return False
    return status_count(deployment, "updatedReplicas") == status_count(deployment, "replicas")


async def replaced(lab: TaskLab, drawn: Drawn, pod: str) -> Observation:
    """Does the pod that the Deployment makes for a deleted one answer, too?"""
    await lab.objects.kill(pod, grace=0)
    await lab.objects.deployment(drawn.service).rolled_out(pods=2, within=_REPLACED_WITHIN)
    return await answered_by(lab, drawn.service, drawn.service, port=drawn.port, within=_ANSWERS_WITHIN)
