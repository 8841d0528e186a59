"""The DaemonSet's pods: where they are, and what becomes of one that hangs."""

from __future__ import annotations

from mlops_lab.checks import Observation, expect, holds, is_ready
from mlops_lab.kit.pods import leaving, made_by, restarts
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_PROGRAM = ["python3", "/program/watch.py"]
_ANSWERS_WITHIN = 10.0  # s


async def on_all_nodes(lab: TaskLab, *, within: float) -> Observation:
    """Wait until each node has one ready pod of the DaemonSet's.

    Args:
        within: seconds.
    """
    nodes = sorted(map(name_of, await lab.objects.all("Node")))

    def ready(pods: list[Object]) -> list[str]:
        return sorted(str(pod["spec"].get("nodeName")) for pod in pods if is_ready(pod))

    return await lab.time.eventually(
        lambda: pods_of(lab), lambda pods: ready(pods) == nodes, expected=f"a ready pod on each of {', '.join(nodes)}",
        shown=lambda pods: f"ready pods on {', '.join(ready(pods)) or 'no node'}", within=within,
    )  # fmt: skip


async def same_program(lab: TaskLab) -> Observation:
    """Whether the container runs what the Deployment's did, and has its labels."""
    template = (await lab.objects.named("DaemonSet", D.app).present())["spec"]["template"]
    first = template["spec"]["containers"][0]
    same = first.get("command") == _PROGRAM and first["image"] == lab.platform.image("v1")
    labelled = (template["metadata"].get("labels") or {}).get("app") == D.app
    return holds(same and labelled, "the same container and labels", "another program, image or label")


async def made_ill(lab: TaskLab) -> str:
    """Make one pod hang by a request to the Service; its name."""
    answer = await lab.traffic.first_answer(lambda: lab.traffic.post(D.app, "/hang", {}), within=_ANSWERS_WITHIN)
    names = [name_of(each) for each in await pods_of(lab)]
    took = answer.text.strip()
    expect(holds(took in names, f"{took} was made to hang", f"POST /hang gives {answer.shown}")).because(
        "Service and program were to stay as they were, and the Service leads to the DaemonSet's pods"
    )
    return took


async def started_anew(lab: TaskLab, pod: str, *, within: float) -> Observation:
    """Wait until a pod's container has been started anew and is ready.

    Args:
        within: seconds.
    """
    before = restarts(await lab.objects.named("Pod", pod).present())
    return await lab.objects.named("Pod", pod).until(
        lambda it: it is not None and restarts(it) > before and is_ready(it),
        expected="started anew, and ready", shown=_shown, within=within,
    )  # fmt: skip


async def left_alone(lab: TaskLab, *, watched_for: float) -> Observation:
    """Whether no container is started anew for some seconds, now that none hangs.

    Args:
        watched_for: seconds.
    """
    before = {name_of(each): restarts(each) for each in await pods_of(lab)}
    await lab.time.pause(watched_for)
    again = [name_of(each) for each in await pods_of(lab) if restarts(each) > before.get(name_of(each), 0)]
    alone = f"no container was started anew in {watched_for:g} s in which all were well"
    return holds(not again, alone, f"started anew: {', '.join(again)}")


async def pods_of(lab: TaskLab) -> list[Object]:
    """The pods that the DaemonSet has made, but for those that leave."""
    daemon = await lab.objects.named("DaemonSet", D.app).present()
    return [each for each in await lab.objects.all("Pod") if made_by(each, daemon) and not leaving(each)]


def _shown(pod: Object | None) -> str:
    if pod is None:
        return "gone"
    return f"restarts of its container: {restarts(pod)}, {'ready' if is_ready(pod) else 'not ready'}"
