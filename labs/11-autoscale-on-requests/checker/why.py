"""Why an autoscaler that looks at requests did not act, and why nobody counts them."""

from __future__ import annotations

import re

from mlops_lab.checks import Lab, LabError
from mlops_lab.kit.autoscalers import Autoscaler, autoscalers_of, metric_source
from mlops_lab.kit.next_pods import asks_to_be_scraped
from mlops_lab.kit.pods import leaving, name

METRIC = "http_requests_per_second"
ACTS = (
    "It adds a pod only when what it sees is more than 10 % over the target. The target is a plain quantity, of "
    "requests a second: 1500m is 1.5"
)

NOT_BY_REQUESTS = (
    f"the task is an HPA that goes by {METRIC}, a metric of type Pods with an averageValue that the requests get to. "
    "One that goes by CPU can be set to act early as well, and then it acts whenever a pod does anything at all"
)
_LABEL = re.compile(r"[A-Za-z_]\w*", re.ASCII)  # https://prometheus.io/docs/concepts/data_model/


def why_costly(rest: str) -> str:
    """Why lab 10's autoscaler would have acted on a few requests.

    Args:
        rest: the CPU that a pod uses while nobody asks, in words.
    """
    return (
        f"a pod uses {rest} of CPU while nobody asks it anything, and with a few requests that is enough for lab 10's "
        "autoscaler. The server itself takes next to nothing at rest: what else runs in its container? A probe of type "
        "exec starts a program each time, and a Python program takes a good part of a second of CPU to start; an "
        "httpGet probe asks the server that runs already. kubectl top pods shows it"
    )


def cause(hpa: Autoscaler) -> str:
    """What explains that it asked for no second pod; empty if nothing of its metric does.

    Raises:
        LabError: the custom metrics API does not answer it.
    """
    message = hpa.message
    if METRIC not in hpa.metrics:
        why = (
            f"the HPA looks at {', '.join(hpa.metrics)}. The requests a second of each pod are {METRIC} in the custom "
            "metrics API, a metric of type Pods"
        )
        if "cpu" in hpa.metrics:
            return f"{why}; CPU tells of requests late when one costs so little of it"
        return f"{why}. The HPA says itself: {message}" if message else why
    if "no matches for kind" in message:
        return (
            "the HPA asks for a metric of an object that the cluster does not know by the apiVersion and kind in "
            f"describedObject. The custom metrics API has {METRIC} of each pod: a metric of type Pods. It says itself: "
            f"{message}"
        )
    if "custom metrics API" in message and "could not find the metric" not in message and "no metrics" not in message:
        if names := no_labels(hpa):
            return (
                f"the metric's selector goes by {', '.join(names)}. It selects series of Prometheus, whose labels have "
                "names of letters, digits and _ alone, and not pods: the custom metrics API can't ask for any other "
                "name. Whose pods' requests count the HPA knows by its scaleTargetRef. It says itself: "
                f"{message}"
            )
        raise LabError(f"the custom metrics API does not answer: {message}", "look at it with: lab doctor")
    return ""


async def halted(lab: Lab) -> str:
    """Why an autoscaler takes no pods away, as it can't compute how many it wants; empty where they all can.

    Raises:
        LabError: the custom metrics API, or the one of CPU, does not answer it.
    """
    for hpa in await autoscalers_of(lab):
        if hpa.active or not hpa.message or hpa.least > 1 or not hpa.scales_in:
            continue
        if "from resource metrics API" in hpa.message:
            trouble = f"the metrics API has no figures for this lab's pods: {hpa.message}"
            raise LabError(trouble, "look at it with: lab doctor")
        if METRIC in hpa.metrics and (why := cause(hpa)):
            return f"{why}; kubectl describe hpa {hpa.name}"
        return (
            f"the HPA can't compute how many pods it wants: {hpa.message}. One of several metrics is enough for that: "
            "with the others it may add pods, and takes none away, as that one might be what they are there for; "
            f"kubectl describe hpa {hpa.name}"
        )
    return ""


def no_labels(hpa: Autoscaler) -> list[str]:
    """The keys in selectors of its metrics by which Prometheus can't be asked, as no label can have such a name."""
    metrics = [
        (each.get(metric_source(each)) or {}).get("metric") or {} for each in hpa.item["spec"].get("metrics") or []
    ]
    selectors = [each.get("selector") or {} for each in metrics]
    keys = [key for each in selectors for key in each.get("matchLabels") or {}]
    keys += [rule["key"] for each in selectors for rule in each.get("matchExpressions") or []]
    return [key for key in dict.fromkeys(keys) if not _LABEL.fullmatch(key)]


async def why_not_measured(lab: Lab) -> str:
    """Why the custom metrics API has no figure of the pods, as far as Prometheus knows.

    Raises:
        LabError: Prometheus has all that it takes.
    """
    prometheus = lab.platform.prometheus
    found = await prometheus.query(f'up{{job="pods", {prometheus.matcher}}}')
    if not found:
        return (
            "Prometheus scrapes no pod of this namespace. It looks at the annotations of pods, so they belong into the "
            'Deployment\'s pod template (spec.template.metadata.annotations): prometheus.io/scrape: "true", a string. '
            "kubectl get pods -o yaml shows what the pods have"
        )
    pods = [each for each in await lab.objects.pods_of("model") if not leaving(each)]
    if silent := sorted(name(each) for each in pods if not asks_to_be_scraped(each)):
        return (
            f"Prometheus scrapes other pods of this namespace, and not {', '.join(silent[:3])}: it looks at each pod's "
            "annotations, so they belong into the Deployment's pod template (spec.template.metadata.annotations), from "
            'which all of them come: prometheus.io/scrape: "true", a string. kubectl get pods -o yaml shows what the '
            "pods have"
        )
    down = sorted({each.labels.get("instance", "") for each in found if not each.points[-1][1]})
    if down:
        return (
            f"Prometheus scrapes {', '.join(down)}, and gets no metrics there (up is 0). It asks each pod itself, not "
            "the Service: prometheus.io/port must be the port that the container listens on, prometheus.io/path where "
            "it has its metrics"
        )
    if await prometheus.query(f"http_requests_total{{{prometheus.matcher}}}"):
        raise LabError(
            "Prometheus has http_requests_total of these pods, and the custom metrics API does not tell of it",
            "see how the monitoring is: lab status",
        )
    return (
        "Prometheus scrapes the pods, but finds no http_requests_total of theirs there: prometheus.io/path must lead "
        'to the server\'s metrics. Ask Prometheus: count by (__name__) ({namespace="..."})'
    )
