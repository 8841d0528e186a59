"""Lab 10: how many pods serve the model while requests come, and after they have stopped.

One load serves all checks of what happens under load. When the autoscaler did not act, the reason is read from its
own status; a metrics API that has no figures is the cluster's fault, not the learner's.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, at_least, at_most, check, equal_to, expect, observe, quantity
from mlops_lab.measure.traffic.flights import difference, numbers

Item = dict[str, Any]

RATE = 40  # requests a second, one flight each
OUT_WITHIN = 90  # seconds from the load's start to the second ready pod
SHARED = 15  # seconds for which the load goes on with all pods
IN_WITHIN = 100  # seconds from the load's end
FIGURES_WITHIN = 75  # seconds for all autoscalers of the Deployment
MOST_PODS = 4
P99 = 0.5  # seconds


@check(points=1, domains=("ckad/services-and-networking",))
async def serves(lab: Lab) -> None:
    """The Service `model` answers on port 80, with the model's own values for 50 flights that you have not seen."""
    deployment = lab.objects.deployment("model")
    if await deployment.now() is None:
        expect(Observation(False, "a Deployment named model", "there is none in this namespace")).because(
            "nothing runs before it is applied: kubectl apply -f model.yaml, then kubectl get deployments"
        )
    expect(await deployment.becomes(ready_replicas=at_least(1), within=60)).because(
        "a Service sends requests to ready pods only; kubectl describe pod says in its events what holds the pod up"
    )
    flights = lab.traffic.hidden_rows(50)
    # A pod without a readiness probe counts as ready before its model is loaded; that is another check's matter.
    answer = await lab.traffic.first_answer(lambda: lab.traffic.post("model", "/predict", flights.body), within=30)
    selected = len(await lab.objects.pods_of("model"))
    expect(observe("status of POST /predict", answer.status, equal_to(200))).because(
        f"0 means no answer. The Service's selector matches {selected} pods: it must be labels of the Deployment's pod "
        "template, and targetPort the container's port; kubectl get endpointslices shows which addresses it found"
    )
    given, own = answer.fields().get("probabilities"), flights.probabilities("v1")
    expect(observe("probabilities for 50 flights", len(numbers(given) or []), equal_to(len(own)))).because(
        "it is one for each flight; this is another server's answer"
    )
    apart = difference(given, own)
    expect(observe("largest difference from the model's own values", apart, at_most(0.0001))).because(
        "another model (or another version) answers; this lab is about localhost:5001/flight-delay:v1"
    )


@check(points=1, needs=serves, domains=("cka/workloads-and-scheduling",))
async def rests_at_one(lab: Lab) -> None:
    """Without load there is exactly one ready pod, and it stays at one once the autoscaler has its figures."""
    end = time.monotonic() + IN_WITHIN
    while True:  # CPU that a pod took to start may bring a second one at first; what counts is where it comes to rest
        rests = await _rests(lab, max(1.0, end - time.monotonic()))
        if rests.ok or time.monotonic() > end:
            break
    if not rests.ok:
        rests = replace(rests, expected=f"Deployment model: exactly 1 pod, ready, and left so, within {IN_WITHIN} s")
    expect(rests).because("" if rests.ok else await _why_not_one(lab))


async def _rests(lab: Lab, within: float) -> Observation:
    """Whether one pod is left alone by an autoscaler that has seen its figures: without them it judges nothing."""
    deployment = lab.objects.deployment("model")
    one = await deployment.until(_alone, expected="exactly 1 pod, ready", shown=_pods, within=within)
    if not one.ok:
        return one
    end = time.monotonic() + FIGURES_WITHIN
    for hpa in await _ours(lab):
        if (left := end - time.monotonic()) <= 0:
            break
        await lab.objects.named("HorizontalPodAutoscaler", hpa["metadata"]["name"]).until(
            _has_judged, expected="figures", shown=lambda _: "the autoscaler has no figures yet", within=left
        )
    moved = await deployment.until(lambda item: not _alone(item), expected="", shown=_pods, within=5)
    return Observation(not moved.ok, "Deployment model: still exactly 1 pod, ready", moved.seen)


@check(points=3, needs=(serves, rests_at_one), domains=("cka/workloads-and-scheduling",), owns="model")
async def scales_out_under_load(lab: Lab) -> None:
    """With 40 requests a second a second pod is ready within 90 s of the first request."""
    surge = await lab.once(_surge)
    expect(surge.scaled).because(surge.why)


@check(points=1, needs=scales_out_under_load, domains=("cka/workloads-and-scheduling",), owns="model")
async def keeps_within_budget(lab: Lab) -> None:
    """Under that load there are never more than 4 pods."""
    surge = await lab.once(_surge)
    expect(observe("most pods at a time", surge.most, at_most(MOST_PODS))).because(
        "the autoscaler wants (CPU used by a pod / target) x pods, rounded up, so a small request asks for many pods; "
        "only maxReplicas bounds what a surge, or a bug, can cost"
    )


@check(
    points=2,
    needs=scales_out_under_load,
    domains=("ckad/observability-and-maintenance", "ckad/environment-configuration-and-security"),
    owns="model",
)
async def keeps_the_objective(lab: Lab) -> None:
    """Under that load at least 99.9 % of the requests are answered well, with a 99th percentile of 0.5 s at most."""
    report = (await lab.once(_surge)).report
    ended = report.good + report.failed
    evidence = [f"{count} x {error}" for error, count in report.errors.most_common(3)]
    evidence += [f"{count} x status {status}" for status, count in report.statuses.most_common(4)]
    good = observe(
        f"requests answered with 200, of {ended}", 100 * report.good / max(1, ended), at_least(99.9), unit="%",
        evidence=evidence,
    )  # fmt: skip
    expect(good).because(
        "a Service sends requests to a new pod from the moment it is ready. With no readinessProbe that is when its "
        "process runs, with one on /healthz when it listens; but this server answers 503 until its model is loaded, "
        "8 s later. Only GET /readyz tells when it can serve"
    )
    expect(observe("99th percentile, from when each request was due", report.p(99), at_most(P99), unit="s")).because(
        "requests queue where a pod has less CPU than they need: a CPU limit stops the container for the rest of each "
        "100 ms once it is used up, and adding a pod takes half a minute and more; compare kubectl top pod with limits"
    )


@check(points=2, needs=scales_out_under_load, domains=("cka/workloads-and-scheduling",), owns="model")
async def scales_in_again(lab: Lab) -> None:
    """Within 100 s of the load's end there is exactly one pod again."""
    surge = await lab.once(_surge)
    deployment = lab.objects.deployment("model")
    left = max(1.0, surge.ended + IN_WITHIN - time.monotonic())
    back = await deployment.until(_alone, expected="exactly 1 pod, ready", shown=_pods, within=left)
    took = time.monotonic() - surge.ended
    back = replace(
        back,
        expected=f"Deployment model: exactly 1 pod, ready, within {IN_WITHIN} s of the load's end",
        seen=f"{_pods(await deployment.now())} {took:.0f} s after the load's end",
    )
    expect(back).because("" if back.ok else await _why_not_one(lab))


@dataclass(frozen=True)
class Surge:
    """What one load brought about; `ended` is on the monotonic clock."""

    scaled: Observation
    why: str
    most: int
    report: Any
    ended: float


async def _surge(lab: Lab) -> Surge:
    """Load until a second pod is ready or its time is over, then for a while longer with all pods."""
    deployment = lab.objects.deployment("model")
    whole, why, most = OUT_WITHIN + SHARED, "", 0

    def counted(item: Item | None) -> bool:
        nonlocal most
        most = max(most, _count(item, "replicas"))
        return False

    watch = asyncio.create_task(deployment.until(counted, expected="", shown=_pods, within=whole + IN_WITHIN))
    try:
        # Starting pods may hold up the load a little; a fifth of the objective still says something about the server.
        async with lab.traffic.load(
            "model", rate=RATE, body=lab.traffic.hidden_rows(1).body, duration=whole, late_at_most=P99 / 5
        ) as load:
            scaled = await deployment.becomes(ready_replicas=at_least(2), within=OUT_WITHIN)
            if scaled.ok:
                await lab.time.pause(SHARED)
            else:
                why, told = await _why_no_second_pod(lab)
                scaled = replace(scaled, evidence=(*told, *scaled.evidence))
        ended = time.monotonic()
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
    return Surge(scaled, why, most, load.report, ended)


def _count(item: Item | None, name: str) -> int:
    return int(((item or {}).get("status") or {}).get(name) or 0)


def _alone(item: Item | None) -> bool:
    return item is not None and item["spec"].get("replicas") == _count(item, "replicas") == 1 == _ready(item)


def _ready(item: Item | None) -> int:
    return _count(item, "readyReplicas")


def _pods(item: Item | None) -> str:
    if item is None:
        return "no Deployment"
    count = _count(item, "replicas")
    return f"{count} pod{'s' if count != 1 else ''}, {_ready(item)} ready"


async def _ours(lab: Lab) -> list[Item]:
    """The autoscalers of Deployment model."""
    return [
        hpa
        for hpa in await lab.objects.all("HorizontalPodAutoscaler")
        if (hpa["spec"]["scaleTargetRef"]["kind"], hpa["spec"]["scaleTargetRef"]["name"]) == ("Deployment", "model")
    ]


def _conditions(hpa: Item | None) -> dict[str, dict[str, str]]:
    return {each["type"]: each for each in ((hpa or {}).get("status") or {}).get("conditions") or []}


def _has_judged(hpa: Item | None) -> bool:
    """It computed a number of pods, or says that with this spec it never will."""
    active = _conditions(hpa).get("ScalingActive", {})
    return active.get("status") == "True" or "missing request" in active.get("message", "")


async def _why_no_second_pod(lab: Lab) -> tuple[str, tuple[str, ...]]:
    """Why the autoscaler did not bring a second pod, and its conditions as evidence.

    Raises:
        LabError: the metrics API has no figures for pods that have been serving for more than a minute.
    """
    every, ours = await lab.objects.all("HorizontalPodAutoscaler"), await _ours(lab)
    if not every:
        return (
            "no HorizontalPodAutoscaler is in this namespace, so nothing changes the number of pods; "
            "kubectl get hpa lists them"
        ), ()
    hpa = (ours or every)[0]
    name, spec, conditions = hpa["metadata"]["name"], hpa["spec"], _conditions(hpa)
    evidence = tuple(
        f"HorizontalPodAutoscaler {name}: {kind} is {each['status']} ({each['reason']}): {each['message']}"
        for kind, each in conditions.items()
    )
    target, active = spec["scaleTargetRef"], conditions.get("ScalingActive", {})
    message, wanted = active.get("message", ""), _count(hpa, "desiredReplicas")
    metrics = [_metric(each) for each in spec["metrics"]]
    if not ours:
        why = (
            f"the HPA {name} is for {target['kind']} {target['name']}, not for Deployment model. scaleTargetRef goes "
            "by exact kind and name, and a name that does not exist is accepted all the same: only the HPA's "
            "condition AbleToScale tells"
        )
    elif "missing request" in message:
        why = (
            "a target in percent is a percentage of the containers' CPU request, and a container has none: there is "
            "nothing to take the percentage of, so the autoscaler does nothing at all (kubectl get hpa: <unknown>). "
            "Set resources.requests.cpu in the Deployment's pod template"
        )
    elif active.get("status") != "True" and "from resource metrics API" in message:
        raise LabError(f"the metrics API has no figures for this lab's pods: {message}", "look at it with: lab doctor")
    elif active.get("status") != "True":
        why = "the HPA cannot compute a number of pods; its condition ScalingActive says why"
    elif not any(each.startswith("cpu") for each in metrics):
        why = (
            f"the HPA looks at {', '.join(metrics)}. A model server's memory is its model: it hardly changes with the "
            "number of requests, while each request costs CPU time"
        )
    elif spec["maxReplicas"] < 2:
        why = "maxReplicas is 1: whatever the autoscaler computes is cut to that (condition ScalingLimited)"
    elif wanted >= 2:
        why = (
            f"the HPA asked for {wanted} pods, but no second one was ready in time: it must be scheduled (is its "
            "request free on a node?), start, and load its model; kubectl get pods, kubectl describe pod"
        )
    else:
        why = f"{await _figures(lab, hpa)}. It adds a pod only when the use is more than 10 % over the target"
    return f"{why}; kubectl describe hpa {name}", evidence


def _metric(metric: dict[str, Any]) -> str:
    """One entry of spec.metrics in words, such as `cpu`."""
    source = metric.get("resource") or metric.get("containerResource") or {}
    return str(source.get("name") or metric["type"])


async def _figures(lab: Lab, hpa: Item) -> str:
    """What the autoscaler sees and what it compares that to, with the numbers."""
    texts = []
    for wanted, seen in zip(hpa["spec"]["metrics"], hpa["status"].get("currentMetrics") or [], strict=False):
        kind = "containerResource" if "containerResource" in wanted else "resource"
        target, current = wanted.get(kind, {}).get("target", {}), seen.get(kind, {}).get("current", {})
        text = f"it sees {current.get('averageValue', '?')} of {_metric(wanted)} a pod"
        if "averageUtilization" in target:
            text += f", {current.get('averageUtilization', '?')} % of the request; its target is "
            text += f"{target['averageUtilization']} %"
            if _metric(wanted) == "cpu":
                text += f", which is {await _percent(lab, target['averageUtilization'])}"
        else:
            text += f"; its target is {target.get('averageValue', '?')}"
        texts.append(text)
    return "; ".join(texts) or "the HPA has no figures yet"


async def _percent(lab: Lab, percent: int) -> str:
    """That percentage of a pod's CPU request, such as `400m`."""
    pods = await lab.objects.pods_of("model")
    containers = pods[0]["spec"]["containers"] if pods else []
    requests = [each.get("resources", {}).get("requests", {}).get("cpu", "0") for each in containers]
    whole = sum(quantity(each) for each in requests)
    return f"{whole * percent * 10:.0f}m of its {whole * 1000:.0f}m"


async def _why_not_one(lab: Lab) -> str:
    """Why there is not exactly one pod although nobody asks anything."""
    ours = await _ours(lab)
    if not ours:
        return "the Deployment's own replicas count: with no HPA for it, nothing else sets how many pods there are"
    hpa = ours[0]
    low = hpa["spec"].get("minReplicas", 1)
    if low > 1:
        return f"minReplicas is {low}: the autoscaler never goes below, and at rest those pods are paid for nothing"
    down = (hpa["spec"].get("behavior") or {}).get("scaleDown") or {}
    if down.get("selectPolicy") == "Disabled":
        return "behavior.scaleDown.selectPolicy is Disabled: the autoscaler may add pods, and never takes one away"
    window = down.get("stabilizationWindowSeconds")
    return (
        f"{await _figures(lab, hpa)}. Before the autoscaler takes pods away it applies the highest count that it "
        f"computed in the last {300 if window is None else window} s "
        f"({'the default; ' if window is None else ''}behavior.scaleDown.stabilizationWindowSeconds), and after a "
        "load's end the metrics need up to 30 s more to fall; policies bound how many pods may go at a time. Without "
        "a readinessProbe the CPU that a pod takes to start counts as load, too; "
        f"kubectl describe hpa {hpa['metadata']['name']}"
    )
