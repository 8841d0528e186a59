"""Metrics of pods as autoscalers read them: CPU from the metrics API, all else from the custom metrics API."""

from __future__ import annotations

from typing import NamedTuple

from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import NotFound
from mlops_lab.kube.quantity import quantity

# What the custom metrics API says (with 404) of a metric that no pod has; without the API itself it says less.
_NO_METRIC = "could not find the metric"


class Use(NamedTuple):
    """CPU that a pod used.

    Attributes:
        cores: of all its containers, on average over some seconds.
        at: when those seconds ended, in RFC 3339; values of the same time are one value.
    """

    cores: float
    at: str


def custom_metric(kube: Kube, namespace: str, name: str) -> dict[str, float]:
    """A metric of each pod that has it, from custom.metrics.k8s.io.

    Raises:
        LabError: the cluster has no custom metrics API, or it does not answer.
    """
    path = f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/pods/*/{name}"
    try:
        items = kube.raw(path, f"the metric {name} of pods")["items"]
    except NotFound as none:
        if _NO_METRIC in none.message:
            return {}
        raise
    return {item["describedObject"]["name"]: float(quantity(item["value"])) for item in items}


def cpu(kube: Kube, namespace: str) -> dict[str, Use]:
    """The newest CPU usage of each pod that has one, from metrics.k8s.io.

    Raises:
        LabError: the cluster has no metrics API, or it does not answer.
    """
    items = kube.raw(f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods", "the pods' metrics")["items"]
    return {
        item["metadata"]["name"]: Use(
            sum(float(quantity(each["usage"].get("cpu", "0"))) for each in item["containers"]), item["timestamp"]
        )
        for item in items
    }
