"""What the autoscalers are told to keep to: how many requests a second a pod is to get, and which requests count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mlops_lab.checks import Lab, quantity
from mlops_lab.kit.autoscaler_tolerance import tolerance
from mlops_lab.kit.autoscalers import Autoscaler, metric_name, metric_source
from mlops_lab.kit.selectors import selects
from mlops_lab.kube.client import Object

from .why import METRIC

_STATUSES = ("200", "400", "405", "422", "500", "503")  # and those that a selector names


def targets(autoscalers: Iterable[Autoscaler], *fields: str) -> list[float]:
    """The requests a second for a pod in their metrics of type Pods, or Object, as numbers; none where there are none.

    With an averageValue an Object, here the namespace, is shared by the pods: requests of all a second / their number.

    Args:
        fields: of the target; without any it is averageValue. With `value` all requests of an Object are one pod's.
    """
    told = [source.get("target") or {} for source in _sources(autoscalers)]
    return [float(quantity(str(one[field]))) for one in told for field in fields or ("averageValue",) if field in one]


def unheeded(autoscalers: Iterable[Autoscaler]) -> list[float]:
    """The requests a second for a pod up to which each adds none: a target, and what is tolerated over it."""
    return [round(target * (1 + tolerance(hpa)), 3) for hpa in autoscalers for target in targets([hpa])]


def left_out(autoscalers: Iterable[Autoscaler], series: Iterable[Mapping[str, str]]) -> list[str]:
    """The requests for predictions that do not count, as selectors of the metric leave them out, in words.

    Args:
        series: the labels of the counter's series for these requests, of which the status may be any other one, too.
    """
    selectors = [(source.get("metric") or {}).get("selector") or {} for source in _sources(autoscalers)]
    return [
        f"requests to {labels.get('route')} of pod {labels.get('pod')} with status {status} do not count"
        for selector in selectors
        for labels in series
        for status in dict.fromkeys((*_STATUSES, *_named(selector)))
        if not selects(selector, {**labels, "status": status})
    ]


async def uncounted(lab: Lab, autoscalers: Iterable[Autoscaler]) -> list[str]:
    """As `left_out`, with the series that Prometheus has of the lab's pods.

    Raises:
        LabError: it does not answer.
    """
    if not any((source.get("metric") or {}).get("selector") for source in _sources(autoscalers)):
        return []
    prometheus = lab.platform.prometheus
    found = await prometheus.query(f'http_requests_total{{{prometheus.matcher}, route="/predict"}}')
    return left_out(autoscalers, [each.labels for each in found])


def _named(selector: Object) -> list[str]:
    """The statuses that a selector tells of."""
    rules = [each for each in selector.get("matchExpressions") or [] if each["key"] == "status"]
    return [str(value) for each in rules for value in each.get("values") or []]


def _sources(autoscalers: Iterable[Autoscaler]) -> Iterator[Object]:
    """What their metrics of requests a second are of: the part of each that says metric and target."""
    for hpa in autoscalers:
        for metric in hpa.item["spec"].get("metrics") or []:
            if metric["type"] in ("Pods", "Object") and metric_name(metric) == METRIC:
                yield metric.get(metric_source(metric)) or {}
