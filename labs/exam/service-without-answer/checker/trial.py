"""What happens to the Service's requests when a pod is not ready, and when it is made anew."""

from mlops_lab.base.errors import LabError
from mlops_lab.checks import Observation, absent
from mlops_lab.kit.endpoints import answered_by
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

_LEAVES_WITHIN, _REPLACED_WITHIN = 12.0, 25.0
_FILE = "/tmp/www/ready"


async def only_ready_ones(lab: TaskLab, drawn: Drawn, pod: str) -> Observation:
    """Does a pod without its file get no requests?"""
    try:
        await lab.objects.run_in(pod, "rm", "-f", _FILE)
    except LabError as gone:
        if gone.transient or await lab.objects.named("Pod", pod).now():
            raise
        return absent(f"Pod {pod} runs during the check", "it was deleted meanwhile")
    return await answered_by(lab, drawn.service, drawn.service, port=drawn.port, without=[pod], within=_LEAVES_WITHIN)


async def replaced(lab: TaskLab, drawn: Drawn, pod: str) -> Observation:
    """Does the pod that the Deployment makes for a deleted one answer, too?"""
    await lab.objects.kill(pod, grace=0)
    await lab.objects.deployment(drawn.service).rolled_out(pods=2, within=_REPLACED_WITHIN)
    return await answered_by(lab, drawn.service, drawn.service, port=drawn.port, within=10)
