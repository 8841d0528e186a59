"""How a Deployment comes to rest at one pod, and what an autoscaler says of itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks import Observation
from mlops_lab.kit import autoscalers
from mlops_lab.kit.autoscalers import Autoscaler
from mlops_lab.kube.client import Object

TARGET = {"kind": "Deployment", "name": "model"}


def hpa(name: str = "web", active: Object | None = None, **spec: Any) -> Object:
    conditions = [{"type": "ScalingActive", **active}] if active else []
    return {
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": TARGET, **spec},
        "status": {"conditions": conditions, "desiredReplicas": 3},
    }


def pods(count: int, ready: int | None = None) -> Object:
    return {
        "spec": {"replicas": count},
        "status": {"replicas": count, "readyReplicas": count if ready is None else ready},
    }


class Watched:
    """An object that is seen in some states, one after another, by each wait anew."""

    def __init__(self, *states: Object | None) -> None:
        self.states = states
        self.waits: list[float] = []

    async def until(self, test: Callable[[Any], bool], *, within: float, shown: Any, expected: str) -> Observation:
        self.waits.append(within)
        for item in self.states:
            await asyncio.sleep(0)
            if test(item):
                return Observation(True, expected, shown(item))
        return Observation(False, expected, shown(self.states[-1]))

    async def now(self) -> Object | None:
        return self.states[-1]


def lab(deployment: Any, *hpas: Object, named: Any = None) -> Any:
    async def every(kind: str) -> list[Object]:
        return list(hpas)

    return SimpleNamespace(
        objects=SimpleNamespace(
            deployment=lambda name: deployment, named=lambda kind, name: named or Watched(hpas[0]), all=every
        )
    )


def test_an_autoscaler_tells_of_its_spec_in_any_spelling() -> None:
    metrics = [
        {"type": "Resource", "resource": {"name": "cpu"}},
        {"type": "ContainerResource", "containerResource": {"name": "memory", "container": "server"}},
        {"type": "Pods", "pods": {"metric": {"name": "requests"}}},
        {"type": "External"},
    ]
    assert Autoscaler(hpa(metrics=metrics)).metrics == ["cpu", "memory", "requests", "External"]
    assert [Autoscaler(hpa(minReplicas=each)).least for each in (None, 0, 2)] == [1, 1, 2]
    assert (Autoscaler(hpa()).wanted, Autoscaler({**hpa(), "status": None}).wanted) == (3, 0)


@pytest.mark.parametrize(
    ("active", "judged"),
    [
        (None, False),
        ({"status": "False", "reason": "FailedGetResourceMetric", "message": "no metrics returned"}, False),
        ({"status": "True", "reason": "ValidMetricFound", "message": "ok"}, True),
        ({"status": "False", "reason": "FailedGetResourceMetric", "message": "missing request for cpu"}, True),
        ({"status": "False", "reason": "AmbiguousSelector", "message": "pods by multiple HPAs"}, True),
    ],
)
def test_it_has_judged_once_it_has_figures_or_never_will(active: Object | None, judged: bool) -> None:
    assert Autoscaler(hpa(active=active)).has_judged is judged


@pytest.mark.parametrize(
    ("least", "behavior", "below"),
    [
        (None, None, ["HorizontalPodAutoscaler model may leave 1"]),
        (2, {"scaleDown": {"selectPolicy": "Min"}}, ["HorizontalPodAutoscaler model may leave 2"]),
        (2, {"scaleDown": {"selectPolicy": "Disabled"}}, []),
        (3, None, []),
    ],
)
def test_an_autoscaler_that_takes_pods_away_may_leave_its_minimum(
    least: int | None, behavior: Object | None, below: list[str]
) -> None:
    spec: Object = ({} if least is None else {"minReplicas": least}) | ({"behavior": behavior} if behavior else {})
    own, other = hpa("model", **spec), hpa("other", scaleTargetRef={"kind": "Deployment", "name": "other"})
    assert asyncio.run(autoscalers.autoscaled_below(lab(None, other, own), 3)) == below


def test_only_the_autoscalers_of_the_deployment_count() -> None:
    other = hpa("other", scaleTargetRef={"kind": "Deployment", "name": "Model"})
    found = asyncio.run(autoscalers.autoscalers_of(lab(None, other, hpa("own"))))
    assert [each.name for each in found] == ["own"]


def test_one_pod_that_is_left_alone_is_at_rest() -> None:
    seen = asyncio.run(autoscalers.rests_at_one(lab(Watched(pods(2), pods(1)), hpa()), within=0.01, figures_within=1))
    assert not seen.ok  # at the second look it is two again
    seen = asyncio.run(autoscalers.rests_at_one(lab(Watched(pods(1)), hpa()), within=0.01, figures_within=1))
    assert seen.ok and seen.seen == "1 pod, 1 ready"


def test_what_does_not_come_to_rest_says_how_long_it_had() -> None:
    seen = asyncio.run(autoscalers.rests_at_one(lab(Watched(pods(2, 1)), hpa()), within=0.01, figures_within=1))
    assert (seen.ok, seen.seen) == (False, "2 pods, 1 ready")
    assert seen.expected == "Deployment model: exactly 1 pod, ready, and left so, within 0.01 s"


def test_below_its_minimum_nobody_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoscalers, "_NO_WAY_DOWN", 0.05)
    watched, began = Watched(pods(2)), time.monotonic()
    assert not asyncio.run(autoscalers.rests_at_one(lab(watched, hpa(minReplicas=2)), within=100, figures_within=1)).ok
    assert time.monotonic() - began < 10


def test_many_autoscalers_are_waited_for_together() -> None:
    waited = []

    class Silent:
        async def until(self, test: Any, *, within: float, **more: Any) -> Observation:
            waited.append(within)
            await asyncio.sleep(within)
            return Observation(False, "", "")

    many = [hpa(str(one)) for one in range(50)]
    seen = asyncio.run(
        autoscalers.rests_at_one(lab(Watched(pods(1)), *many, named=Silent()), within=1, figures_within=0.2)
    )
    assert seen.ok and 0 < sum(waited) < 0.4


def test_after_a_load_the_time_counts_from_its_end() -> None:
    ended = time.monotonic() - 10
    watched = Watched(pods(3), pods(1))
    back = asyncio.run(autoscalers.back_at_one(lab(watched), ended=ended, within=100))
    assert back.ok and 89 < watched.waits[0] < 91
    assert back.expected == "Deployment model: exactly 1 pod, ready, within 100 s of the load's end"
    assert back.seen == "1 pod, 1 ready 10 s after the load's end"


def written(replicas: int, *writers: tuple[str, str, str]) -> Object:
    """A Deployment whose number of pods was written by some managers: manager, subresource, time."""
    entries = [
        {"manager": who, "subresource": part, "time": at, "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        for who, part, at in writers
    ]
    status = {"manager": "kube-controller-manager", "subresource": "status", "fieldsV1": {"f:status": {}}}
    return {"metadata": {"managedFields": [status, *entries]}, "spec": {"replicas": replicas}}


APPLIED, SCALED = ("kubectl", "", "2026-01-01T10:00:00Z"), ("kube-controller-manager", "scale", "2026-01-01T10:01:00Z")
PATCHED = ("python-requests", "scale", "2026-01-01T10:02:00Z")


@pytest.mark.parametrize(
    ("item", "who"),
    [
        (written(1), ""),
        (written(2, SCALED), ""),
        (written(2, APPLIED, SCALED), ""),
        (written(1, APPLIED), "kubectl"),
        (written(2, PATCHED, SCALED), "python-requests"),
        (written(2, ("kube-controller-manager", "", "2026-01-01T10:03:00Z")), "kube-controller-manager"),
        ({"metadata": {}, "spec": {}}, ""),
    ],
)
def test_an_autoscaler_writes_through_the_scale_subresource_as_the_controllers_do(item: Object, who: str) -> None:
    assert autoscalers.other_hand(item) == who


def test_controllers_may_have_another_name() -> None:
    item = written(2, ("k3s", "scale", "2026-01-01T10:01:00Z"))
    item["metadata"]["managedFields"][0]["manager"] = "k3s"
    assert autoscalers.other_hand(item) == ""


def test_whoever_else_sets_the_number_while_it_is_looked_at_is_told() -> None:
    hands = autoscalers.Hands()
    for item in (None, written(1, APPLIED), written(1, APPLIED), written(3, SCALED)):
        hands.take(item)
    assert hands.seen().ok
    hands.take(written(1, SCALED, PATCHED))
    assert (hands.seen().ok, hands.seen().seen) == (False, "set by python-requests (to 1)")
