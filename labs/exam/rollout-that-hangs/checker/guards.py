"""What keeps a pod from beginning before it may."""

from mlops_lab.checks import Observation, absent, holds
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn


async def waited_for_the_store(lab: TaskLab, drawn: Drawn, pod: str) -> Observation:
    """Did the pod's init container find the Service by its name?"""
    expected = f"init container `wait` has found {drawn.store}"
    found = await lab.objects.named("Pod", pod).present()
    if "wait" not in [each["name"] for each in found["spec"].get("initContainers") or []]:
        return absent(expected, f"Pod {pod} has no init container `wait`")
    last = (await lab.objects.logs(pod, "wait", tail=1)).strip()
    return holds(
        last == f"found {drawn.store}", expected, otherwise=f"the last that it said: {last[:120] or 'nothing'}"
    )
