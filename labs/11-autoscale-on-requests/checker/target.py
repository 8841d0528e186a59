"""What the autoscalers are told to keep to: how many requests a second a pod is to get."""

from __future__ import annotations

from collections.abc import Iterable

from mlops_lab.checks import quantity
from mlops_lab.kit.autoscalers import Autoscaler, metric_name

from .why import METRIC


def targets(autoscalers: Iterable[Autoscaler]) -> list[float]:
    """The requests a second for a pod in their metrics of type Pods, as numbers; none where they look at others."""
    found = []
    for hpa in autoscalers:
        for metric in hpa.item["spec"].get("metrics") or []:
            value = ((metric.get("pods") or {}).get("target") or {}).get("averageValue")
            if metric_name(metric) == METRIC and value is not None:
                found.append(float(quantity(str(value))))
    return found
