"""What Prometheus has counted of each pod, held against what the pod's server has counted itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.pods import leaving, name
from mlops_lab.kit.scraping import newest
from mlops_lab.kube.client import Object

NOT_ITS_REQUESTS = (
    "the autoscaler goes by what is scraped, so that has to be what the server itself counts, on its port 8080 at "
    "/metrics, all of it and once. A program that passes its metrics on may keep some requests to itself, such as "
    "those that were refused, or tell of some that nobody has sent, as does a second port of the pod with the same "
    "counter"
)
WITHIN = 25  # s; a server that was started anew counts from 0, and Prometheus has its old count until the next scrape
_PROBED = "/healthz|/readyz|/metrics"  # as in the custom metrics API, these are none
_PREDICT = "/predict"
_LINE = re.compile(r"^http_requests_total\{(.*)\} (\S+)$")
_ROUTE = re.compile(r'route="([^"]*)"')
_OWN = (
    'import urllib.request\nprint(urllib.request.urlopen("http://127.0.0.1:8080/metrics", timeout=10).read().decode())'
)


async def no_more_than_counted(lab: Lab, predictions: dict[str, float]) -> Observation:
    """Whether Prometheus has no more requests of any pod than its server has.

    It is asked first: what comes in meanwhile only the server has yet.

    Args:
        predictions: gets the requests for predictions that each pod's server has counted, by the pod's name. A program
            in a pod costs CPU, of which a moment later little is to be used, so it is started once for all.

    Raises:
        LabError: Prometheus, or a pod's container, can't be asked.
    """
    prometheus = lab.platform.prometheus
    query = f'sum by (pod) (http_requests_total{{{prometheus.matcher}, route!~"{_PROBED}"}})'

    async def look() -> list[str]:
        scraped = {each.labels.get("pod", ""): newest(each) for each in await prometheus.query(query)}
        pods = [each for each in await lab.objects.pods_of("model") if not leaving(each) and name(each) in scraped]
        told = {name(each): await _told(lab, each) for each in pods}
        predictions.update({pod: requests_in(lines, _PREDICT) for pod, lines in told.items()})
        return told_of(scraped, {pod: requests_in(lines) for pod, lines in told.items()})

    return await lab.time.eventually(
        look,
        lambda said: not said,
        expected="Prometheus has no more requests of a pod than its server",
        shown=lambda said: "; ".join(said) or "it has no more",
        within=WITHIN,
    )


async def no_fewer_than_counted(lab: Lab, predictions: Mapping[str, float]) -> Observation:
    """Whether Prometheus comes to have all requests for predictions that each pod's server had counted.

    Args:
        predictions: of `no_more_than_counted`.

    Raises:
        LabError: Prometheus can't be asked.
    """
    prometheus = lab.platform.prometheus
    query = f'sum by (pod) (http_requests_total{{{prometheus.matcher}, route="{_PREDICT}"}})'

    async def look() -> list[str]:
        scraped = {each.labels.get("pod", ""): newest(each) for each in await prometheus.query(query)}
        there = {name(each) for each in await lab.objects.pods_of("model")}
        return kept_from({pod: count for pod, count in predictions.items() if pod in there}, scraped)

    return await lab.time.eventually(
        look,
        lambda said: not said,
        expected=f"Prometheus has all requests to {_PREDICT} that a pod's server has counted, whatever their answers",
        shown=lambda said: "; ".join(said) or "it has them all",
        within=WITHIN,
    )


def kept_from(own: Mapping[str, float], scraped: Mapping[str, float]) -> list[str]:
    """The pods of which fewer requests were scraped than they have counted, in words."""
    return [
        f"{scraped.get(pod, 0.0):g} requests to {_PREDICT} of pod {pod}, whose server has counted {count:g}"
        for pod, count in own.items()
        if scraped.get(pod, 0.0) < count
    ]


def told_of(scraped: Mapping[str, float], own: Mapping[str, float]) -> list[str]:
    """The pods of which more was scraped than they have counted, in words."""
    return [
        f"{scraped[pod]:g} requests of pod {pod}, whose server has counted {count:g}"
        for pod, count in own.items()
        if scraped[pod] > count
    ]


def requests_in(lines: Iterable[str], only: str = "") -> float:
    """The requests in a text of metrics, without those of probes and scrapes.

    Args:
        only: a route; those of others do not count then.

    https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
    """
    found = [match for match in map(_LINE.match, lines) if match]
    routes = [(route[1] if (route := _ROUTE.search(each[1])) else "", float(each[2])) for each in found]
    return sum(count for route, count in routes if (route == only if only else route not in _PROBED.split("|")))


async def _told(lab: Lab, pod: Object) -> Sequence[str]:
    first = pod["spec"]["containers"][0]["name"]
    return (await lab.objects.run_in(name(pod), "python3", "-c", _OWN, container=first)).lines
