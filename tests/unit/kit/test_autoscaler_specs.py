"""kit.autoscaler_specs: by which metrics autoscalers want more pods, and whether somebody writes what they are told."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.kit import autoscaler_specs
from mlops_lab.kit.autoscaler_specs import AutoscalerSpecs, at_target
from mlops_lab.kit.autoscalers import Autoscaler
from mlops_lab.kube.client import Object
from tests.made_up import NothingThere, made_up_lab


def resource(value: int | None, target: int = 60) -> tuple[Object, Object]:
    """The entry in spec.metrics and that in status.currentMetrics; the latter without a figure where there is none."""
    wanted = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}}
    seen = {"name": "cpu", "current": {"averageUtilization": value, "averageValue": "1m"}}
    return (
        {"type": "Resource", "resource": wanted},
        {"type": ""} if value is None else {"type": "Resource", "resource": seen},
    )


def average(kind: str, name: str, value: str, target: str) -> tuple[Object, Object]:
    key = kind[0].lower() + kind[1:]
    named: Object = {"metric": {"name": name}} if kind in ("Pods", "Object") else {"name": name, "container": "server"}
    wanted = named | {"target": {"type": "AverageValue", "averageValue": target}}
    return {"type": kind, key: wanted}, {"type": kind, key: named | {"current": {"averageValue": value}}}


def hpa(
    *metrics: tuple[Object, Object], wanted: int = 2, least: int = 1, name: str = "model", uid: str = "1"
) -> Object:
    return {
        "metadata": {"name": name, "uid": uid},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "model"}, "minReplicas": least, "maxReplicas": 4,
            "metrics": [each for each, _ in metrics],
        },
        "status": {"desiredReplicas": wanted, "currentMetrics": [each for _, each in metrics]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "reached"),
    [
        (resource(67), True), (resource(60), True), (resource(59), False), (resource(None), False),
        (average("ContainerResource", "cpu", "71m", "70m"), True),
        (average("ContainerResource", "cpu", "0.069", "70m"), False),
        (average("Pods", "http_requests_per_second", "6", "1500m"), True),
        (average("Object", "http_requests_per_second", "1499m", "1.5"), False),
    ],
)  # fmt: skip
def test_a_metric_is_at_its_target(metric: tuple[Object, Object], reached: bool) -> None:
    assert bool(at_target(Autoscaler(hpa(metric)))) is reached


def test_of_several_metrics_those_that_are_there_count_whatever_their_order() -> None:
    item = hpa(resource(20, 500), average("Pods", "rate", "6", "1500m"), average("ContainerResource", "cpu", "1", "2"))
    assert at_target(Autoscaler(item)) == ["rate"]
    item["status"]["currentMetrics"].reverse()
    assert at_target(Autoscaler(item)) == ["rate"]
    assert at_target(Autoscaler({"spec": {"metrics": [resource(1)[0]]}})) == []


def looked_at(*states: list[Object] | LabError) -> AutoscalerSpecs:
    """What is seen in these states one after the other, while a block runs that lasts longer than they do."""
    left = [*states]

    async def each(kind: str, selector: str = "") -> list[Object]:
        state = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(state, LabError):
            raise state
        return state

    async def play() -> AutoscalerSpecs:
        seen = AutoscalerSpecs(made_up_lab(objects=NothingThere(all=each)))
        async with seen.followed():
            await asyncio.sleep(0.1)
        assert len(left) == 1
        return seen

    return asyncio.run(play())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoscaler_specs, "_EVERY", 0.001)


def changed(**spec: Any) -> Object:
    item = copy.deepcopy(hpa(resource(67)))
    item["spec"] |= spec
    return item


@pytest.mark.parametrize(
    ("later", "seen"),
    [
        ([hpa(resource(67), wanted=3)], "they are"),
        ([changed(minReplicas=2)], "another minReplicas in model"),
        ([changed(metrics=[resource(67, 5)[0]])], "another metrics in model"),
        ([changed(behavior={})], "another behavior in model"),
        ([], "model is gone"),
        ([hpa(resource(67), uid="2")], "model was made anew"),
        ([hpa(resource(67)), hpa(resource(67), name="more")], "more came"),
    ],
)
def test_what_an_autoscaler_is_told_must_stay(later: list[Object], seen: str) -> None:
    found = looked_at([hpa(resource(20), wanted=1)], later, [hpa(resource(67))]).left_alone()
    assert (found.ok, found.seen) == (seen == "they are", seen)


def test_metrics_count_while_more_pods_than_the_minimum_are_wanted() -> None:
    assert looked_at([hpa(resource(67))]).by == {"cpu"}
    assert looked_at([hpa(resource(67), wanted=1)], [hpa(resource(20))], [hpa(resource(90), least=2)]).by == set()
    assert looked_at([]).by == set()


def test_trouble_for_a_moment_is_waited_out_and_any_other_is_the_environments() -> None:
    moment = LabError("the API server is away", "wait", transient=True)
    assert looked_at([hpa(resource(20), wanted=1)], moment, [hpa(resource(67))]).by == {"cpu"}
    with pytest.raises(LabError, match="does not tell"):
        looked_at([], LabError("it does not tell", "lab status"))
