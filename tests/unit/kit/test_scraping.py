"""What Prometheus scrapes of a lab's pods, and that one which has stopped scraping is no fault of the learner's."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from mlops_lab.checks import Lab, LabError
from mlops_lab.kit.scraping import Target, newest, targets
from mlops_lab.platform.dashboard.prometheus import Series
from tests.made_up import made_up_lab


def scraping(age: float | None, *up: Series) -> Lab:
    async def query(expr: str) -> list[Series]:
        if expr.startswith("min("):
            return [] if age is None else [Series({}, [(0.0, age)])]
        assert expr == 'up{job="pods", namespace="lab-15"}'
        return list(up)

    prometheus = SimpleNamespace(matcher='namespace="lab-15"', query=query)
    return made_up_lab(platform=SimpleNamespace(prometheus=prometheus))


def test_the_last_value_counts_and_nan_is_none() -> None:
    assert newest(Series({}, [(1.0, 5.0), (2.0, 7.0)])) == 7.0
    assert newest(Series({}, [(1.0, None)])) == 0.0


def test_targets_are_up_or_down() -> None:
    up = Series({"pod": "model-1", "instance": "10.0.0.1:8080"}, [(1.0, 1.0)])
    down = Series({"pod": "model-2", "instance": "10.0.0.2:9090"}, [(1.0, 0.0)])
    assert asyncio.run(targets(scraping(3.0, up, down))) == [
        Target("model-1", "10.0.0.1:8080", True),
        Target("model-2", "10.0.0.2:9090", False),
    ]
    assert asyncio.run(targets(scraping(None))) == []


def test_a_prometheus_that_does_not_scrape_is_an_error() -> None:
    with pytest.raises(LabError, match="for 40 s"):
        asyncio.run(targets(scraping(40.0)))
