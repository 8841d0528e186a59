"""What happens to the Service's requests when a pod is made anew."""

from mlops_lab.checks import Observation
from mlops_lab.kit.endpoints import answered_by
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

_REPLACED_WITHIN, _ANSWERS_WITHIN = 25.0, 20.0  # s; a probe that says nothing of its times asks each 10 s


async def replaced(lab: TaskLab, drawn: Drawn, pod: str) -> Observation:
    """Does the pod that the Deployment makes for a deleted one answer, too?"""
    await lab.objects.kill(pod, grace=0)
    await lab.objects.deployment(drawn.service).rolled_out(pods=2, within=_REPLACED_WITHIN)
    return await answered_by(lab, drawn.service, drawn.service, port=drawn.port, within=_ANSWERS_WITHIN)
