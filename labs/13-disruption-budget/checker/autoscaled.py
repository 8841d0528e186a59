"""Autoscalers that may take the Deployment below the pods that it is to keep."""

from __future__ import annotations

from mlops_lab.checks import Lab
from mlops_lab.kit.autoscalers import autoscalers_of


async def autoscaled_below(lab: Lab, pods: int) -> list[str]:
    """The HorizontalPodAutoscalers of Deployment `model` whose minimum is less than so many pods, in words."""
    return [
        f"HorizontalPodAutoscaler {each.name} may leave {each.least}"
        for each in await autoscalers_of(lab)
        if each.least < pods
    ]
