"""How few pods autoscalers may leave behind Service `model`."""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.autoscalers import all_autoscalers
from mlops_lab.kit.workloads import labels_of_pods
from mlops_lab.kube.client import Object

PODS = 2
_SCALED = ("Deployment", "StatefulSet")


async def none_leaves_fewer(lab: Lab) -> Observation:
    """Whether there are two pods or more also when all autoscalers have taken away what they may.

    Raises:
        Failure: there is no Service `model`.
    """
    selector: Object = (await lab.objects.service("model"))["spec"].get("selector") or {}
    least = {each.target: each.least for each in await all_autoscalers(lab) if each.scales_in}
    left, low = 0, []
    for kind in _SCALED:
        for item in await lab.objects.all(kind):
            if not selector or not selector.items() <= labels_of_pods(item).items():
                continue
            fewest = least.get((kind, item["metadata"]["name"]))
            left += int(item["spec"].get("replicas", 1)) if fewest is None else fewest
            low += [] if fewest is None else [f"{kind} {item['metadata']['name']} may have {fewest}"]
    expected = f"no autoscaler that may leave fewer than {PODS} pods behind Service model"
    return holds(not low or left >= PODS, expected, ", ".join(low))
