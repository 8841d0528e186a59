"""What lab 13 plays once: a node is drained under load, and then all pods get a release that can't load its model."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mlops_lab.checks import Lab, LabError, Observation, expect, holds, is_ready
from mlops_lab.kit.losses import none_lost
from mlops_lab.kit.pods import is_running, leaving, name, runs
from mlops_lab.kit.restore import interrupted, put_back
from mlops_lab.kit.services import busy_cluster
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.report import LoadReport

from .budgets import budgets, labels_next, matching_budgets, others_next, see_none_ready
from .placement import chosen

PODS = 3
UP_WITHIN = 90  # s, for pods that were applied just before
STAYS = "what is checked must stay until the check ends: apply it again, and check again"
COUNTED_WITHIN = 20  # s until the disruption controller has counted pods that have just become ready
RATE = 100  # requests a second
LATE = 1.0  # s that requests may leave late while pods start on a small machine: failures are counted, no latencies
BEFORE, AFTER = 5, 5  # s of load before the drain, and after it
AT_ONCE = 4  # s between two evictions that count as made at once; the model alone loads for longer than that
DRAINED_WITHIN = 120  # s from the first eviction until no pod of the Service is left on the node
BACK_WITHIN = 60  # s from then until all pods are ready elsewhere
AGAIN = 1.0  # s; kubectl drain takes 5
LOST_AT_MOST = 0.1  # % of the requests
READY = {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 2, "timeoutSeconds": 5}  # of the bad release
BROKEN_WITHIN = DRAINED_WITHIN + 60  # s until all pods are of the broken image and not ready; old ones may end late
GRANTED_WITHIN = 10  # s
GONE_WITHIN = 40  # s for pods that are deleted with a grace of 1 s

NEXT_RELEASE = "a budget that also matches the pods of the next release"
BY_OTHER_LABELS = "none does; in each release these labels have another value"
NOT_YET = Observation(False, "the drain before this", "it did not come to this")


@dataclass
class Maintenance:
    """What the drain and the bad release brought about; what did not happen is not met.

    Attributes:
        template: the Deployment's pod template before.
        labels: of the pods of its next release.
        statuses: of the requests, with counts.
    """

    template: Object
    labels: dict[str, str]
    second: Observation = NOT_YET
    drained: Observation = NOT_YET
    back: Observation = NOT_YET
    lost: Observation = NOT_YET
    broken: Observation = NOT_YET
    gone: Observation = NOT_YET
    statuses: Counter[int] = field(default_factory=Counter)


async def maintained(lab: Lab) -> Maintenance:
    """Drain a node under load, then let a bad release happen; ends at the first thing that is not as asked."""
    before = await lab.objects.deployment("model").present()
    found = Maintenance(before["spec"]["template"], labels_next(before))
    try:
        await drain(lab, found)
        if found.lost.ok:
            await break_all(lab, before, found)
    finally:
        await back_as_found(lab, before)
    return found


async def drain(lab: Lab, found: Maintenance) -> None:
    """Empty the node with most pods under load, and keep it closed until they are all ready elsewhere."""
    pods = await lab.objects.pods_of("model")
    node, first, other = chosen(pods, {name(each) for each in await lab.nodes.workers(at_least=2)})
    body, duration = lab.traffic.hidden_rows(1).body, BEFORE + DRAINED_WITHIN + COUNTED_WITHIN + BACK_WITHIN + AFTER
    async with lab.traffic.load("model", rate=RATE, duration=duration, body=body, late_at_most=LATE) as load:
        await lab.time.pause(BEFORE)
        async with lab.nodes.cordoned(node):
            async with busy_cluster(lab):  # in a quiet one pods that end at once lose so little that luck decides
                first_refused = await refused_for(lab, first, COUNTED_WITHIN)
            began = time.monotonic()
            second_refused = "" if first_refused else await lab.nodes.evict(other)
            if (took := time.monotonic() - began) > AT_ONCE:
                raise LabError(f"the API server took {took:.0f} s for an eviction", "the machine is busy; check again")
            found.second = second(first_refused, second_refused, len(pods), await budgets(lab))
            if found.second.ok and not await matching_budgets(lab, found.labels):
                others = ", ".join(others_next(found.labels))
                found.second = Observation(False, NEXT_RELEASE, f"{BY_OTHER_LABELS}: {others}")
            if not found.second.ok:
                return
            found.drained = await emptied(lab, node, began)
            if not found.drained.ok:
                return
            found.back = await lab.objects.deployment("model").rolled_out(
                pods=PODS, within=BACK_WITHIN, expected=f"all pods ready on other nodes than {node}"
            )
        await lab.time.pause(AFTER)
    found.lost, found.statuses = lost(load.report), load.report.statuses


async def refused_for(lab: Lab, pod: str, within: float) -> str:
    """Ask for an eviction until it is granted; the refusal if it never is."""
    end = time.monotonic() + within
    while (refusal := await lab.nodes.evict(pod)) and time.monotonic() < end:
        await lab.time.pause(AGAIN)
    return refusal


async def emptied(lab: Lab, node: str, began: float) -> Observation:
    """Evict what the Service has on a node until it is all gone."""
    selector = (await lab.objects.named("Service", "model").present())["spec"].get("selector") or {}
    expect(holds(bool(selector), "Service model with a selector", "it has none any more")).because(STAYS)
    labels, refusal = ",".join(f"{key}={value}" for key, value in selector.items()), ""
    known: set[str] | None = None
    while True:
        here = [each for each in await lab.objects.all("Pod", labels) if each["spec"].get("nodeName") == node]
        took = time.monotonic() - began
        known = {name(each) for each in here} if known is None else known
        came = len({name(each) for each in here} - known)
        if not here or came or took > DRAINED_WITHIN:
            break
        for each in here:
            if not leaving(each):
                refusal = await lab.nodes.evict(name(each)) or refusal
        await lab.time.pause(AGAIN)
    ending = sum(map(leaving, here))
    seen = f"{len(here)} left, {ending} of them about to end; last refusal: {refusal or 'none'}" if here else "empty"
    seen = f"{came} came to it though it is closed" if came else seen
    return Observation(
        not here,
        f"node {node} empty of the Service's pods within {DRAINED_WITHIN} s",
        f"{seen} after {took:.0f} s",
        took,
        () if not here else await budgets(lab),
        "the drained node",
    )


async def break_all(lab: Lab, before: Object, found: Maintenance) -> None:
    """Put a broken image into all pods at once, and ask for their eviction when the budget has noticed."""
    image = lab.platform.image("v3-broken")
    patch = {
        "spec": {
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"}},
            "template": {"spec": {"containers": released(before["spec"]["template"]["spec"]["containers"], image)}},
        }
    }
    wanted = (await lab.objects.patch("Deployment", "model", patch))["spec"].get("replicas", 1)
    seen = await lab.objects.pods_until(
        "model", lambda pods: all_broken(pods, image, wanted), expected="all pods run the broken image", shown=states,
        within=BROKEN_WITHIN,
    )  # fmt: skip
    covering = await lab.time.eventually(
        lambda: see_none_ready(lab, found.labels),
        all,
        expected="the budget has seen that no pod is ready",
        shown=lambda seen: f"{sum(seen)} of {len(seen)} budgets have",
        within=COUNTED_WITHIN,
    )
    if not (seen.ok and covering.ok):
        raise LabError(
            f"a broken release could not be played: {seen.seen}; {covering.seen}",
            "see what holds the pods up: lab explain 13; then check again",
        )
    pods = [name(each) for each in seen.value]

    async def refusals() -> list[str]:
        return [refusal for pod in pods if (refusal := await lab.nodes.evict(pod, dry_run=True))]

    granted = await lab.time.eventually(
        refusals,
        lambda refused: not refused,
        expected=f"the evictions of {len(pods)} pods that are not ready are granted",
        shown=lambda refused: f"{len(refused)} refused: {refused[0]}" if refused else "all granted",
        within=GRANTED_WITHIN,
    )
    found.broken = Observation(granted.ok, granted.expected, granted.seen, None, await budgets(lab))
    if granted.ok:
        found.gone = await evicted_and_gone(lab, pods[0])


async def evicted_and_gone(lab: Lab, pod: str) -> Observation:
    """Evict a pod that is not ready, and wait until it is gone."""
    expected = "a pod that is not ready is gone after its eviction"
    if refusal := await refused_for(lab, pod, GRANTED_WITHIN):
        return Observation(False, expected, f"refused: {refusal}", None, await budgets(lab))
    return await lab.time.eventually(
        lab.objects.named("Pod", pod).now,
        lambda item: item is None,
        expected=expected,
        shown=lambda item: "it is gone" if item is None else "it is still there",
        within=DRAINED_WITHIN,
    )


def all_broken(pods: Sequence[Object], image: str, least: int) -> bool:
    """Do all pods, so many at least, run an image and are not ready? An autoscaler may have added some meanwhile."""
    return len(pods) >= least and all(runs(each, image) and is_running(each) and not is_ready(each) for each in pods)


async def back_as_found(lab: Lab, before: Object) -> None:
    """Put the Deployment back, and let its pods be placed anew; who interrupts is not made to wait."""
    try:
        if not interrupted():
            with contextlib.suppress(LabError):  # then its pods stay where they are
                await scaled_to_none(lab)
    finally:
        await put_back(lab, before)
    if not interrupted():
        await lab.objects.deployment("model").rolled_out(within=UP_WITHIN)


async def scaled_to_none(lab: Lab) -> None:
    """Take all pods of the Deployment away: where the last ones are decides where the next ones go."""
    await lab.objects.patch("Deployment", "model", {"spec": {"replicas": 0}})
    end = time.monotonic() + GONE_WITHIN
    asked: set[str] = set()
    while time.monotonic() < end:
        left = [each for each in await lab.objects.all("Pod") if owned_by_replicaset(each)]
        if not left:
            return
        for each in left:
            if leaving(each) and name(each) not in asked:
                await lab.objects.delete("Pod", name(each), grace=1)
                asked.add(name(each))
        await lab.time.pause(0.5)


def second(first_refused: str, second_refused: str, pods: int, lines: tuple[str, ...]) -> Observation:
    """What became of two evictions at once."""
    if first_refused:
        return Observation(False, "the first of two evictions is granted", f"refused: {first_refused}", None, lines)
    return Observation(
        bool(second_refused),
        "a second eviction at once is refused",
        f"refused: {second_refused}" if second_refused else f"granted: two of {pods} pods went at once",
        None,
        lines,
    )


def lost(report: LoadReport) -> Observation:
    """Whether few enough requests failed."""
    few = report.failed <= report.sent * LOST_AT_MOST / 100
    return replace(none_lost(report), ok=few, expected=f"failed requests: at most {LOST_AT_MOST} % of {report.sent}")


def released(containers: Sequence[Object], image: str) -> list[Object]:
    """The containers, with another image in that of the model server.

    And with the probe that asks whether the model is loaded: by one that only waits a while, these pods would become
    ready all the same, and on a slow machine the first of them before the last one runs.
    """
    servers = [each for each in containers if "/flight-delay:" in each["image"]] or containers[:1]
    return [{**each, "image": image, "readinessProbe": READY} if each in servers else each for each in containers]


def owned_by_replicaset(pod: Object) -> bool:
    """Is it of the Deployment? Its ReplicaSets' names begin with its own."""
    owners = pod["metadata"].get("ownerReferences") or []
    return any(each["kind"] == "ReplicaSet" and each["name"].startswith("model-") for each in owners)


def states(pods: Sequence[Object]) -> str:
    """How many pods there are, run and are ready."""
    ready, running = sum(map(is_ready, pods)), sum(map(is_running, pods))
    return f"{len(pods)} pods, {running} run, {ready} are ready"
