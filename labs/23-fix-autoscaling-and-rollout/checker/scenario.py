"""What lab 23 plays once each: a storm until a second pod is ready, and a release of the checker's own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mlops_lab.checks import Lab, LabError, Observation, at_least, holds
from mlops_lab.kit.autoscaler_reasons import why_no_second_pod
from mlops_lab.kit.autoscalers import Autoscaler, Hands, autoscalers_of, metric_name, metric_source
from mlops_lab.kit.deployments import followed, status_count
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.losses import kinds, none_lost
from mlops_lab.kit.restore import interrupted, put_back
from mlops_lab.kube.client import Object

from .why import ACTS, what_it_lacks, why_not_computing

KIND = "HorizontalPodAutoscaler"
RATE = 8  # requests a second; as forecasts 200m of CPU, as questions for the version next to nothing
LATE = 2.0  # s that requests may leave late while pods start on a small machine: no latency is judged
FIGURES_WITHIN = 75  # s for the autoscalers of both Deployments together
OUT_WITHIN = 90  # s from the storm's start to the second ready pod
IN_WITHIN = 100  # s from the storm's end
ROLLED_OUT_WITHIN = 90  # s from the checker's release until all pods are new
BEFORE, AFTER = 3, 4  # s of requests before the release, and after it
USUAL_WINDOW = 300  # s, of an autoscaler that names none
ANNOTATION = "mlops-lab/release"
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True)
class Storm:
    """What the storm brought about.

    Attributes:
        scaled: whether a second pod was ready in time; `why` not.
        hands: who has set the number of pods so far.
        asked: whether an autoscaler that looks at CPU has asked for a second pod.
        most: pods at a time.
        ended: when the storm did, on the monotonic clock.
    """

    scaled: Observation
    why: str
    hands: Hands
    asked: Observation
    most: int
    ended: float


@dataclass(frozen=True)
class Release:
    """What the checker's release brought about.

    Attributes:
        done: whether all pods were new in time.
        lost: whether a request was lost meanwhile.
        deployment: as it was before.
        statuses: of the requests, with counts.
    """

    done: Observation
    lost: Observation
    deployment: Object
    statuses: Mapping[int, int]


async def storm(lab: Lab) -> Storm:
    """Ask for forecasts until a second pod is ready or its time is over, and follow the Deployment meanwhile."""
    most, why, hands = 0, "", Hands()
    by: list[str] = []

    def counted(item: Object | None) -> None:
        nonlocal most
        most = max(most, status_count(item, "replicas"))
        hands.take(item)

    async with followed(lab, counted, within=OUT_WITHIN + IN_WITHIN):
        async with lab.traffic.load("model", rate=RATE, body=None, duration=OUT_WITHIN + 10, late_at_most=LATE) as load:
            scaled = await lab.objects.deployment("model").becomes(ready_replicas=at_least(2), within=OUT_WITHIN)
            if scaled.ok:
                asking = [each for each in await autoscalers_of(lab) if each.wanted >= 2 > each.least]
                by = sorted({metric for each in asking for metric in each.metrics})
            else:
                why, conditions = await why_no_second_pod(lab, cause, ACTS)
                scaled = replace(scaled, evidence=(*conditions, *kinds(load.seen), *scaled.evidence))
        ended = time.monotonic()
        _ = load.report  # of no use where it could not be sent
    said = ", ".join(by) or "none has"
    asked = Observation("cpu" in by, "an autoscaler that looks at cpu has asked for a second pod", said)
    return Storm(scaled, why, hands, asked, most, ended)


def cause(hpa: Autoscaler) -> str:
    """What explains that an autoscaler brought no second pod in a storm; empty if nothing of this lab does.

    Raises:
        LabError: the metrics API has no figures.
    """
    if not hpa.active:
        must_have_figures(hpa)
        return what_it_lacks(hpa)
    if hpa.wanted >= 2:
        return (
            f"the autoscaler asked for {hpa.wanted} pods, but no second one was ready in time: kubectl get pods, and "
            "kubectl describe replicaset, where none was made"
        )
    return ""


def without_figures(hpa: Autoscaler | None) -> str:
    """Why an autoscaler can't compute; raises as `must_have_figures`."""
    if hpa:
        must_have_figures(hpa)
    return why_not_computing(hpa)


def must_have_figures(hpa: Autoscaler) -> None:
    """Blame nobody where an autoscaler lacks what the metrics API has to give.

    Raises:
        LabError: the metrics API has no figures for pods that are ready.
    """
    if "from resource metrics API" in hpa.message:
        raise LabError(
            f"the metrics API has no figures for this lab's pods: {hpa.message}", "look at it with: lab doctor"
        )


def target(hpa: Autoscaler) -> str:
    """What an autoscaler aims at, such as `60 % of cpu`."""
    said = []
    for each in hpa.item["spec"].get("metrics") or []:
        aim = (each.get(metric_source(each)) or {}).get("target") or {}
        percent = aim.get("averageUtilization")
        how = f"{percent} %" if percent else str(aim.get("averageValue", aim.get("value", "?")))
        said.append(f"{how} of {metric_name(each)}")
    return ", ".join(said) or "nothing"


def window(hpa: Autoscaler) -> int:
    """For how many seconds pods must not have been needed before an autoscaler takes them away."""
    down = (hpa.item["spec"].get("behavior") or {}).get("scaleDown") or {}
    seconds = down.get("stabilizationWindowSeconds")
    return USUAL_WINDOW if seconds is None else int(seconds)


def moves(hpa: Autoscaler) -> Observation:
    """Whether an autoscaler may both add pods and take them away."""
    behavior = hpa.item["spec"].get("behavior") or {}
    never = [way for way in ("scaleUp", "scaleDown") if (behavior.get(way) or {}).get("selectPolicy") == "Disabled"]
    expected = f"autoscaler {hpa.name} may add pods and take them away"
    return holds(not never, expected, f"behavior.{' and behavior.'.join(never)}: selectPolicy Disabled")


def state(item: Object | None) -> str:
    """What an autoscaler says of itself, in a line."""
    if item is None:
        return "it is gone"
    conditions = Autoscaler(item).conditions
    for kind in ("AbleToScale", "ScalingActive"):
        if (said := conditions.get(kind)) and said.get("status") != "True":
            return f"{said.get('reason')}: {' '.join(said.get('message', '').split())[:240]}"
    return "it computes" if "ScalingActive" in conditions else "it has not looked yet"


async def computes(lab: Lab, hpa: Autoscaler, *, until: float) -> Observation:
    """Wait until an autoscaler computes a number of pods.

    Args:
        until: on the monotonic clock.
    """
    left = max(1.0, until - time.monotonic())
    seen = await lab.objects.named(KIND, hpa.name).until(
        lambda item: item is not None and Autoscaler(item).active, expected="it computes", shown=state, within=left
    )
    expected = f"autoscaler {hpa.name} computes a number of pods, within {FIGURES_WITHIN} s"
    return replace(seen, expected=expected)


async def release(lab: Lab) -> Release:
    """Put a new annotation on the pods while requests come, and afterwards make the Deployment what it was."""
    before = await lab.objects.deployment("model").present()
    tag = "".join(drawn(lab, "release").choices(_LETTERS, k=7))
    patch = {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: tag}}}}}
    whole = BEFORE + ROLLED_OUT_WITHIN + AFTER
    try:
        async with lab.traffic.load(
            "model", rate=RATE, path="/version", body=None, duration=whole, late_at_most=LATE
        ) as load:
            await lab.time.pause(BEFORE)
            await lab.objects.patch("Deployment", "model", patch)
            done = await lab.objects.deployment("model").rolled_out(within=ROLLED_OUT_WITHIN)
            await lab.time.pause(AFTER)
        report = load.report
        return Release(done, none_lost(report), before, report.statuses)
    finally:
        await put_back(lab, before)
        if not interrupted():
            await lab.objects.deployment("model").rolled_out(within=ROLLED_OUT_WITHIN)
