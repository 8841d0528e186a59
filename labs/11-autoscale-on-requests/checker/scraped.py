"""Where Prometheus scrapes a pod: by the pod's own annotations, or by those that a template gives to its pods."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlops_lab.checks import Observation
from mlops_lab.kube.client import Object

NOT_THE_NEXT_PODS = (
    "Prometheus scrapes a pod by the pod's own annotations. What somebody has written on a running pod ends with it, "
    "and the pods that the autoscaler adds have what the template gives them: nobody would count their requests. The "
    "annotations belong into spec.template.metadata.annotations of the Deployment"
)


def endpoints(item: Object) -> set[str]:
    """What is scraped of a pod, or of each pod that a template makes, such as `http port 8080, /metrics`."""
    annotations = item["metadata"].get("annotations") or {}
    # Prometheus knows annotations by names in which all but letters, digits and _ is _.
    said = {re.sub(r"\W", "_", key, flags=re.ASCII): value for key, value in annotations.items()}
    if said.get("prometheus_io_scrape") != "true":
        return set()
    declared = {str(port["containerPort"]) for each in item["spec"]["containers"] for port in each.get("ports") or []}
    ports = {said["prometheus_io_port"]} if said.get("prometheus_io_port") else declared
    scheme, path = said.get("prometheus_io_scheme") or "http", said.get("prometheus_io_path") or "/metrics"
    return {f"{scheme} port {port}, {path}" for port in ports}


def by_template(template: Object, pods: Sequence[Object]) -> Observation:
    """Whether the pods are scraped because the template says so, as then are those that come after them."""
    given = endpoints(template)
    own = set().union(*map(endpoints, pods))
    return Observation(
        bool(given) and own <= given,
        "the Deployment's pod template asks for what its running pods are scraped by",
        f"the template asks for {_listed(given)}, the running pods for {_listed(own)}",
    )


def _listed(scraped: set[str]) -> str:
    return "; ".join(sorted(scraped)) or "nothing"
