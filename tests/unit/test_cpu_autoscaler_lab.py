"""Lab 10: how long an autoscaler takes to come down, who sets the number of pods, and whose servers run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mlops_lab.kit.autoscalers import Autoscaler
from tests.lab_programs import loaded
from tests.made_up import NothingThere, Room, made_up_lab


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
        (autoscaler(4), 315),
        (autoscaler(4, stabilizationWindowSeconds=15), 30),
        (autoscaler(4, stabilizationWindowSeconds=0, policies=[pods(4, 15)]), 30),
        (autoscaler(4, stabilizationWindowSeconds=15, policies=[pods(1, 60)]), 150),
        (autoscaler(2, stabilizationWindowSeconds=15, policies=[pods(1, 60)]), 30),
        (autoscaler(4, stabilizationWindowSeconds=15, policies=[pods(1, 15)]), 60),
        (autoscaler(4, stabilizationWindowSeconds=15, policies=[percent(50, 30)]), 60),
        (autoscaler(4, stabilizationWindowSeconds=15, policies=[pods(1, 60), percent(100, 15)]), 30),
        (
            autoscaler(4, stabilizationWindowSeconds=15, policies=[pods(1, 60), percent(100, 15)], selectPolicy="Min"),
            150,
        ),
        (autoscaler(4, stabilizationWindowSeconds=15, selectPolicy="Disabled"), 600),
        (autoscaler(1, stabilizationWindowSeconds=15, selectPolicy="Disabled"), 30),
        (autoscaler(4, stabilizationWindowSeconds=40, policies=[pods(1, 20)]), 120),
        (autoscaler(4, stabilizationWindowSeconds=30, policies=[pods(1, 20)]), 105),
        (autoscaler(4, stabilizationWindowSeconds=30, policies=[pods(1, 30)]), 105),
        (autoscaler(4, stabilizationWindowSeconds=15, policies=[pods(1, 30)]), 90),
        (autoscaler(4, stabilizationWindowSeconds=0, policies=[pods(1, 30)]), 90),
        (autoscaler(4, stabilizationWindowSeconds=0, policies=[pods(1, 45)]), 120),
        (autoscaler(4, stabilizationWindowSeconds=45, policies=[pods(1, 15)]), 90),
        (autoscaler(4, stabilizationWindowSeconds=60, policies=[pods(1, 15)]), 105),
        (autoscaler(4, stabilizationWindowSeconds=20, policies=[pods(2, 15), percent(50, 15)]), 60),
        (autoscaler(4, stabilizationWindowSeconds=50), 75),
        (autoscaler(4, stabilizationWindowSeconds=75), 90),
    ],
)
def test_how_long_an_autoscaler_takes_to_come_down(hpa: Autoscaler, seconds: int) -> None:
    checker = loaded("10")
    assert checker.seconds_down(hpa) == seconds

    async def autoscalers_of(lab: Any) -> list[Autoscaler]:
        return [hpa]

    checker.autoscalers_of = autoscalers_of
    seen = asyncio.run(checker.comes_down(made_up_lab("10"), 100))
    assert seen.ok == (seconds <= 100) and seen.seen


def a_pod(sidecar: str = "", **cpu: str) -> dict[str, Any]:
    """A pod, or a template of pods, whose server requests (`requests`), or may take (`limits`), so much CPU."""
    resources = {kind: {"cpu": amount} for kind, amount in cpu.items()}
    beside = {"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": sidecar}}}
    containers = [{"name": "server", "resources": resources}]
    spec = {"containers": containers, "initContainers": [beside] if sidecar else None}
    return {"metadata": {"name": "model-1"}, "spec": spec}


PERCENT = {"averageUtilization": 60}


@pytest.mark.parametrize(
    ("pod", "template", "target", "seen"),
    [
        (a_pod(requests="100m"), a_pod(requests="0.1"), PERCENT, ""),
        (
            a_pod(requests="100m"),
            a_pod(requests="250m"),
            PERCENT,
            "server of pod model-1 100m, that of the next pod 250m",
        ),
        (a_pod(requests="100m"), a_pod(), PERCENT, "server of pod model-1 100m, that of the next pod none"),
        (a_pod("10m", requests="1"), a_pod("1", requests="1"), PERCENT, "proxy of pod model-1 10m, that of the next"),
        (a_pod(requests="100m"), a_pod(requests="250m"), {"averageValue": "60m"}, ""),
        (a_pod(requests="100m"), a_pod(limits="100m"), PERCENT, ""),
        (a_pod("10m", requests="100m"), a_pod(requests="100m"), PERCENT, ""),  # somebody adds it to each pod
        (a_pod(requests="100m"), a_pod(requests="50m"), PERCENT, ""),
        (a_pod(), a_pod(), PERCENT, ""),
    ],
)
def test_a_percentage_is_of_what_the_next_pod_requests_too(
    pod: dict[str, Any], template: dict[str, Any], target: Any, seen: str
) -> None:
    checker = loaded("10")
    metric = {
        "type": "ContainerResource",
        "containerResource": {"name": "cpu", "container": "server", "target": target},
    }

    async def autoscalers_of(lab: Any) -> list[Autoscaler]:
        return [Autoscaler({"metadata": {"name": "model"}, "spec": {"metrics": [metric]}})]

    async def owned_pods(lab: Any, deployment: str) -> list[Any]:
        return [pod, {"metadata": {"name": "model-0", "deletionTimestamp": "now"}}]

    async def present() -> Any:
        return {"metadata": {"name": "model"}, "spec": {"template": template}}

    checker.autoscalers_of, checker.owned_pods = autoscalers_of, owned_pods
    lab = made_up_lab("10", objects=NothingThere(deployment=lambda name: Room(present=present)))
    found = asyncio.run(checker.requested_again(lab))
    assert found.ok is not bool(seen) and seen in found.seen
