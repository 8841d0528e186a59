"""What keeps a pod from beginning before it may."""

from pathlib import Path

from mlops_lab.checks import Observation, absent, holds
from mlops_lab.kit.given import in_manifests
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

_START = Path(__file__).parents[1] / "start"
# Of a Service's name, behind the namespace.
_ENDS = ("", ".svc", ".svc.cluster.local")


async def waited_for_the_store(lab: TaskLab, drawn: Drawn, pod: str) -> Observation:
    """Did the pod's init container find the Service by its name, with the command that it was given?"""
    expected = f"init container `wait` has found {drawn.store}"
    found = await lab.objects.named("Pod", pod).present()
    wait = next((each for each in found["spec"].get("initContainers") or [] if each["name"] == "wait"), None)
    if wait is None:
        return absent(expected, f"Pod {pod} has no init container `wait`")
    (given,) = in_manifests(_START, "Deployment", drawn.name)["spec"]["template"]["spec"]["initContainers"]
    if wait.get("command") != given["command"] or wait.get("args"):
        return absent(expected, "its command is another one, which need not look for it")
    last = (await lab.objects.logs(pod, "wait", tail=1)).strip()
    names = [f"{drawn.store}{rest}" for rest in ("", *(f".{lab.namespace}{end}" for end in _ENDS))]
    right = last.removesuffix(".") in [f"found {each}" for each in names]
    return holds(right, expected, otherwise=f"the last that it said: {last[:120] or 'nothing'}")
