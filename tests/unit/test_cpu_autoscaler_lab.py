"""Lab 10 counts all pods that are paid for, and knows how long an autoscaler takes from all it may have to one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mlops_lab.kit.autoscalers import Autoscaler
from tests.lab_programs import loaded
from tests.made_up import made_up_lab

IMAGE = "localhost:5001/flight-delay:v1"


def autoscaler(most: int, **down: Any) -> Autoscaler:
    behavior = {"behavior": {"scaleDown": down}} if down else {}
    return Autoscaler({"metadata": {"name": "model"}, "spec": {"maxReplicas": most, **behavior}})


def pods(value: int, period: int) -> dict[str, Any]:
    return {"type": "Pods", "value": value, "periodSeconds": period}


def percent(value: int, period: int) -> dict[str, Any]:
    return {"type": "Percent", "value": value, "periodSeconds": period}


@pytest.mark.parametrize(
    ("hpa", "seconds"),
    [
        (autoscaler(4), 300),
        (autoscaler(4, stabilizationWindowSeconds=15), 15),
        (autoscaler(4, stabilizationWindowSeconds=0, policies=[pods(4, 15)]), 0),
        (autoscaler(4, stabilizationWindowSeconds=15, policies=[pods(1, 60)]), 135),
        (autoscaler(2, stabilizationWindowSeconds=15, policies=[pods(1, 60)]), 15),
        (autoscaler(4, stabilizationWindowSeconds=15, policies=[pods(1, 15)]), 45),
        (autoscaler(4, stabilizationWindowSeconds=15, policies=[percent(50, 30)]), 45),
        (autoscaler(4, stabilizationWindowSeconds=15, policies=[pods(1, 60), percent(100, 15)]), 15),
        (
            autoscaler(4, stabilizationWindowSeconds=15, policies=[pods(1, 60), percent(100, 15)], selectPolicy="Min"),
            135,
        ),
        (autoscaler(4, stabilizationWindowSeconds=15, selectPolicy="Disabled"), 600),
        (autoscaler(1, stabilizationWindowSeconds=15, selectPolicy="Disabled"), 15),
    ],
)
def test_how_long_an_autoscaler_takes_to_come_down(hpa: Autoscaler, seconds: int) -> None:
    checker = loaded("10")
    assert checker.least(hpa) == seconds

    async def autoscalers_of(lab: Any) -> list[Autoscaler]:
        return [hpa]

    checker.autoscalers_of = autoscalers_of
    seen = asyncio.run(checker.comes_down(made_up_lab("10"), 100))
    assert seen.ok == (seconds <= 100) and seen.seen


@pytest.mark.parametrize(
    ("container", "phase", "right"),
    [
        ({"image": IMAGE}, "Running", True),
        ({"image": IMAGE, "command": ["python3", "-c", "..."]}, "Running", False),
        ({"image": IMAGE}, "Succeeded", False),
        ({"image": "localhost:5001/load:v1"}, "Running", False),
    ],
)
def test_what_counts_as_the_models_server(container: dict[str, Any], phase: str, right: bool) -> None:
    pod = {"metadata": {"name": "a"}, "spec": {"containers": [container]}, "status": {"phase": phase}}
    assert loaded("10").runs_server(pod, [IMAGE]) is right


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (json.dumps({"spec": {"replicas": 6}}), 6),
        (json.dumps({"spec": {"replicas": None}}), 0),
        ("{}", 0),
        ("[]", 0),
        ("no JSON", 0),
        (None, 0),
    ],
)
def test_what_the_applied_manifest_asks_for(text: str | None, asked: int) -> None:
    annotations = {} if text is None else {"kubectl.kubernetes.io/last-applied-configuration": text}
    assert loaded("10").applied({"metadata": {"annotations": annotations}}) == asked
