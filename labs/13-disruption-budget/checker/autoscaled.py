"""The pods that the Deployment asks for, which may be an autoscaler's minimum, and that its manifest does."""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.autoscalers import autoscalers_of
from mlops_lab.kit.manifests import replicas_asked
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


async def asked_again(lab: Lab, pods: int) -> Observation:
    """Whether the manifest of Deployment `model` asks for so many pods, or leaves their number out.

    It asks for too few beside an autoscaler as well: each apply takes pods away, until the autoscaler looks again.
    """
    asked = replicas_asked(lab, await lab.objects.deployment("model").present())
    wanted = f"no replicas under {pods} in the manifest that was applied"
    return holds(not 0 < asked < pods, wanted, f"replicas: {asked}")


async def applied_again(lab: Lab) -> int:
    """How many pods there are after the next apply of Deployment `model`; 0 where its manifest leaves them out.

    No fewer than an autoscaler's minimum, and no more than it may make.
    """
    asked = replicas_asked(lab, await lab.objects.deployment("model").present())
    for each in await autoscalers_of(lab) if asked else []:
        asked = min(max(asked, each.least), each.most)
    return asked


def replicas(deployment: Object | None) -> int:
    """The pods that a Deployment asks for; none without one."""
    return int(deployment["spec"].get("replicas", 1)) if deployment else 0
