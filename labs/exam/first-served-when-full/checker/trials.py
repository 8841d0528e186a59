"""Who has the place, and who gets it when another one comes; the numbers of pods are put back afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from mlops_lab.checks import Observation, equal_to, holds, observe
from mlops_lab.kit import admission, presence
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.pods import is_running, leaving
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.replicas import scaled
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_PODS = {D.batch: 1, D.urgent: 1, D.report: 0}
_WITHIN, _SETTLED_AFTER = 15.0, 1.5  # s


async def as_they_were(lab: TaskLab) -> None:
    """The Deployments have the numbers of pods and the anti-affinity that they had.

    Raises:
        Failure: they have not.
    """
    for name, pods in _PODS.items():
        found = await presence.exists(lab, "Deployment", name, "it was there, and was to stay")
        wanted, template = found["spec"].get("replicas", 1), found["spec"]["template"]
        must(observe(f"pods of {name}", wanted, equal_to(pods)), "their numbers of pods were to stay")
        shares = (template["metadata"].get("labels") or {}).get("licence") == D.licence
        affinity = (template["spec"].get("affinity") or {}).get("podAntiAffinity") or {}
        kept = shares and bool(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"))
        must(
            holds(kept, f"{name} shares the licence", f"{name} has no anti-affinity any more, or not its label"),
            "the licence allows one pod at a time, whatever priority it has",
        )


async def priority_of(lab: TaskLab, name: str, named: str, value: int) -> Observation:
    """Whether a Deployment's template names that class, and a pod that it makes gets that priority."""
    spec = (await lab.objects.deployment(name).present())["spec"]["template"]["spec"]
    own = spec.get("priorityClassName") or "none"
    must(
        observe(f"class that the template of {name} names", own, equal_to(named)),
        "pods have the class that their template names, and one of another name is another class, whatever its value. "
        "The value of one that is there can't be changed: delete it, and create it anew",
    )
    probe = admission.gated(lab, "of-its-class", priorityClassName=named)
    answer = await admission.answered(lab, probe)
    seen = answer.pod["spec"].get("priority", 0) if answer.pod else answer.refusal
    return observe(f"priority of {name}'s pods", seen, equal_to(value))


async def takes_over(lab: TaskLab) -> Observation:
    """Whether a new pod of the urgent Deployment gets the place that the first one's pod has."""
    async with _first_has_it(lab) as holder, scaled(lab, D.urgent, 1):
        seen = await _until(lab, D.urgent, is_running)
        stays = holder in [each["metadata"]["uid"] for each in await _pods(lab, D.batch)]
    took = f"a new pod of {D.urgent} takes the place from {D.batch}'s"
    return holds(seen and not stays, took, "both run at once" if seen else f"{D.batch}'s pod keeps it")


async def waits_for_its_turn(lab: TaskLab) -> Observation:
    """Whether a new pod of the polite Deployment waits, and the first one's pod stays."""
    async with _first_has_it(lab) as holder, scaled(lab, D.report, 1):
        decided = await _until(lab, D.report, _decided)
        must(holds(decided, f"a pod of {D.report}", "there is none"), "the Deployment makes one when it is scaled up")
        await lab.time.pause(_SETTLED_AFTER)
        now = [each["metadata"]["uid"] for each in await _pods(lab, D.batch) if is_running(each)]
    stays = f"{D.batch}'s pod goes on while one of {D.report} waits"
    return holds(now == [holder], stays, f"{D.batch}'s pod had to go")


@contextlib.asynccontextmanager
async def _first_has_it(lab: TaskLab) -> AsyncIterator[str]:
    """The first Deployment's pod has the place, as the urgent one has no pods meanwhile; gives that pod's UID.

    Raises:
        Failure: it does not get it.
    """
    async with scaled(lab, D.urgent, 0):
        runs = await _until(lab, D.batch, is_running)
        gets = f"{D.batch} gets the place when nobody else wants it"
        must(holds(runs, gets, "it does not"), "it was to go on as before when there is room for it")
        running = [each for each in await _pods(lab, D.batch) if is_running(each)]
        yield str(running[0]["metadata"]["uid"]) if running else ""


async def _until(lab: TaskLab, name: str, test: Callable[[Object], bool]) -> bool:
    """Wait until the test holds for a pod of a Deployment's."""
    seen = await lab.time.eventually(
        lambda: _pods(lab, name), lambda pods: any(map(test, pods)), expected=f"a pod of {name}", shown=_shown,
        within=_WITHIN, every=0.3,
    )  # fmt: skip
    return seen.ok


def _shown(pods: Sequence[Object]) -> str:
    return ", ".join(f"{each['metadata']['name']} {each['status'].get('phase')}" for each in pods) or "no pods"


async def _pods(lab: TaskLab, name: str) -> list[Object]:
    return [each for each in await owned_pods(lab, name) if not leaving(each)]


def _decided(pod: Object) -> bool:
    """Has the scheduler looked at it, whatever came of it?"""
    return any(each["type"] == "PodScheduled" for each in pod.get("status", {}).get("conditions") or [])
