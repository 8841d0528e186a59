"""Lab 11: which targets count, and what it makes of pods that use CPU though nobody asks them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.kit.autoscalers import Autoscaler
from tests.lab_programs import loaded
from tests.made_up import made_up_lab


def hpa(*metrics: Any) -> Autoscaler:
    return Autoscaler({"spec": {"metrics": list(metrics)}})


def of_pods(name: str, value: str) -> Any:
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": {"averageValue": value}}}


CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageValue": "20m"}}}


def test_targets_are_those_of_requests_a_second() -> None:
    targets = loaded("11").targets
    assert targets([hpa(of_pods("http_requests_per_second", "1500m"), CPU)]) == [1.5]
    assert targets([hpa(CPU), hpa(of_pods("http_requests_total", "1"))]) == []


@pytest.mark.parametrize(("rest", "judged"), [(0.09, True), (0.006, False)])
def test_cpu_that_is_used_at_rest_is_the_pods_own_and_else_the_machines(rest: float, judged: bool) -> None:
    async def at_rest() -> float:
        return rest

    pace: Any = SimpleNamespace(at_rest=at_rest, cpu=0.1)
    said = loaded("11").costly(made_up_lab(), pace)
    if judged:
        assert "uses 90m of CPU while nobody asks" in asyncio.run(said)
    else:
        with pytest.raises(LabError, match="nothing to compare"):
            asyncio.run(said)
