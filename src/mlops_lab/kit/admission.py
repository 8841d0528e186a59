"""What becomes of a pod in the namespace: does the API server take it, and what has admission written into it?

The pods are the checker's own. They wait at a scheduling gate, so that they use nothing, yet count for quotas.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from mlops_lab.checks import Lab
from mlops_lab.kit.standing import remove_leftover
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import NotFound, Refused

_GATE = {"name": "mlops-lab/never"}
_EVERY = 0.5  # s


@dataclass(frozen=True)
class Admission:
    """The API server's answer to a pod.

    Attributes:
        pod: as it is stored; None if it was refused.
        refusal: the reason; empty if it was taken.
    """

    pod: Object | None
    refusal: str = ""


def gated(lab: Lab, name: str, containers: Sequence[Object] = ({},), **spec: object) -> Object:
    """A pod that is never scheduled.

    Args:
        containers: what each has beside name, image and command, such as `resources`.
        spec: fields of the pod's spec.
    """
    own = [
        {"name": f"probe-{number}", "image": lab.platform.image("v1"), "command": ["sleep", "infinity"], **each}
        for number, each in enumerate(containers)
    ]
    whole = {"schedulingGates": [_GATE], "terminationGracePeriodSeconds": 0, "containers": own, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole}


@contextlib.asynccontextmanager
async def tried(lab: Lab, pod: Object, *, within: float = 0.0) -> AsyncIterator[Admission]:
    """Create a pod, which is there while the block runs if it was taken.

    Args:
        within: seconds in which a refusal is tried again: a quota learns of deleted pods a moment later.

    Raises:
        LabError: the API server has trouble of its own.
    """
    name, end = str(pod["metadata"]["name"]), time.monotonic() + within
    await remove_leftover(lab, name)
    try:
        while True:
            answer = await _asked(lab, pod)
            if answer.pod is not None or time.monotonic() >= end:
                break
            await lab.time.pause(_EVERY)
        yield answer
    finally:
        await lab.objects.delete("Pod", name, grace=0)


async def answered(lab: Lab, pod: Object, *, within: float = 0.0) -> Admission:
    """The API server's answer to a pod, which is gone again afterwards; arguments and errors as for `tried`."""
    async with tried(lab, pod, within=within) as answer:
        return answer


async def _asked(lab: Lab, pod: Object) -> Admission:
    name = str(pod["metadata"]["name"])
    try:
        await lab.objects.apply([pod])
    except (Refused, NotFound) as refused:  # it is not found where the namespace is gone
        if refused.transient:
            raise
        return Admission(None, refused.message.removeprefix(f"Pod {name}: "))
    return Admission(await lab.objects.named("Pod", name).present())
