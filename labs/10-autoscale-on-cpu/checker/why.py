"""Why an autoscaler that looks at CPU did not act."""

from __future__ import annotations

import re

from mlops_lab.checks import Lab, LabError
from mlops_lab.kit.autoscalers import Autoscaler, autoscalers_of
from mlops_lab.kit.next_pods import RESIZED_BY_HAND

NO_CPU = (
    "the task is an HPA that goes by the CPU that the pods use: type Resource (or ContainerResource) with the name cpu "
    "among its metrics, whose target 40 requests a second get to, and the Deployment as its scaleTargetRef. kubectl "
    "describe hpa says what it saw, and what it asked for"
)
RESIZED = (
    f"{RESIZED_BY_HAND}, and a target in percent is of that request then. A release, or a node that is drained, brings "
    "one: set resources.requests.cpu in the Deployment's pod template"
)
ACTS = "It adds a pod only when the use is more than 10 % over the target"
_NO_REQUEST = re.compile(r"missing request for (\w+)")


def cause(hpa: Autoscaler) -> str:
    """What explains that it brought no second pod; empty if nothing of CPU does.

    Raises:
        LabError: the metrics API has no figures for pods that have been serving for more than a minute.
    """
    if not any(each.startswith("cpu") for each in hpa.metrics):
        memory = "A model server's memory is its model: it hardly changes with the number of requests, while each"
        return f"the HPA looks at {', '.join(hpa.metrics)}, and not at cpu. {memory} request costs CPU time"
    if why := no_request(hpa):
        return f"{why}; until then the autoscaler does nothing at all (kubectl get hpa: <unknown>)"
    if not hpa.active:
        must_have_figures(hpa)
        return ""
    if hpa.wanted >= 2:
        return (
            f"the HPA asked for {hpa.wanted} pods, but no second one was ready in time: it must be scheduled (is its "
            "request free on a node?), start, and load its model; kubectl get pods, kubectl describe pod"
        )
    return ""


async def halted(lab: Lab) -> str:
    """Why an autoscaler takes no pods away, as it can't compute how many it wants; empty where they all can.

    Raises:
        LabError: as `must_have_figures`.
    """
    for hpa in await autoscalers_of(lab):
        if hpa.active or not hpa.message or hpa.least > 1 or not hpa.scales_in:
            continue
        must_have_figures(hpa)
        why = no_request(hpa)
        return (
            f"the HPA can't compute how many pods it wants: {hpa.message}. One of several metrics is enough for that: "
            "with the others it may add pods, and takes none away, as that one might be what they are there for"
            f"{why and f'. And {why}'}; kubectl describe hpa {hpa.name}"
        )
    return ""


def no_request(hpa: Autoscaler) -> str:
    """What it lacks for a target in percent, of CPU or memory; empty if that is not what it says."""
    found = _NO_REQUEST.search(hpa.message)
    if not found:
        return ""
    return (
        f"a target in percent is a percentage of the containers' {found[1]} request, and a container has none: there "
        f"is nothing to take the percentage of. Set resources.requests.{found[1]} in the Deployment's pod template"
    )


def must_have_figures(hpa: Autoscaler) -> None:
    """The metrics API has figures for it; no news where it has.

    Raises:
        LabError: it has none, for pods that have been serving for more than a minute.
    """
    if not hpa.active and "from resource metrics API" in hpa.message:
        trouble = f"the metrics API has no figures for this lab's pods: {hpa.message}"
        raise LabError(trouble, "look at it with: lab doctor")
