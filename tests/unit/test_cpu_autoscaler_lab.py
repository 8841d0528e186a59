"""Lab 10 counts all pods that are paid for, and knows how long an autoscaler takes from all it may have to one."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.kit.autoscalers import Autoscaler
from mlops_lab.kube.client import Object
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
        (autoscaler(4, stabilizationWindowSeconds=40, policies=[pods(1, 20)]), 105),
        (autoscaler(4, stabilizationWindowSeconds=30, policies=[pods(1, 20)]), 90),
        (autoscaler(4, stabilizationWindowSeconds=20, policies=[pods(2, 15), percent(50, 15)]), 45),
        (autoscaler(4, stabilizationWindowSeconds=50), 60),
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


def of(name: str, container: dict[str, Any]) -> Object:
    return {"metadata": {"name": name}, "spec": {"containers": [container]}, "status": {"phase": "Running"}}


@pytest.mark.parametrize(
    ("pod", "by_cron_job", "seen"),
    [
        ({"image": "busybox:1"}, {"image": IMAGE, "command": ["python3"]}, ""),
        ({"image": IMAGE}, {"image": "busybox:1"}, "it runs in other, too"),
        ({"image": "busybox:1"}, {"image": IMAGE}, "it runs in pods of CronJob warm, too"),
    ],
)
def test_the_server_runs_in_the_deployments_pods_alone(pod: Object, by_cron_job: Object, seen: str) -> None:
    job = {"spec": {"template": {"spec": {"containers": [by_cron_job]}}}}
    here: dict[str, list[Object]] = {
        "Pod": [of("own", {"image": IMAGE}), of("other", pod)],
        "CronJob": [{"metadata": {"name": "warm"}, "spec": {"jobTemplate": job}}],
    }

    async def owned_pods(lab: Any) -> list[Object]:
        return here["Pod"][:1]

    async def every(kind: str) -> list[Object]:
        return here[kind]

    checker = loaded("10")
    checker.owned_pods = owned_pods
    platform = SimpleNamespace(registry="localhost:5001")
    found = asyncio.run(checker.no_other_server(SimpleNamespace(objects=SimpleNamespace(all=every), platform=platform)))
    assert found.ok is (not seen) and (found.ok or found.seen == seen)
