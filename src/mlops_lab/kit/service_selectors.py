"""Whether a Service selects by labels that its pods' template gives them all, also those of the next revision."""

from __future__ import annotations

from mlops_lab.checks import Observation, holds
from mlops_lab.kube.client import Object


def beside_the_template(service: Object, workload: Object) -> list[str]:
    """What a Service's selector asks for that the template of a Deployment or a StatefulSet does not say, sorted.

    Such are `pod-template-hash`, which is a ReplicaSet's own, and a label that was put on a pod by hand.
    """
    labels = workload["spec"]["template"]["metadata"].get("labels") or {}
    selector = service["spec"].get("selector") or {}
    return sorted(f"{key}={value}" for key, value in selector.items() if labels.get(key) != value)


def by_the_template(service: Object, workload: Object) -> Observation:
    """A Service selects by labels of a workload's template, and by some."""
    beside = ", ".join(beside_the_template(service, workload))
    otherwise = f"{beside} is not in it" if beside else "it has no selector"
    right = bool(service["spec"].get("selector")) and not beside
    expected = f"Service {service['metadata']['name']} selects by labels that are in its pods' template"
    return holds(right, expected, otherwise)
