"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import admission, presence
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from . import trials
from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_DOMAINS = ("cka/workloads-and-scheduling",)


@check(points=3, owns="the place", domains=_DOMAINS)
async def takes_the_place(lab: TaskLab) -> None:
    """Pods of the urgent Deployment have the class and its priority, and take the place from one that runs."""
    await trials.as_they_were(lab)
    expect(await trials.priority_of(lab, D.urgent, D.high, D.high_value)).because(
        "a pod has the priority of the class that its template names, from the moment when it is made"
    )
    expect(await trials.takes_over(lab)).because(
        "the scheduler deletes a pod of lower priority if that makes room; with preemptionPolicy Never it does not"
    )


@check(points=2, owns="the queue", domains=_DOMAINS)
async def waits_in_turn(lab: TaskLab) -> None:
    """A pod of the polite Deployment has the class and its priority, and no pod that runs has to go for it."""
    await trials.as_they_were(lab)
    expect(await trials.priority_of(lab, D.report, D.polite, D.polite_value)).because(
        "pods that wait are taken by their priority, which is that of the class that their template names"
    )
    expect(await trials.waits_for_its_turn(lab)).because(
        "pods of a class preempt those of lower priority unless its preemptionPolicy is Never"
    )


@check(points=1, domains=_DOMAINS)
async def raises_nobody_else(lab: TaskLab) -> None:
    """A pod that names no class has the priority that it had before, and the Deployments are otherwise as they were."""
    for name in (D.high, D.polite):
        found = await presence.exists(lab, "PriorityClass", name, "pods name their class, which must be there first")
        default = bool(found.get("globalDefault"))
        expect(holds(not default, f"{name} is for those that name it", f"{name} is the global default")).because(
            "the class that is the global default is that of all pods in the cluster that name none"
        )
    began = (await lab.objects.named("Namespace", lab.namespace).present())["metadata"]["creationTimestamp"]
    before = [
        each for each in await lab.objects.all("PriorityClass")
        if each.get("globalDefault") and each["metadata"]["creationTimestamp"] < began
    ]  # fmt: skip
    usual = int(before[0]["value"]) if before else 0
    answer = await admission.answered(lab, admission.gated(lab, "names-no-class"))
    seen = answer.pod["spec"].get("priority", 0) if answer.pod else answer.refusal
    expect(observe("priority of a pod without a class", seen, equal_to(usual))).because(
        "it is 0, or that of the class that was the global default before"
    )
    for name in (D.batch, D.urgent, D.report):
        # What a class fills in, too; the numbers of pods are looked at before.
        own = () if name == D.batch else ("template.spec.priority*", "template.spec.preemptionPolicy")
        expect(await unchanged(lab, _START, "Deployment", name, free=("replicas", *own))).because(
            f"only pods of {D.urgent} and {D.report} were to get a class: with one of its own {D.batch} waits beside "
            "them, and not behind them"
        )
