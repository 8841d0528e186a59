"""How long an autoscaler takes by its own rules to come from all the pods that it may ask for to one.

The load of the check ends soon after its second pod came; a storm may go on until there are as many as are allowed. The
rules: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#configurable-scaling-behavior
"""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.autoscalers import Autoscaler, autoscalers_of
from mlops_lab.kube.client import Object

WINDOW = 300  # s, if it says nothing of it
POLICY: Object = {"type": "Percent", "value": 100, "periodSeconds": 15}
LOOKS = 15  # s from one look to the next, unless the controller manager is told otherwise
FIGURES = 30  # s from a load's end to the look that sees the rest: so old may the metrics API's figures be
LONGEST = 600  # s; whatever takes longer is "never"


async def comes_down(lab: Lab, within: int) -> Observation:
    """Whether each autoscaler of the Deployment can be at one pod so many seconds after a load of any length."""
    slow = [
        f"{each.name}: from {each.most} pods to 1 in {seconds if seconds < LONGEST else 'more than 600'} s"
        for each in await autoscalers_of(lab)
        if (seconds := seconds_down(each)) > within
    ]
    wanted = (
        f"by its own rules, with a look every {LOOKS} s and figures {FIGURES} s old, the autoscaler comes from "
        f"maxReplicas pods to one in {within} s"
    )
    return holds(not slow, wanted, "; ".join(slow))


def seconds_down(hpa: Autoscaler) -> int:
    """The seconds from a load's end until it is at one pod; `LONGEST` if it never is.

    Its window counts from the last look under load, when it wanted them all: a look before the one that sees the rest.
    """
    rules = (hpa.item["spec"].get("behavior") or {}).get("scaleDown") or {}
    window = rules.get("stabilizationWindowSeconds")
    took = steps(hpa.most, rules.get("policies") or [POLICY], str(rules.get("selectPolicy") or "Max"))
    looks = -(-(WINDOW if window is None else int(window)) // LOOKS)
    return min(LONGEST, FIGURES + max(0, looks - 1) * LOOKS + took)


def steps(pods: int, policies: list[Object], select: str) -> int:
    """The seconds from the first step to one pod, where each step is at a look."""
    if select == "Disabled" and pods > 1:
        return LONGEST
    gone: list[tuple[int, int]] = []  # when, and how many
    for now in range(0, LONGEST, LOOKS):
        allowed = [_allowed(each, pods, now, gone) for each in policies]
        fewer = max(1, min(pods, max(allowed) if select == "Min" else min(allowed)))
        if fewer == 1:
            return now
        if fewer < pods:
            gone.append((now, pods - fewer))
            pods = fewer
    return LONGEST


def _allowed(policy: Object, pods: int, now: int, gone: list[tuple[int, int]]) -> int:
    """How few pods a policy allows now."""
    at_first = pods + sum(count for when, count in gone if now - when < int(policy["periodSeconds"]))
    if policy["type"] == "Pods":
        return at_first - int(policy["value"])
    return int(at_first * (1 - int(policy["value"]) / 100))
