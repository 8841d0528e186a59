"""Metrics with a past: what pods of the checker's tell of it, and how it gets into Prometheus."""

from __future__ import annotations

import base64
import gzip
import random
import threading
from itertools import pairwise
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.measure.services.backfill import STEP, Counter, Gauge, Past, backfill, rhythm
from mlops_lab.platform.dashboard.prometheus import Series


def rate(samples: list[float], window: int) -> float:
    """Prometheus' rate() for samples up to the end of the window, of which it sees all but the oldest slot."""
    seen = samples[-(window // STEP) :]
    grown = sum(new - old if new >= old else new for old, new in pairwise(seen))
    return grown / (window - STEP)


def test_a_rate_over_a_window_is_what_happened_in_it_restarts_or_not() -> None:
    rng = random.Random(1)
    past = Past(rhythm(rng, (2.5, 0.1), (300, 600), 90, older=0.2), (13, 44))
    counter = Counter("x_total", {}, rate=3.0, base=50_000)
    samples = past.values(counter)
    assert len(samples) == 91
    assert sum(new < old for old, new in pairwise(samples)) == 2
    for window in (300, 600):
        assert rate(samples, window) * window == pytest.approx(past.growth(counter, window), rel=1e-9)
    assert past.growth(counter, 600) < 1.8 * past.growth(counter, 300)
    assert rate(samples, 60) != pytest.approx(rate(samples, 300), rel=0.05)


def test_a_restart_begins_at_nothing() -> None:
    past = Past([1, 1, 1], (1,))
    assert past.values(Counter("x_total", {}, 2.0, 100)) == [100, 120, 20, 40]


def test_each_sample_has_its_time() -> None:
    past = Past([1, 2], counters=[Counter("x_total", {"a": "1"}, 1.0, 5)], gauges=[Gauge("y", {"a": "1"}, (9, 8, 7))])
    assert past.exposition(1000).splitlines() == [
        'x_total{a="1"} 5.000000 980000',
        'x_total{a="1"} 25.000000 990000',
        'x_total{a="1"} 35.000000 1000000',
        'y{a="1"} 7.000000 980000',
        'y{a="1"} 8.000000 990000',
        'y{a="1"} 9.000000 1000000',
    ]


class FakeCluster:
    """Takes objects, and as a Prometheus tells of some of the pods."""

    def __init__(self, scraped: int) -> None:
        self.scraped = scraped
        self.made: list[Any] = []
        self.gone: list[tuple[str, str, str | None]] = []
        self.asked: list[tuple[str, float | None]] = []

    def apply(self, objects: list[Any]) -> None:
        self.made += objects

    def delete(self, kind: str, name: str, namespace: str | None = None, grace: int | None = None) -> None:
        self.gone.append((kind, name, namespace))

    def find(self, *_: object, **__: object) -> None:
        return None

    def list(self, *_: object, **__: object) -> list[Any]:
        return []

    def events(self, *_: object) -> list[Any]:
        return []

    def query(self, expr: str, at: float | None = None) -> list[Series]:
        self.asked.append((expr, at))
        return [Series({}, [(0.0, float(self.scraped))])] if self.scraped else []


PASTS = {pod: Past([1, 1], counters=[Counter("x_total", {"a": "1"}, 1.0, 5)]) for pod in ("a", "b")}


def told(cluster: Any, within: float = 5, stop: threading.Event | None = None) -> None:
    backfill(cluster, cluster, "image", PASTS, 1000, labels={"app": "x"}, within=within, namespace="n", stop=stop)


def test_pods_tell_their_past_and_go() -> None:
    cluster = FakeCluster(scraped=2)
    told(cluster)
    files, *pods = cluster.made
    assert gzip.decompress(base64.b64decode(files["binaryData"]["a"])).decode() == PASTS["a"].exposition(1000)
    assert [pod["metadata"]["annotations"]["prometheus.io/scrape"] for pod in pods] == ["true", "true"]
    assert all(item["metadata"]["namespace"] == "n" and item["metadata"]["labels"]["app"] == "x" for item in pods)
    assert cluster.gone == [(item["kind"], item["metadata"]["name"], "n") for item in reversed(cluster.made)]
    ((query, at),) = cluster.asked
    assert query.startswith('count(count by (pod) (x_total{namespace="n", pod=~"history-') and at == 1000


@pytest.mark.parametrize("scraped", [0, 1])
def test_a_prometheus_that_does_not_scrape_them_is_the_environments_fault(scraped: int) -> None:
    cluster = FakeCluster(scraped)
    with pytest.raises(LabError, match="has not scraped the checker's own pods"):
        told(cluster, within=0)
    assert len(cluster.gone) == 3


def test_it_ends_when_nobody_waits_any_more() -> None:
    cluster, stop = FakeCluster(scraped=0), threading.Event()
    stop.set()
    told(cluster, within=60, stop=stop)
    assert len(cluster.gone) == 3
