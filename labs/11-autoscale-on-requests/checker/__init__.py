"""Lab 11: does the number of pods follow the requests, before any CPU figure tells of them?

One load serves all checks of what happens under load. Beside it the metrics API is asked for the pods' CPU, as the
autoscaler of lab 10 would ask: its moment is when a figure of the same load is over its target.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, at_least, at_most, check, equal_to, expect, observe, quantity
from mlops_lab.measure.traffic.flights import difference, numbers

Item = dict[str, Any]

METRIC = "http_requests_per_second"
PER_POD = 1.5  # requests a second that a pod is good for: 90 a minute
CALM = 6  # requests a second, one flight each
CALM_FOR = 50  # seconds: two scrapes and two looks of the autoscaler, whenever these fall
STORM = 40  # requests a second, as in lab 10
STORM_FOR = 20  # seconds at least: a scrape and most of a look
MOST_PODS = 3
LISTED = 1000  # pods, of which it is noted when they were asked for
NEEDED = min(math.ceil(CALM / PER_POD), MOST_PODS)
OUT_WITHIN = 90  # seconds from the first request to ready pods, as in lab 10
FIGURES_WITHIN = 25  # seconds for all autoscalers of the Deployment
MEASURED_WITHIN = 50  # seconds: discovery, two scrapes, and the custom metrics API's own list of series
IN_WITHIN = 100  # seconds from the load's end
# Lab 10's autoscaler: 60 % of a request of 100m. It does nothing up to 10 % over its target, as any autoscaler.
CPU_TARGET = 0.06
CPU_ACTS = CPU_TARGET * 1.1


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
    answer = await lab.traffic.first_answer(lambda: lab.traffic.post("model", "/predict", flights.body), within=20)
    selected = len(await lab.objects.pods_of("model"))
    expect(observe("status of POST /predict", answer.status, equal_to(200))).because(
        f"0 means no answer. The Service's selector matches {selected} pods: it must be labels of the Deployment's pod "
        "template, and targetPort the container's port; kubectl get endpointslices shows addresses and ports"
    )
    given, own = answer.fields().get("probabilities"), flights.probabilities("v1")
    expect(observe("probabilities for 50 flights", len(numbers(given) or []), equal_to(len(own)))).because(
        "it is one for each flight; this is another server's answer"
    )
    apart = difference(given, own)
    expect(observe("largest difference from the model's own values", apart, at_most(0.0001))).because(
        "another model (or another version) answers; this lab is about localhost:5001/flight-delay:v1"
    )


@check(points=2, needs=serves, domains=("ckad/observability-and-maintenance",))
async def is_measured(lab: Lab) -> None:
    """The custom metrics API has http_requests_per_second of each pod behind the Service, within 50 s."""
    row, asked = lab.traffic.hidden_rows(1).body, 0.0

    async def look() -> tuple[int, int]:
        nonlocal asked
        if time.monotonic() - asked > 5:  # a pod that has never been asked for a prediction has no count of them
            asked = time.monotonic()
            await lab.traffic.post("model", "/predict", row)
        pods = {pod["metadata"]["name"] for pod in await lab.objects.pods_of("model")}
        return len(pods & set(await lab.usage.custom_metric(METRIC))), len(pods)

    seen = await lab.time.eventually(
        look,
        lambda found: found[0] == found[1] > 0,
        expected=f"{METRIC} of each pod in the custom metrics API",
        shown=lambda found: f"it has it of {found[0]} of {found[1]} pods",
        within=MEASURED_WITHIN,
    )
    expect(seen).because("" if seen.ok else await _why_not_measured(lab))


@check(points=1, needs=is_measured, domains=("cka/workloads-and-scheduling",))
async def rests_at_one(lab: Lab) -> None:
    """Without load there is exactly one ready pod, and it stays at one once the autoscaler has its figures."""
    # A load of the learner's own may have ended just now; below its minimum no autoscaler goes, however long one waits.
    within = IN_WITHIN if all(_least(hpa) == 1 for hpa in await _ours(lab)) else 5
    end = time.monotonic() + within
    while True:
        rests = await _rests(lab, max(1.0, end - time.monotonic()))
        if rests.ok or time.monotonic() > end:
            break
    if not rests.ok:
        rests = replace(rests, expected=f"Deployment model: exactly 1 pod, ready, and left so, within {within} s")
    expect(rests).because("" if rests.ok else await _why_not_one(lab))


async def _rests(lab: Lab, within: float) -> Observation:
    """Whether one pod is left alone by an autoscaler that has seen its figures: without them it judges nothing."""
    deployment = lab.objects.deployment("model")
    one = await deployment.until(_alone, expected="exactly 1 pod, ready", shown=_pods, within=within)
    if not one.ok:
        return one
    end = time.monotonic() + FIGURES_WITHIN
    for hpa in await _ours(lab):  # it looks every 15 s; one that has no figure by then is another check's matter
        if (left := end - time.monotonic()) <= 0:
            break
        await lab.objects.named("HorizontalPodAutoscaler", hpa["metadata"]["name"]).until(
            _has_judged, expected="figures", shown=lambda _: "the autoscaler has no figures yet", within=left
        )
    moved = await deployment.until(lambda item: not _alone(item), expected="", shown=_pods, within=5)
    return Observation(not moved.ok, "Deployment model: still exactly 1 pod, ready", moved.seen)


@check(points=4, needs=(is_measured, rests_at_one), domains=("cka/workloads-and-scheduling",), owns="model")
async def scales_out_before_cpu_would(lab: Lab) -> None:
    """Requests grow from 6 to 40 a second: a second pod is asked for before CPU would tell lab 10's autoscaler to."""
    rush = await lab.once(_rush)
    expect(rush.first).because(rush.why)
    expect(rush.second).because(
        "the autoscaler asked for it, but it was not ready in time: it must be scheduled (is its request free on a "
        "node?), start, and load its model; kubectl get pods, kubectl describe pod"
    )


@check(points=2, needs=scales_out_before_cpu_would, domains=("cka/workloads-and-scheduling",), owns="model")
async def scales_as_far_as_needed(lab: Lab) -> None:
    """The 6 requests a second alone bring as many pods as they need and the budget allows; all are ready in 90 s."""
    rush = await lab.once(_rush)
    expect(rush.enough).because(
        f"a pod is good for {PER_POD:g} requests a second, so {CALM} a second need {math.ceil(CALM / PER_POD)} pods, "
        f"of which the budget allows {MOST_PODS}. The autoscaler wants (requests a second of all pods / averageValue), "
        f"rounded up, and is cut to maxReplicas (condition ScalingLimited); {rush.told}"
    )
    expect(rush.all_ready).because(
        "they were asked for, but not ready in time: they must be scheduled (is their request free on a node?), start, "
        "and load the model; kubectl get pods, kubectl describe pod"
    )


@check(points=1, needs=scales_out_before_cpu_would, domains=("cka/workloads-and-scheduling",), owns="model")
async def keeps_within_budget(lab: Lab) -> None:
    """Under that load, which asks for many more, there are never more than 3 pods."""
    rush = await lab.once(_rush)
    expect(observe("most pods at a time", rush.most, at_most(MOST_PODS))).because(
        f"{STORM} requests a second at {PER_POD:g} a pod ask for {math.ceil(STORM / PER_POD)} pods; only maxReplicas "
        "bounds what a storm, or somebody's loop that asks without end, can cost"
    )


@check(points=2, needs=scales_out_before_cpu_would, domains=("cka/workloads-and-scheduling",), owns="model")
async def scales_in_again(lab: Lab) -> None:
    """Within 100 s of the load's end there is exactly one pod again."""
    rush = await lab.once(_rush)
    deployment = lab.objects.deployment("model")
    left = max(1.0, rush.ended + IN_WITHIN - time.monotonic())
    back = await deployment.until(_alone, expected="exactly 1 pod, ready", shown=_pods, within=left)
    took = time.monotonic() - rush.ended
    back = replace(
        back,
        expected=f"Deployment model: exactly 1 pod, ready, within {IN_WITHIN} s of the load's end",
        seen=f"{_pods(await deployment.now())} {took:.0f} s after the load's end",
    )
    expect(back).because("" if back.ok else await _why_not_one(lab))


@dataclass(frozen=True)
class Rush:
    """What one load brought about; `ended` is on the monotonic clock.

    Attributes:
        first: the autoscaler asked for a second pod before CPU would have told it to; `why` not.
        second: that pod was ready.
        enough: it asked for all pods that the requests needed, while they came calmly; `told`: its own figures then.
        all_ready: these pods were ready.
        most: pods at a time.
    """

    first: Observation
    why: str
    second: Observation
    enough: Observation
    told: str
    all_ready: Observation
    most: int
    ended: float


class Pace:
    """What is asked for and what CPU figures say, while a load runs; seconds since its first request.

    CPU counts for the pods that were there when the load began. Figures of before it are left out: they may hold what
    a pod took to start.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._began = time.monotonic()
        self._pods: set[str] = set()
        self._old: set[str] = set()
        self.asked: dict[int, float] = {}  # since when so many pods were asked for, and since when so many were ready
        self.ready: dict[int, float] = {}
        self.most = 0
        self.cpu = 0.0  # the highest figure so far, of the first pods' mean, in cores
        self.crossed: float | None = None  # when it was over what makes lab 10's autoscaler act

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Follow the Deployment inside the block; the clock starts with `begin`."""
        self._pods = {pod["metadata"]["name"] for pod in await self._lab.objects.pods_of("model")}
        self._old = {use.at for use in (await self._lab.usage.cpu()).values()}
        watch = asyncio.create_task(
            self._lab.objects.deployment("model").until(self._take, expected="", shown=_pods, within=3 * OUT_WITHIN)
        )
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    def begin(self) -> None:
        """The first request leaves."""
        self._began = time.monotonic()

    async def comes_ready(self, count: int) -> Observation:
        """Wait until so many pods have been ready, or it is too late for that."""
        left = max(1.0, OUT_WITHIN - self.elapsed)
        now = await self._lab.objects.deployment("model").becomes(ready_replicas=at_least(count), within=left)
        at = self.ready.get(count)
        return replace(
            now,
            ok=at is not None and at <= OUT_WITHIN,
            expected=f"{count} pods ready within {OUT_WITHIN} s of the first request",
            seen=now.seen if at is None else f"{count} pods ready after {at:.0f} s",
        )

    async def decided(self, until: float) -> None:
        """Wait until a second pod is asked for, or the CPU figures would have told so, or it is so late."""
        while not self.crossed and self.elapsed < until:
            acted = 2 in self.asked
            # One more look after the autoscaler has acted: what made it act was there a moment before.
            figures = await self._lab.usage.cpu()
            cores = [use.cores for name, use in figures.items() if name in self._pods and use.at not in self._old]
            self.cpu = max(self.cpu, sum(cores) / max(1, len(cores)))
            if self.cpu >= CPU_ACTS:
                self.crossed = self.elapsed
            if acted:
                return
            await self._lab.time.pause(1)

    async def comes_to(self, seconds: float) -> None:
        """Wait until the load is that old."""
        await self._lab.time.pause(max(0.0, seconds - self.elapsed))

    def _take(self, item: Item | None) -> bool:
        self.most = max(self.most, _count(item, "replicas"))
        asked = int(((item or {}).get("spec") or {}).get("replicas") or 0)
        for wanted in range(2, min(asked, LISTED) + 1):
            self.asked.setdefault(wanted, self.elapsed)
        for ready in range(2, _ready(item) + 1):
            self.ready.setdefault(ready, self.elapsed)
        return False


async def _rush(lab: Lab) -> Rush:
    """A calm load and then, on top of it, a storm; it ends early when CPU would have been the first to tell."""
    row, pace = lab.traffic.hidden_rows(1).body, Pace(lab)
    whole = OUT_WITHIN + STORM_FOR
    second = all_ready = Observation(False, "", "")
    why, told = "", ""
    async with pace.watched():
        # What counts is how many requests leave; starting pods may hold up some.
        async with lab.traffic.load("model", rate=CALM, body=row, duration=whole, late_at_most=2.0):
            pace.begin()
            await pace.decided(CALM_FOR)
            if pace.crossed:
                raise LabError(
                    f"{CALM} requests a second take {_milli(pace.cpu)} of CPU here, so CPU tells, too: "
                    "there is nothing to compare",
                    "the machine is too busy to measure; close what else runs on it and check again",
                )
            await pace.comes_to(CALM_FOR)
            told = await _figures(lab)
            async with lab.traffic.load(
                "model", rate=STORM - CALM, body=row, duration=whole - CALM_FOR, late_at_most=2.0
            ):
                if 2 not in pace.asked:
                    await pace.decided(OUT_WITHIN)
                first = _before(pace)
                if first.ok:
                    second = await pace.comes_ready(2)
                    if NEEDED in pace.asked:
                        all_ready = await pace.comes_ready(NEEDED)
                    await pace.comes_to(CALM_FOR + STORM_FOR)
                else:
                    why, evidence = await _why_no_second_pod(lab)
                    first = replace(first, evidence=evidence)
        ended = time.monotonic()
    return Rush(first, why, second, _enough(pace), told, all_ready, pace.most, ended)


def _before(pace: Pace) -> Observation:
    """Whether a second pod was asked for before the CPU figures told."""
    asked, told = pace.asked.get(2), pace.crossed
    seen = "no second pod was asked for" if asked is None else f"a second pod was asked for after {asked:.0f} s"
    if not pace.cpu:
        seen += "; the metrics API had no CPU figure of this load until then"
    elif told is None:
        seen += f"; until then a pod used {_milli(pace.cpu)} of CPU at most"
    else:
        seen += f"; a pod used {_milli(pace.cpu)} of CPU after {told:.0f} s"
    return Observation(
        asked is not None and told is None,
        f"a second pod is asked for within {OUT_WITHIN} s of the first request, and before a pod uses more than "
        f"{_milli(CPU_ACTS)} of CPU, where lab 10's autoscaler acts",
        seen,
    )


def _enough(pace: Pace) -> Observation:
    """Whether the calm load alone brought all the pods that it needed."""
    asked = pace.asked.get(NEEDED, math.inf)
    most = max((wanted for wanted, at in pace.asked.items() if at <= CALM_FOR), default=1)
    return Observation(
        asked <= CALM_FOR,
        f"{NEEDED} pods asked for within {CALM_FOR} s of {CALM} requests a second",
        f"{NEEDED} pods asked for after {asked:.0f} s" if asked <= CALM_FOR else f"{most} asked for",
    )


def _milli(cores: float) -> str:
    return f"{cores * 1000:.0f}m"


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


def _least(hpa: Item) -> int:
    return int(hpa["spec"].get("minReplicas") or 1)


def _conditions(hpa: Item | None) -> dict[str, dict[str, str]]:
    return {each["type"]: each for each in ((hpa or {}).get("status") or {}).get("conditions") or []}


def _has_judged(hpa: Item | None) -> bool:
    """It computed a number of pods, or says that beside another autoscaler it never will."""
    active = _conditions(hpa).get("ScalingActive", {})
    return active.get("status") == "True" or active.get("reason") == "AmbiguousSelector"


async def _why_not_measured(lab: Lab) -> str:
    """Why the custom metrics API has no figure of the pods, as far as Prometheus knows.

    Raises:
        LabError: Prometheus has all that it takes.
    """
    found = await lab.platform.prometheus.query(f'up{{job="pods", {lab.platform.prometheus.matcher}}}')
    if not found:
        return (
            "Prometheus scrapes no pod of this namespace. It looks at the annotations of pods, so they belong into the "
            'Deployment\'s pod template (spec.template.metadata.annotations): prometheus.io/scrape: "true", a string. '
            "kubectl get pods -o yaml shows what the pods have"
        )
    down = sorted({each.labels.get("instance", "") for each in found if not each.points[-1][1]})
    if down:
        return (
            f"Prometheus scrapes {', '.join(down)}, and gets no metrics there (up is 0). It asks each pod itself, not "
            "the Service: prometheus.io/port must be the port that the container listens on, prometheus.io/path where "
            "it has its metrics"
        )
    if await lab.platform.prometheus.query(f"http_requests_total{{{lab.platform.prometheus.matcher}}}"):
        raise LabError(
            "Prometheus has http_requests_total of these pods, and the custom metrics API does not tell of it",
            "see how the monitoring is: lab status",
        )
    return (
        "Prometheus scrapes the pods, but finds no http_requests_total of theirs there: prometheus.io/path must lead "
        'to the server\'s metrics. Ask Prometheus: count by (__name__) ({namespace="..."})'
    )


async def _why_no_second_pod(lab: Lab) -> tuple[str, tuple[str, ...]]:
    """Why the autoscaler did not ask for a second pod, and its conditions as evidence.

    Raises:
        LabError: the custom metrics API does not answer it.
    """
    every, ours = await lab.objects.all("HorizontalPodAutoscaler"), await _ours(lab)
    if not every:
        return (
            "no HorizontalPodAutoscaler is in this namespace, so nothing changes the number of pods; "
            "kubectl get hpa lists them"
        ), ()
    evidence = tuple(
        f"HorizontalPodAutoscaler {hpa['metadata']['name']}: {kind} is {each['status']} ({each['reason']}): "
        f"{each['message']}"
        for hpa in ours or every
        for kind, each in _conditions(hpa).items()
    )
    hpa = (ours or every)[0]
    name, spec, active = hpa["metadata"]["name"], hpa["spec"], _conditions(hpa).get("ScalingActive", {})
    target, message = spec["scaleTargetRef"], active.get("message", "")
    metrics = [_metric(each) for each in spec["metrics"]]
    up = (spec.get("behavior") or {}).get("scaleUp") or {}
    if not ours:
        why = (
            f"the HPA {name} is for {target['kind']} {target['name']}, not for Deployment model. scaleTargetRef goes "
            "by exact kind and name, and a name that does not exist is accepted all the same: only the HPA's "
            "condition AbleToScale tells"
        )
    elif active.get("reason") == "AmbiguousSelector":
        names = ", ".join(each["metadata"]["name"] for each in every)
        why = (
            f"more than one HPA is for the same pods ({names}): they would undo what the other does, so none acts. One "
            "HPA may have several metrics; the one that asks for the most pods counts"
        )
    elif METRIC not in metrics:
        why = (
            f"the HPA looks at {', '.join(metrics)}. The requests a second of each pod are {METRIC} in the custom "
            "metrics API, a metric of type Pods"
        )
        if "cpu" in metrics:
            why += "; CPU tells of requests late when one costs so little of it"
        elif message:
            why += f". The HPA says itself: {message}"
    elif "custom metrics API" in message and "could not find the metric" not in message and "no metrics" not in message:
        raise LabError(f"the custom metrics API does not answer: {message}", "look at it with: lab doctor")
    elif active.get("status") != "True":
        why = "the HPA cannot compute a number of pods; its condition ScalingActive says why"
    elif spec["maxReplicas"] < 2:
        why = "maxReplicas is 1: whatever the autoscaler computes is cut to that (condition ScalingLimited)"
    elif up.get("selectPolicy") == "Disabled":
        why = "behavior.scaleUp.selectPolicy is Disabled: the autoscaler may take pods away, and never adds one"
    elif up.get("stabilizationWindowSeconds"):
        why = (
            f"behavior.scaleUp.stabilizationWindowSeconds is {up['stabilizationWindowSeconds']}: the autoscaler goes "
            "out only to the lowest count that it computed in all that time. By default it does so at once; "
            f"{await _figures(lab)}"
        )
    else:
        why = (
            f"{await _figures(lab)}. It adds a pod only when what it sees is more than 10 % over the target. The "
            "target is a plain quantity, of requests a second: 1500m is 1.5"
        )
    return f"{why}; kubectl describe hpa {name}", evidence


def _metric(metric: dict[str, Any]) -> str:
    """The name in one entry of spec.metrics, such as `cpu`."""
    kind = metric["type"][0].lower() + metric["type"][1:]
    source = metric.get(kind) or {}
    return str(source.get("name") or source.get("metric", {}).get("name") or metric["type"])


async def _figures(lab: Lab) -> str:
    """What the autoscaler sees and what it compares that to, with the numbers."""
    texts = []
    for hpa in await _ours(lab):
        seen = {_metric(each): each for each in hpa.get("status", {}).get("currentMetrics") or [] if each.get("type")}
        for wanted in hpa["spec"]["metrics"]:
            kind = wanted["type"][0].lower() + wanted["type"][1:]
            name, target = _metric(wanted), wanted.get(kind, {}).get("target", {})
            current = seen.get(name, {}).get(kind, {}).get("current", {})
            if "averageUtilization" in target:
                now, aim = f"{current.get('averageUtilization', '?')} % of the request", target["averageUtilization"]
                texts.append(f"it sees {now} of {name} a pod; its target is {aim} %")
            else:
                now, aim = current.get("averageValue", current.get("value", "?")), _plain(target)
                texts.append(f"it sees {now} of {name} a pod; its target is {aim}")
    return "; ".join(texts) or "there is no HPA for Deployment model"


def _plain(target: dict[str, Any]) -> str:
    """A target as written and as the number that it is."""
    text = str(target.get("averageValue", target.get("value", "?")))
    return text if text == "?" or text.isdigit() else f"{text}, which is {float(quantity(text)):g}"


async def _why_not_one(lab: Lab) -> str:
    """Why there is not exactly one pod although nobody asks anything."""
    ours = await _ours(lab)
    if not ours:
        return "the Deployment's own replicas count: with no HPA for it, nothing else sets how many pods there are"
    hpa = ours[0]
    if _least(hpa) > 1:
        return f"minReplicas is {_least(hpa)}: the autoscaler never goes below, and at rest those are paid for nothing"
    down = (hpa["spec"].get("behavior") or {}).get("scaleDown") or {}
    if down.get("selectPolicy") == "Disabled":
        return "behavior.scaleDown.selectPolicy is Disabled: the autoscaler may add pods, and never takes one away"
    window = down.get("stabilizationWindowSeconds")
    return (
        f"{await _figures(lab)}. Before the autoscaler takes pods away it applies the highest count that it "
        f"computed in the last {300 if window is None else window} s "
        f"({'the default; ' if window is None else ''}behavior.scaleDown.stabilizationWindowSeconds), and after a "
        "load's end the rate needs half a minute to fall, as it is an average over that; policies bound how many pods "
        f"may go at a time; kubectl describe hpa {hpa['metadata']['name']}"
    )
