"""Why an autoscaler did not act as it should, from its own spec and status, with the numbers that it saw."""

from __future__ import annotations

from collections.abc import Callable

from mlops_lab.checks import Lab, quantity
from mlops_lab.kit.autoscalers import Autoscaler, all_autoscalers, autoscalers_of, metric_name, metric_source
from mlops_lab.kit.deployments import pods_of
from mlops_lab.kube.client import Object

_DEFAULT_WINDOW = 300  # s, of behavior.scaleDown.stabilizationWindowSeconds


async def why_no_second_pod(
    lab: Lab, cause: Callable[[Autoscaler], str], acts: str, *, deployment: str = "model"
) -> tuple[str, tuple[str, ...]]:
    """Why no autoscaler brought a Deployment a second pod, and their conditions as evidence.

    Args:
        cause: what explains it in this lab, empty if nothing does; asked about an autoscaler of that Deployment alone.
            It raises LabError where the metrics API is to blame.
        acts: when an autoscaler adds a pod, for one that saw its figures and found them good.
    """
    every, own = await all_autoscalers(lab), await autoscalers_of(lab, deployment)
    if not every:
        return (
            "no HorizontalPodAutoscaler is in this namespace, so nothing changes the number of pods; "
            "kubectl get hpa lists them"
        ), ()
    evidence = tuple(
        f"HorizontalPodAutoscaler {each.name}: {kind} is {said['status']} ({said['reason']}): {said['message']}"
        for each in own or every
        for kind, said in each.conditions.items()
    )
    hpa = (own or every)[0]
    spec, up = hpa.item["spec"], (hpa.item["spec"].get("behavior") or {}).get("scaleUp") or {}
    if not own:
        why = (
            f"the HPA {hpa.name} is for {' '.join(hpa.target)}, not for Deployment {deployment}. scaleTargetRef goes "
            "by exact kind and name, and a name that does not exist is accepted all the same: only the HPA's "
            "condition AbleToScale tells"
        )
    elif hpa.ambiguous:
        names = ", ".join(each.name for each in every)
        why = (
            f"more than one HPA is for the same pods ({names}): they would undo what the other does, so none acts. One "
            "HPA may have several metrics; the one that asks for the most pods counts"
        )
    elif special := cause(hpa):
        why = special
    elif not hpa.active:
        why = "the HPA cannot compute a number of pods; its condition ScalingActive says why"
    elif spec["maxReplicas"] < 2:
        why = "maxReplicas is 1: whatever the autoscaler computes is cut to that (condition ScalingLimited)"
    elif up.get("selectPolicy") == "Disabled":
        why = "behavior.scaleUp.selectPolicy is Disabled: the autoscaler may take pods away, and never adds one"
    elif up.get("stabilizationWindowSeconds"):
        why = (
            f"behavior.scaleUp.stabilizationWindowSeconds is {up['stabilizationWindowSeconds']}: the autoscaler goes "
            "out only to the lowest count that it computed in all that time. By default it does so at once; "
            f"{await figures(lab, deployment)}"
        )
    else:
        why = f"{await figures(lab, deployment)}. {acts}"
    return f"{why}; kubectl describe hpa {hpa.name}", evidence


async def why_not_one(lab: Lab, after_load: str, *, deployment: str = "model", more: str = "") -> str:
    """Why a Deployment has not exactly one pod although nobody asks anything.

    Args:
        after_load: how long the metric takes to fall once a load has ended.
        more: what else may keep it up, as a sentence.
    """
    own = await autoscalers_of(lab, deployment)
    if not own:
        return "the Deployment's own replicas count: with no HPA for it, nothing else sets how many pods there are"
    hpa = own[0]
    if hpa.least > 1:
        return (
            f"minReplicas is {hpa.least}: the autoscaler never goes below, and at rest those pods are paid for nothing"
        )
    down = (hpa.item["spec"].get("behavior") or {}).get("scaleDown") or {}
    if down.get("selectPolicy") == "Disabled":
        return "behavior.scaleDown.selectPolicy is Disabled: the autoscaler may add pods, and never takes one away"
    window = down.get("stabilizationWindowSeconds")
    return (
        f"{await figures(lab, deployment)}. Before the autoscaler takes pods away it applies the highest count that it "
        f"computed in the last {_DEFAULT_WINDOW if window is None else window} s "
        f"({'the default; ' if window is None else ''}behavior.scaleDown.stabilizationWindowSeconds), and after a "
        f"load's end {after_load}; policies bound how many pods may go at a time{more and f'. {more}'}; "
        f"kubectl describe hpa {hpa.name}"
    )


async def figures(lab: Lab, deployment: str = "model") -> str:
    """What a Deployment's autoscalers see and what they compare that to, with the numbers."""
    own = await autoscalers_of(lab, deployment)
    texts = [text for each in own for text in await _figures_of(lab, each, deployment)]
    return "; ".join(texts) or f"there is no HPA for Deployment {deployment}"


async def _figures_of(lab: Lab, hpa: Autoscaler, deployment: str) -> list[str]:
    current = (hpa.item.get("status") or {}).get("currentMetrics") or []
    seen = {metric_name(each): each for each in current if each.get("type")}  # an entry without a figure has no type
    if not seen:
        return ["the HPA has no figures yet"]
    texts = []
    for metric in hpa.item["spec"].get("metrics") or []:
        name, source = metric_name(metric), metric_source(metric)
        target, now = metric.get(source, {}).get("target", {}), seen.get(name, {}).get(source, {}).get("current", {})
        text = f"it sees {now.get('averageValue', now.get('value', '?'))} of {name} a pod"
        if "averageUtilization" in target:
            percent = target["averageUtilization"]
            text += f", {now.get('averageUtilization', '?')} % of the request; its target is {percent} %"
            text += f", which is {await _of_the_request(lab, deployment, percent)}" if name == "cpu" else ""
        else:
            text += f"; its target is {_plain(target)}"
        texts.append(text)
    return texts


async def _of_the_request(lab: Lab, deployment: str, percent: int) -> str:
    """That percentage of a pod's CPU request, such as `60m of its 100m`."""
    pods = await pods_of(lab, deployment)  # not the template: a LimitRange may have set the requests
    containers = pods[0]["spec"]["containers"] if pods else []
    request = sum(quantity(each.get("resources", {}).get("requests", {}).get("cpu", "0")) for each in containers)
    return f"{request * percent * 10:.0f}m of its {request * 1000:.0f}m"


def _plain(target: Object) -> str:
    """A target as written and as the number that it is."""
    text = str(target.get("averageValue", target.get("value", "?")))
    return text if text == "?" or text.isdigit() else f"{text}, which is {float(quantity(text)):g}"
