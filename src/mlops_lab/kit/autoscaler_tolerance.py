"""How far the use of its pods may be from an autoscaler's target before it acts: a larger tolerance is another target.

https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#tolerance
"""

from __future__ import annotations

from mlops_lab.checks import Observation, at_most, observe, quantity
from mlops_lab.kit.autoscalers import Autoscaler

USUAL = 0.1  # unless it says another one, or the controller manager was told so
WHY = (
    "what an autoscaler tolerates is another target in other words: it is a tenth where its behavior says nothing, and "
    "with a half nothing happens before the use is half as much again; kubectl get hpa -o yaml"
)


def tolerance(hpa: Autoscaler, way: str = "scaleUp") -> float:
    """The part of its targets that an autoscaler lets go by before it adds a pod, or takes one away (`scaleDown`)."""
    told = ((hpa.item["spec"].get("behavior") or {}).get(way) or {}).get("tolerance")
    return USUAL if told is None else float(quantity(str(told)))


def tolerates(hpa: Autoscaler) -> Observation:
    """Whether an autoscaler acts as near its targets as is usual, both ways."""
    most = max(tolerance(hpa, way) for way in ("scaleUp", "scaleDown"))
    return observe("part of its target that it tolerates", most, at_most(USUAL), timed=False)
