"""The pods that the Deployment asks for, which may be an autoscaler's minimum."""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.autoscalers import autoscalers_of
from mlops_lab.kube.client import Object


async def asked_for(lab: Lab, pods: int, *, within: float) -> Observation:
    """Whether Deployment `model` asks for so many pods.

    Args:
        within: seconds for an autoscaler whose minimum it is; it looks every 15 s.
    """
    watched = lab.objects.deployment("model")
    if any(each.least >= pods for each in await autoscalers_of(lab)):
        await watched.until(
            lambda item: replicas(item) >= pods, expected=f"{pods} replicas", shown=lambda item: str(replicas(item)),
            within=within,
        )  # fmt: skip
    wanted = replicas(await watched.present())
    return Observation(wanted >= pods, f"replicas: {pods} or more", str(wanted))


def replicas(deployment: Object | None) -> int:
    """The pods that a Deployment asks for; none without one."""
    return int(deployment["spec"].get("replicas", 1)) if deployment else 0
