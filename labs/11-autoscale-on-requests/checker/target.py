"""What the autoscalers are told to keep to: how many requests a second a pod is to get."""

from __future__ import annotations

from collections.abc import Iterable

from mlops_lab.checks import quantity
from mlops_lab.kit.autoscalers import Autoscaler, metric_name, metric_source

from .why import METRIC


def targets(autoscalers: Iterable[Autoscaler]) -> list[float]:
    """The requests a second for a pod in their metrics of type Pods, or Object, as numbers; none where there are none.

    With an averageValue an Object, here the namespace, is shared by the pods: requests of all a second / their number.
    """
    found = []
    for hpa in autoscalers:
        for metric in hpa.item["spec"].get("metrics") or []:
            source = metric.get(metric_source(metric)) or {}
            value = (source.get("target") or {}).get("averageValue")
            if metric["type"] in ("Pods", "Object") and metric_name(metric) == METRIC and value is not None:
                found.append(float(quantity(str(value))))
    return found
