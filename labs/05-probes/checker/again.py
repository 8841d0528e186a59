"""An incident that is played once more in a pod whose container may be ended just then."""

from __future__ import annotations

from mlops_lab.checks import LabError, absent

from .computing import SETTLED
from .copies import RENEWALS, Copy


async def once_more(pod: Copy, *words: str) -> bool:
    """Begin an incident in a pod again; False if its container ends instead, as was decided on before.

    Raises:
        LabError: it could not be told, and its container lives on.
    """
    begun, why = pod.begun, pod.why
    trouble: LabError | None = None
    try:
        if await pod.drill(*words):
            return True
    except LabError as caught:
        trouble = caught
    await pod.watch(SETTLED, lambda: pod.ended is not None)
    if pod.ended is not None:
        pod.begun, pod.why = begun, why
    elif trouble:
        raise trouble
    return False


async def hangs_again(pod: Copy) -> bool:
    """Have the container hang that came in place of one that hung, or the next one where it is ended just then.

    Until the startup probe has asked a new container for the first time, the kubelet counts it as started, as the one
    before it was. A liveness probe may ask it then, while it loads, and with a failureThreshold of 1 that ends it
    (`isContainerStarted` in pkg/kubelet/prober/prober_manager.go, Kubernetes 1.37).

    Raises:
        LabError: it could not be told, and its container lives on.
    """
    for _ in range(RENEWALS):
        if await once_more(pod, "hang"):
            return True
        if pod.ended is None or not await pod.anew():
            return False
    pod.begun = absent("a container that is ready lives until it hangs", f"{RENEWALS} were ended before")
    return False
