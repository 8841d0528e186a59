"""Evictions as a drain asks for them: of a pod, of another one at once, and of the other Deployment's."""

import time
from dataclasses import dataclass

from mlops_lab.checks import Lab, LabError, Observation, expect, holds, is_ready
from mlops_lab.kit import deployments
from mlops_lab.kit.pods import leaving, name
from mlops_lab.kit.prerequisites import must
from mlops_lab.kit.replicas import scaled
from mlops_lab.kit.selectors import selects

_READY_WITHIN = 40.0
_COUNTED_WITHIN = 10.0  # s until the disruption controller has counted pods that have just become ready
_AT_ONCE = 4.0  # s in which a successor can't be ready yet


@dataclass(frozen=True)
class Drain:
    """Why evictions were refused; empty where they were granted.

    Attributes:
        first: of a pod while all are ready.
        second: of another one, a moment later.
        other: of the other Deployment's pod, then.
    """

    first: str
    second: str
    other: str


async def drained(lab: Lab, deployment: str, other: str, pods: int) -> Drain:
    """Evict one of a Deployment's pods, and ask whether more might be.

    Raises:
        Failure: the Deployments are gone, or don't have their pods.
    """
    mine = await _ready(lab, deployment, pods, _labels(deployment, "stable"))
    others = await _ready(lab, other, 1, _labels(deployment, "trial"))
    granted = await lab.time.eventually(
        lambda: lab.nodes.evict(mine[0]), lambda refusal: not refusal, expected="the eviction of a pod is granted",
        shown=lambda refusal: refusal or "granted", within=_COUNTED_WITHIN,
    )  # fmt: skip
    if not granted.ok:
        return Drain(str(granted.value), "", "")
    began = time.monotonic()
    second, trial = await lab.nodes.evict(mine[1], dry_run=True), await lab.nodes.evict(others[0], dry_run=True)
    if (took := time.monotonic() - began) > _AT_ONCE:
        raise LabError(f"the API server took {took:.0f} s for evictions", "the machine is busy; check again")
    return Drain("", second, trial)


async def drained_when_scaled(lab: Lab, deployment: str, other: str, pods: int) -> Drain:
    """The same with another number of pods; the number from before is back afterwards."""
    async with scaled(lab, deployment, pods):
        return await drained(lab, deployment, other, pods)


async def budgets(lab: Lab) -> tuple[str, ...]:
    """Each PodDisruptionBudget of the namespace in a line."""
    lines = []
    for each in await lab.objects.all("PodDisruptionBudget"):
        spec, status = each["spec"], each.get("status") or {}
        asks = ", ".join(f"{key} {spec[key]}" for key in ("minAvailable", "maxUnavailable") if key in spec)
        lines.append(
            f"PodDisruptionBudget {name(each)} ({asks}): of {status.get('expectedPods', 0)} pods "
            f"{status.get('desiredHealthy', 0)} must be ready"
        )
    return tuple(lines) or ("there is no PodDisruptionBudget in this namespace",)


async def percentages(lab: Lab, app: str) -> list[str]:
    """What the budgets of the model's pods say in percent."""
    said = [
        str(spec.get("maxUnavailable", spec.get("minAvailable")))
        for spec in [each["spec"] for each in await lab.objects.all("PodDisruptionBudget")]
        if selects(spec.get("selector"), _labels(app, "stable"))
    ]
    return [each for each in said if each.endswith("%")]


def _labels(app: str, track: str) -> dict[str, str]:
    return {"app": app, "track": track}


async def _ready(lab: Lab, deployment: str, pods: int, labels: dict[str, str]) -> list[str]:
    """The names of a Deployment's pods, once they are so many and all are ready."""
    found = await deployments.exists(lab, deployment, why="it was there when the task began; leave it where it is")
    own = (found["spec"]["template"].get("metadata") or {}).get("labels") or {}
    shown = ", ".join(f"{key}: {value}" for key, value in sorted(own.items()))
    must(
        holds(own == labels, f"the labels of Deployment {deployment}'s pods as they were", shown),
        "the Deployments and their labels stay as they are; a budget finds the pods by those that they have",
    )
    must(
        await deployments.rolled_out(lab, deployment, pods=pods, within=_READY_WITHIN),
        "kubectl describe pod says in its events what holds a pod up",
    )

    async def look() -> list[str]:
        all_pods = await deployments.owned_pods(lab, deployment)
        return sorted(name(each) for each in all_pods if is_ready(each) and not leaving(each))

    seen = await lab.time.eventually(
        look, lambda found: len(found) == pods, expected=f"{pods} ready pods of Deployment {deployment}",
        shown=lambda found: f"{len(found)} are", within=_READY_WITHIN,
    )  # fmt: skip
    must(seen, "the Deployments keep their numbers of pods")
    names: list[str] = seen.value
    return names


def one_at_a_time(found: Drain, pods: int, lines: tuple[str, ...]) -> None:
    """Was one eviction granted, and the next one refused?

    Raises:
        Failure: it was otherwise.
    """
    granted = "the eviction of a pod is granted"
    expect(holds(not found.first, granted, f"refused: {found.first[:160]}", evidence=lines)).because(
        "a budget that lets no pod go holds up the drain of its node until somebody deletes it"
    )
    seen = f"refused: {found.second[:160]}" if found.second else "granted"
    expect(
        Observation(
            bool(found.second), f"of {pods} pods no second one may be evicted a moment later", seen, None, lines
        )
    ).because(
        "a budget counts the pods that its selector matches: maxUnavailable says how many of them may be missing, "
        "minAvailable how many must be there, which is another thing when there are more pods"
    )
