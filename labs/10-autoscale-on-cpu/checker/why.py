"""Why an autoscaler that looks at CPU did not act."""

from __future__ import annotations

from mlops_lab.checks import LabError
from mlops_lab.kit.autoscalers import Autoscaler
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


def cause(hpa: Autoscaler) -> str:
    """What explains that it brought no second pod; empty if nothing of CPU does.

    Raises:
        LabError: the metrics API has no figures for pods that have been serving for more than a minute.
    """
    if "missing request" in hpa.message:
        return (
            "a target in percent is a percentage of the containers' CPU request, and a container has none: there is "
            "nothing to take the percentage of, so the autoscaler does nothing at all (kubectl get hpa: <unknown>). "
            "Set resources.requests.cpu in the Deployment's pod template"
        )
    if not hpa.active:
        if "from resource metrics API" in hpa.message:
            trouble = f"the metrics API has no figures for this lab's pods: {hpa.message}"
            raise LabError(trouble, "look at it with: lab doctor")
        return ""
    if not any(each.startswith("cpu") for each in hpa.metrics):
        return (
            f"the HPA looks at {', '.join(hpa.metrics)}. A model server's memory is its model: it hardly changes with "
            "the number of requests, while each request costs CPU time"
        )
    if hpa.wanted >= 2:
        return (
            f"the HPA asked for {hpa.wanted} pods, but no second one was ready in time: it must be scheduled (is its "
            "request free on a node?), start, and load its model; kubectl get pods, kubectl describe pod"
        )
    return ""
