"""Pods of the checker's that are let in or refused; they wait at a gate, and use nothing."""

from __future__ import annotations

import contextlib
from fractions import Fraction

from mlops_lab.checks import Observation, holds, quantity
from mlops_lab.kit import admission
from mlops_lab.kit.pods import leaving
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import over
from mlops_lab.measure.cluster.capacity import requests
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_LEARNED_WITHIN = 8.0  # s until a quota knows of pods that are gone
_MIB = 2**20
_SMALL = {"cpu": "1m", "memory": "1Mi"}
_MUCH_CPU = "4"  # as a limit, which nothing bounds
_ENDS = {"activeDeadlineSeconds": 600}  # a quota's scope may leave out pods with it, or those without
_CONTAINERS = 8  # of a pod: their limits are much together, and what they request is little
_WANTED = {
    "requests": {"cpu": f"{D.cpu}m", "memory": f"{D.memory}Mi"},
    "limits": {"cpu": f"{D.cpu_limit}m", "memory": f"{D.memory_limit}Mi"},
}


def has_defaults(pod: Object) -> bool:
    """Has each container of a pod the wanted requests and limits?"""
    return all(_same(each.get("resources") or {}) for each in pod["spec"]["containers"])


async def defaults(lab: TaskLab) -> Observation:
    """What a container gets that says nothing."""
    answer = await admission.answered(lab, admission.gated(lab, "says-nothing"), within=_LEARNED_WITHIN)
    expected = f"a container that says nothing gets {_shown(_WANTED)}"
    if answer.pod is None:
        return Observation(False, expected, f"its pod is refused: {answer.refusal}")
    return holds(
        has_defaults(answer.pod), expected, f"it gets {_shown(answer.pod['spec']['containers'][0]['resources'])}"
    )


async def largest_container(lab: TaskLab) -> Observation:
    """Whether a container's memory limit is bounded where it should be."""
    first, two, second = [
        await _limited(lab, *each) for each in ((D.memory_most,), (D.memory_most,) * 2, (D.memory_most + 1,))
    ]
    right = f"a memory limit of {D.memory_most}Mi is let in, one of {D.memory_most + 1}Mi is refused"
    if first.pod is None:
        return Observation(False, right, f"{D.memory_most}Mi is refused: {first.refusal}")
    if two.pod is None:
        return Observation(False, right, f"{D.memory_most}Mi for each of two containers is refused: {two.refusal}")
    return holds(second.pod is None, right, f"{D.memory_most + 1}Mi is let in")


async def sum_of(lab: TaskLab, kind: str) -> Observation:
    """Whether what all pods request together is bounded where it should be.

    Args:
        kind: `cpu` or `memory`.
    """
    unit, all_together = ("m", D.cpu_all) if kind == "cpu" else ("Mi", D.memory_all)
    taken = sum((requests(each)[kind] for each in await _counted(lab)), Fraction())
    left = int(all_together - (taken * 1000 if kind == "cpu" else taken / _MIB))
    right = f"{kind} requests up to {all_together}{unit} in all are let in, and no more"
    if left < 1:
        return Observation(False, right, f"the pods that are there request {all_together - left}{unit}")
    more = await admission.answered(lab, _requesting(lab, "one-more", kind, left + 1))
    if more.pod is not None:
        return Observation(False, right, f"{all_together + 1}{unit} in all are let in")
    just = await admission.answered(lab, _requesting(lab, "just-so-much", kind, left), within=_LEARNED_WITHIN)
    return holds(just.pod is not None, right, f"{all_together}{unit} in all are refused: {just.refusal}")


async def number_of_pods(lab: TaskLab) -> Observation:
    """Whether so many pods may be there, whatever their limits and with a deadline or without, and no more."""
    left = D.pods - len(await _counted(lab))
    right = f"{D.pods} pods are let in, and no more"
    limits = {"cpu": _MUCH_CPU, "memory": f"{D.memory_most}Mi"}
    small = [{"resources": {"requests": _SMALL, "limits": limits}} for _ in range(_CONTAINERS)]
    async with contextlib.AsyncExitStack() as stack:
        for number in range(left):
            pod = admission.gated(lab, f"one-of-many-{number}", small, **(_ENDS if number % 2 else {}))
            answer = await stack.enter_async_context(admission.tried(lab, pod, within=_LEARNED_WITHIN))
            if answer.pod is None:
                return Observation(False, right, f"pod {D.pods - left + number + 1} is refused: {answer.refusal}")
        more = await admission.answered(lab, admission.gated(lab, "one-too-many", small))
    return holds(more.pod is None, right, f"{D.pods + 1} are let in")


def _requesting(lab: TaskLab, name: str, kind: str, amount: int) -> Object:
    """A pod that requests so much of a kind and little of the other, in containers of an allowed size."""
    containers = []
    while amount > 0:
        part = min(amount, D.memory_most) if kind == "memory" else amount
        amount -= part
        own = {"cpu": f"{part}m"} if kind == "cpu" else {"memory": f"{part}Mi"}
        asked = {**_SMALL, **own}
        limits = {"cpu": _MUCH_CPU, "memory": f"{part}Mi" if kind == "memory" else "8Mi"}
        containers.append({"resources": {"requests": asked, "limits": limits}})
    return admission.gated(lab, name, containers, **_ENDS)


async def _limited(lab: TaskLab, *memory: int) -> admission.Admission:
    """The answer to a pod whose containers have so many MiB as their limits, and request little."""
    limits = [{"cpu": f"{D.cpu_limit}m", "memory": f"{each}Mi"} for each in memory]
    pod = admission.gated(lab, "large", [{"resources": {"requests": _SMALL, "limits": each}} for each in limits])
    return await admission.answered(lab, pod, within=_LEARNED_WITHIN if max(memory) <= D.memory_most else 0)


async def _counted(lab: TaskLab) -> list[Object]:
    """The pods that a quota counts, once none of them is on its way out: until it is gone it counts, too."""

    async def there() -> list[Object]:
        return [each for each in await lab.objects.all("Pod") if not over(each)]

    seen = await lab.time.eventually(
        there, lambda pods: not any(map(leaving, pods)), expected="no pod is being deleted",
        shown=lambda pods: f"{sum(map(leaving, pods))} are", within=_LEARNED_WITHIN,
    )  # fmt: skip
    return list(seen.value)


def _same(resources: Object) -> bool:
    return all(
        set(resources.get(part) or {}) >= set(wanted)
        and all(quantity(resources[part][kind]) == quantity(amount) for kind, amount in wanted.items())
        for part, wanted in _WANTED.items()
    )


def _shown(resources: Object) -> str:
    parts = (
        (part, ", ".join(f"{kind} {amount}" for kind, amount in sorted((resources.get(part) or {}).items())))
        for part in _WANTED
    )
    return "; ".join(f"{part} {said or 'none'}" for part, said in parts)
