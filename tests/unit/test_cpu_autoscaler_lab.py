"""Lab 10: how long an autoscaler takes to come down, of what its percentage is, and why it left pods as they were.

And which servers run beside its pods during the load.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks import LabError, Observation
from mlops_lab.kit.autoscalers import Autoscaler
from tests.lab_programs import loaded
from tests.made_up import READY, NothingThere, Room, made_up_lab


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


@pytest.mark.parametrize(
    ("looks", "ok"), [((True, True, True), True), ((True, False, True), False), ((False, True, True), False)]
)
def test_a_request_that_a_pod_has_for_a_moment_is_seen(looks: tuple[bool, ...], ok: bool) -> None:
    checker, left = loaded("10"), list(looks)

    async def requested_again(lab: Any) -> Observation:
        return Observation(left.pop(0) if left else True, "as the next pod", "")

    async def load() -> Observation:
        requests = checker.Requests(made_up_lab("10"))
        async with requests.followed():
            await asyncio.sleep(0.1)
        found: Observation = requests.seen
        return found

    checker.EVERY, checker.requested_again = 0.01, requested_again
    assert asyncio.run(load()).ok is ok


@pytest.mark.parametrize("transient", [True, False])
def test_trouble_in_looking_at_requests_is_not_the_learners(transient: bool) -> None:
    checker, left = loaded("10"), [LabError("the API server is away", "wait", transient=transient)]

    async def requested_again(lab: Any) -> Observation:
        if looked and left:
            raise left.pop()
        looked.append(True)
        return READY

    async def load() -> None:
        async with checker.Requests(made_up_lab("10")).followed():
            await asyncio.sleep(0.1)

    looked: list[bool] = []
    checker.EVERY, checker.requested_again = 0.01, requested_again
    with contextlib.nullcontext() if transient else pytest.raises(LabError, match="is away"):
        asyncio.run(load())
    assert (len(looked) > 1) is transient


def seen_with(message: str, *names: str, active: str = "False", **more: Any) -> Autoscaler:
    """An autoscaler that goes by these resources in percent, and what its condition ScalingActive says."""
    metrics = [{"type": "Resource", "resource": {"name": name, "target": PERCENT}} for name in names]
    target = {"kind": "Deployment", "name": "model"}
    condition = {"type": "ScalingActive", "status": active, "reason": "", "message": message}
    spec = {"scaleTargetRef": target, "maxReplicas": 4, "metrics": metrics, **more}
    return Autoscaler({"metadata": {"name": "model"}, "spec": spec, "status": {"conditions": [condition]}})


LACKS = "failed to get {0} utilization: missing request for {0} in container server of Pod model-1"
NO_FIGURES = "unable to get metrics for resource cpu: no metrics returned from resource metrics API"


@pytest.mark.parametrize(
    ("hpa", "said"),
    [
        (seen_with(LACKS.format("cpu"), "cpu"), "Set resources.requests.cpu in"),
        (seen_with(LACKS.format("memory"), "memory", "cpu"), "Set resources.requests.memory in"),
        (seen_with(LACKS.format("memory"), "memory"), "the HPA looks at memory, and not at cpu"),
        (seen_with("container proxy not found in Pod model-1", "cpu"), ""),
        (seen_with("", "cpu", active="True"), ""),
    ],
)
def test_an_autoscaler_that_did_not_act_lacks_the_request_that_it_tells_of(hpa: Autoscaler, said: str) -> None:
    found = loaded("10").cause(hpa)
    assert said in found and bool(found) is bool(said)


@pytest.mark.parametrize(
    ("hpa", "said"),
    [
        (seen_with(LACKS.format("memory"), "cpu", "memory"), "takes none away, as that one might be what they are"),
        (seen_with("pods are controlled by multiple HPAs", "cpu"), "how many pods it wants: pods are controlled by"),
        (seen_with("computed from cpu", "cpu", active="True"), "stabilizationWindowSeconds"),
        (seen_with(LACKS.format("cpu"), "cpu", minReplicas=2), "minReplicas is 2"),
    ],
)
def test_an_autoscaler_that_can_not_compute_a_metric_takes_no_pod_away(hpa: Autoscaler, said: str) -> None:
    async def every(kind: str, selector: str = "") -> list[Any]:
        return [hpa.item] if kind == "HorizontalPodAutoscaler" else []

    lab = made_up_lab("10", objects=NothingThere(all=every))
    left = Observation(False, "exactly 1 pod", "2 pods, 2 ready")
    assert said in asyncio.run(loaded("10").why_too_many(lab, left))
    assert not asyncio.run(loaded("10").why_too_many(lab, replace(left, ok=True)))


def test_a_metrics_api_without_figures_is_not_the_autoscalers_fault() -> None:
    hpa = seen_with(NO_FIGURES, "cpu")

    async def every(kind: str) -> list[Any]:
        return [hpa.item]

    checker, lab = loaded("10"), made_up_lab("10", objects=NothingThere(all=every))
    with pytest.raises(LabError, match="no figures for this lab's pods"):
        checker.cause(hpa)
    with pytest.raises(LabError, match="no figures for this lab's pods"):
        asyncio.run(checker.why_too_many(lab, Observation(False, "", "")))


SPARE = {
    "metadata": {"name": "spare"},
    "spec": {"containers": [{"name": "server", "image": "localhost:5001/flight-delay:v1"}]},
}
MODEL: dict[str, Any] = {
    "metadata": {"name": "model", "uid": "model"},
    "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "model"}}},
    "status": {"replicas": 1, "readyReplicas": 1},
}


class Storm(NothingThere):
    """A load until a second pod is ready, and a spare that runs in some of its phases: `before`, `load`, `shared`."""

    def __init__(self, *spare_in: str) -> None:
        self.phase, self.spare_in = "before", spare_in

    def hidden_rows(self, count: int) -> Any:
        return SimpleNamespace(body={})

    @contextlib.asynccontextmanager
    async def load(self, *given: Any, **more: Any) -> AsyncIterator[Any]:
        self.phase = "load"
        yield SimpleNamespace(report=SimpleNamespace())
        self.phase = "after"

    def named(self, kind: str, name: str) -> Any:
        async def becomes(**wanted: Any) -> Observation:
            await asyncio.sleep(0.1)
            self.phase = "shared"
            return READY

        async def now() -> Any:
            return MODEL

        async def until(*given: Any, **more: Any) -> Observation:
            return READY

        return SimpleNamespace(becomes=becomes, now=now, until=until)

    async def all(self, kind: str, selector: str = "") -> list[Any]:
        return [SPARE] if kind == "Pod" and self.phase in self.spare_in else []

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("spare_in", "ok"),
    [((), True), (("load",), False), (("shared",), False), (("load", "shared"), False), (("before", "after"), True)],
)
def test_a_server_beside_is_seen_whenever_it_runs_under_load(
    spare_in: tuple[str, ...], ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    checker, storm = loaded("10"), Storm(*spare_in)
    monkeypatch.setattr("mlops_lab.kit.spares.EVERY", 0.01)
    found = asyncio.run(checker.surge(made_up_lab("10", objects=storm, traffic=storm, time=storm)))
    assert found.others.ok is ok and found.scaled.ok
    assert ok or found.others.seen == "it runs in spare, too"
