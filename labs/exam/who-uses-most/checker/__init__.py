"""The checks. Who uses what is how the pods were made, and not asked again: one of them may be gone by now."""

from mlops_lab.checks import Observation, check, equal_to, expect, observe
from mlops_lab.kit import presence
from mlops_lab.kit.texts import lines_of
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_SHOWN = 160
_SO_MANY_WITHIN = 25.0  # s


@check(points=2, domains=("cka/troubleshooting", "ckad/observability-and-maintenance"))
async def names_pods_by_cpu(lab: TaskLab) -> None:
    """`cpu.txt` has the group's pods by what they use of CPU, the one that uses most first."""
    seen = ", ".join(lines_of(lab, "cpu.txt", "the names of pods in it, one in a line"))[:_SHOWN] or "nothing"
    wanted = ", ".join(f"{name}-0" for name in D.by_cpu)
    expect(observe("cpu.txt", seen, equal_to(wanted))).because(
        f"kubectl top pod -l group={D.group} --sort-by=cpu has them in this order, once they have been measured"
    )


@check(points=2, domains=("cka/troubleshooting", "ckad/observability-and-maintenance"))
async def names_who_keeps_most(lab: TaskLab) -> None:
    """`memory.txt` names the pod and the container that uses most memory."""
    lines = lines_of(lab, "memory.txt", "one line in it: POD CONTAINER")
    seen = " / ".join(" ".join(line.split()) for line in lines)[:_SHOWN] or "nothing"
    expect(observe("memory.txt", seen, equal_to(f"{D.keeper}-0 store"))).because(
        "kubectl top pod --containers --sort-by=memory has each container of a pod by itself"
    )


@check(points=2, domains=("cka/troubleshooting", "ckad/observability-and-maintenance"))
async def stops_that_one_alone(lab: TaskLab) -> None:
    """The StatefulSet whose pod used most CPU has no pods; each of the others has its one."""
    top, *others = sorted(D.names, key=lambda name: name != D.by_cpu[0])
    why = "kubectl scale statefulset NAME --replicas=0 is for the one that uses most, and for it alone"
    expect(await _has(lab, top, 0)).because(why)
    for name in others:
        expect(await _has(lab, name, 1)).because(why)


async def _has(lab: TaskLab, name: str, wanted: int) -> Observation:
    """Wait until a StatefulSet wants so many pods, and has them."""
    await presence.exists(lab, "StatefulSet", name, "it was there; kubectl scale leaves it there, with other pods")
    return await lab.objects.named("StatefulSet", name).until(
        lambda item: _pods(item) == (wanted, wanted, wanted),
        expected=f"{wanted} pods wanted, there and ready",
        shown=lambda item: "{} wanted, {} there, {} ready".format(*_pods(item)),
        within=_SO_MANY_WITHIN,
    )


def _pods(item: Object | None) -> tuple[int, int, int]:
    """How many pods a StatefulSet wants, has, and has ready."""
    status = (item or {}).get("status") or {}
    wanted = ((item or {}).get("spec") or {}).get("replicas", 1)
    return int(wanted), int(status.get("replicas") or 0), int(status.get("readyReplicas") or 0)
