"""The checks."""

from pathlib import Path

from mlops_lab.checks import Lab, Observation, check, expect, holds
from mlops_lab.kit.unchanged import unchanged
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .drain import Drain, budgets, drained, drained_when_scaled, one_at_a_time, percentages
from .draw import Drawn

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"


async def evictions(lab: Lab) -> Drain:
    """What a drain brings about."""
    return await drained(lab, D.model, D.trial, D.pods)


@check(points=2, owns="a pod")
async def holds_the_second(lab: TaskLab) -> None:
    """While all pods are ready one is evicted; that of another one is refused as long as it has no successor.

    Both Deployments are as they were given.
    """
    for each in (D.model, D.trial):
        expect(await unchanged(lab, _START, "Deployment", each)).because(
            "the Deployments stay as they are: a budget is an object of its own, and is about evictions alone"
        )
    one_at_a_time(await lab.once(evictions), D.pods, await budgets(lab))


@check(points=1, needs=holds_the_second)
async def lets_the_trial_go(lab: TaskLab) -> None:
    """Meanwhile the eviction of the other Deployment's pod is granted."""
    refusal = (await lab.once(evictions)).other
    seen = f"refused: {refusal[:160]}" if refusal else "it is granted"
    expect(
        Observation(not refusal, "the eviction of the trial's pod is granted", seen, None, await budgets(lab))
    ).because("the label app is that of both Deployments' pods: a selector of both labels matches those of one alone")


@check(points=2, needs=holds_the_second, owns="the Deployment")
async def holds_it_for_more_pods(lab: TaskLab) -> None:
    """The same holds when the Deployment is scaled to more pods."""
    found = await drained_when_scaled(lab, D.model, D.trial, D.more)
    one_at_a_time(found, D.more, await budgets(lab))
    shares = await percentages(lab, D.model)
    expect(holds(not shares, "its budget says a number of pods", f"it says {', '.join(shares)}")).because(
        "a percentage grows with the Deployment: 10 % of 20 pods are two, and of few pods it is rounded up to one"
    )
