"""Lab 11: which targets count, whose annotations do, and what it makes of pods that use CPU though nobody asks them.

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

from mlops_lab.base.errors import LabError
from mlops_lab.checks import Observation
from mlops_lab.checks.rooms.time import Time
from mlops_lab.kit.autoscalers import Autoscaler, Hands
from tests.lab_programs import loaded
from tests.made_up import READY, NothingThere, Room, made_up_lab


def hpa(*metrics: Any) -> Autoscaler:
    return Autoscaler({"spec": {"metrics": list(metrics)}})


def of_pods(name: str, value: str) -> Any:
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": {"averageValue": value}}}


CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageValue": "20m"}}}


def test_targets_are_those_of_requests_a_second() -> None:
    targets = loaded("11").targets
    assert targets([hpa(of_pods("http_requests_per_second", "1500m"), CPU)]) == [1.5]
    assert targets([hpa(CPU), hpa(of_pods("http_requests_total", "1"))]) == []


def test_a_target_for_the_requests_of_the_whole_namespace_is_a_pods_too_where_it_is_an_average() -> None:
    def of_all(**target: str) -> Any:
        metric = {"metric": {"name": "http_requests_per_second"}, "target": target}
        return {"type": "Object", "object": metric | {"describedObject": {"kind": "Namespace", "name": "lab-11"}}}

    assert loaded("11").targets([hpa(of_all(averageValue="1.5"))]) == [1.5]
    assert loaded("11").targets([hpa(of_all(value="6"))]) == []


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


def test_a_target_for_all_requests_adds_a_pod_to_one_as_well() -> None:
    metric = {"metric": {"name": "http_requests_per_second"}, "target": {"type": "Value", "value": "100m"}}
    of_all = {"type": "Object", "object": metric | {"describedObject": {"kind": "Namespace", "name": "lab-11"}}}
    both = [hpa(of_pods("http_requests_per_second", "1500m"), of_all)]
    assert loaded("11").targets(both) == [1.5]
    assert loaded("11").targets(both, "averageValue", "value") == [1.5, 0.1]


@pytest.mark.parametrize(
    ("selector", "all_count"),
    [
        (None, True),
        ({}, True),
        ({"matchLabels": {"route": "/predict"}}, True),
        ({"matchLabels": {"app": "model"}}, True),
        ({"matchLabels": {"status": "200"}}, False),
        ({"matchExpressions": [{"key": "status", "operator": "NotIn", "values": ["422"]}]}, False),
        ({"matchExpressions": [{"key": "status", "operator": "NotIn", "values": ["413"]}]}, False),
        ({"matchExpressions": [{"key": "status", "operator": "Exists"}]}, True),
        ({"matchLabels": {"pod": "another"}}, False),
    ],
)
def test_all_requests_for_predictions_count(selector: Any, all_count: bool) -> None:
    metric = of_pods("http_requests_per_second", "1500m")
    if selector is not None:
        metric["pods"]["metric"]["selector"] = selector
    series = [{"route": "/predict", "status": "200", "pod": "model-1", "app": "model"}]
    found = loaded("11").left_out([hpa(CPU, metric)], series)
    assert (not found) is all_count


METRICS = """
# HELP http_requests_total Answered requests.
http_requests_total{route="/predict",status="200"} 3.0
http_requests_total{route="/predict",status="422"} 1.0
http_requests_total{route="/healthz",status="200"} 40.0
http_requests_total{route="other",status="404"} 2.0
http_request_duration_seconds_count{route="/predict"} 4.0
"""


def test_what_a_server_has_counted_is_read_from_its_metrics() -> None:
    assert loaded("11").requests_in(METRICS.splitlines()) == 6
    assert loaded("11").requests_in(METRICS.splitlines(), "/predict") == 4
    assert loaded("11").requests_in([]) == 0


@pytest.mark.parametrize(
    ("target", "tolerance", "unheeded"),
    [("1500m", None, 1.65), ("1500m", "0.8", 2.7), ("1200m", "300m", 1.56), ("1500m", 0, 1.5), ("1", "0.65", 1.65)],
)
def test_what_an_autoscaler_tolerates_counts_with_its_target(target: str, tolerance: Any, unheeded: float) -> None:
    one = hpa(CPU, of_pods("http_requests_per_second", target))
    if tolerance is not None:
        one.item["spec"]["behavior"] = {"scaleUp": {"tolerance": tolerance}}
    assert loaded("11").unheeded([one]) == [unheeded]


@pytest.mark.parametrize(("scraped", "ok"), [(4.0, True), (9.0, True), (3.0, False), (None, False)])
def test_prometheus_comes_to_have_what_a_server_has_counted(
    scraped: float | None, ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = loaded("11")
    one = {"metadata": {"name": "model-1"}, "spec": {"containers": [{"name": "server"}]}}

    async def query(text: str) -> list[Any]:
        assert 'route="/predict"' in text
        return [] if scraped is None else [SimpleNamespace(labels={"pod": "model-1"}, points=[(0.0, scraped)])]

    async def pods_of(service: str) -> list[Any]:
        return [one]

    platform = SimpleNamespace(prometheus=SimpleNamespace(query=query, matcher='namespace="lab-11"'))
    room: Any = SimpleNamespace(platform=platform, objects=SimpleNamespace(pods_of=pods_of), time=Time())
    monkeypatch.setitem(checks.no_fewer_than_counted.__globals__, "WITHIN", 0.01)
    found = asyncio.run(checks.no_fewer_than_counted(room, {"model-1": 4.0, "gone": 9.0}))
    assert found.ok is ok
    assert ok or found.seen.startswith(
        f"{scraped or 0:g} requests to /predict of pod model-1, whose server has counted 4"
    )


@pytest.mark.parametrize(("scraped", "ok"), [(4.0, True), (6.0, True), (6.5, False), (72.0, False), (None, True)])
def test_prometheus_has_no_more_requests_of_a_pod_than_its_server(
    scraped: float | None, ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = loaded("11")
    one = {"metadata": {"name": "model-1"}, "spec": {"containers": [{"name": "server"}]}, "status": {}}

    async def query(text: str) -> list[Any]:
        assert 'route!~"/healthz|/readyz|/metrics"' in text
        return [] if scraped is None else [SimpleNamespace(labels={"pod": "model-1"}, points=[(0.0, scraped)])]

    async def pods_of(service: str) -> list[Any]:
        return [one, {"metadata": {"name": "model-2"}}]  # of which Prometheus has nothing yet

    async def run_in(pod: str, *command: str, container: str) -> Any:
        assert (pod, container) == ("model-1", "server")
        return SimpleNamespace(lines=METRICS.splitlines())

    platform = SimpleNamespace(prometheus=SimpleNamespace(query=query, matcher='namespace="lab-11"'))
    room: Any = SimpleNamespace(platform=platform, objects=SimpleNamespace(pods_of=pods_of, run_in=run_in), time=Time())
    monkeypatch.setitem(checks.no_more_than_counted.__globals__, "WITHIN", 0.01)
    predictions: dict[str, float] = {}
    found = asyncio.run(checks.no_more_than_counted(room, predictions))
    assert found.ok is ok
    assert predictions == ({} if scraped is None else {"model-1": 4.0})
    assert ok or found.seen.startswith(f"{scraped:g} requests of pod model-1, whose server has counted 6")


@pytest.mark.parametrize(("status", "ok"), [(405, True), (200, False), (0, False)])
def test_requests_are_refused_for_more_than_one_reason(status: int, ok: bool) -> None:
    async def post(service: str, path: str, body: Any) -> Any:
        assert (service, path, body) == ("model", "/predict", {})
        return SimpleNamespace(status=422)

    async def get(service: str, path: str) -> Any:
        assert (service, path) == ("model", "/predict")
        return SimpleNamespace(status=status)

    assert asyncio.run(loaded("11").are_refused(made_up_lab("11", traffic=Room(post=post, get=get)))) is ok


NO_ANSWER = "unable to fetch metrics from custom metrics API: Internal error occurred: unable to fetch metrics"


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ({"matchLabels": {"app.kubernetes.io/name": "model"}}, "app.kubernetes.io/name"),
        ({"matchExpressions": [{"key": "pod-template-hash", "operator": "Exists"}]}, "pod-template-hash"),
        ({"matchLabels": {"app": "model", "_status": "200"}}, ""),
        ({}, ""),
    ],
)
def test_a_selector_that_no_query_can_have_is_not_the_environments_fault(selector: Any, names: str) -> None:
    metric = of_pods("http_requests_per_second", "1500m")
    metric["pods"]["metric"]["selector"] = selector
    one = hpa(CPU, metric)
    one.item["status"] = {"conditions": [{"type": "ScalingActive", "status": "False", "message": NO_ANSWER}]}
    if names:
        assert f"selector goes by {names}. It selects series" in loaded("11").cause(one)
    else:
        with pytest.raises(LabError, match="the custom metrics API does not answer"):
            loaded("11").cause(one)


UNKNOWN = (
    'unable to fetch metrics from custom metrics API: unable to map kind {0} to resource: no matches for kind "{0}"'
)


def halted(message: str, *metrics: Any, active: str = "False", **more: Any) -> Autoscaler:
    """An autoscaler of the Deployment, and what its condition ScalingActive says."""
    one = hpa(*metrics)
    one.item["metadata"] = {"name": "model"}
    one.item["spec"] |= {"scaleTargetRef": {"kind": "Deployment", "name": "model"}, "maxReplicas": 3, **more}
    one.item["status"] = {"conditions": [{"type": "ScalingActive", "status": active, "reason": "", "message": message}]}
    return one


def test_an_object_of_no_kind_is_not_the_environments_fault() -> None:
    metric = {"metric": {"name": "http_requests_per_second"}, "target": {"averageValue": "1500m"}}
    of_one = {"type": "Object", "object": metric | {"describedObject": {"kind": "Deployment", "name": "model"}}}
    assert "a metric of type Pods" in loaded("11").cause(halted(UNKNOWN.format("Deployment"), of_one))


RATE = of_pods("http_requests_per_second", "1500m")


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (halted("the server could not find the metric http_requests_total for pods", RATE), "takes none away, as"),
        (halted("missing request for cpu in container proxy of Pod model-1", RATE, CPU), "missing request for cpu in"),
        (halted("pods by selector are controlled by multiple HPAs", CPU), "pods it wants: pods by selector are"),
        (halted(UNKNOWN.format("Foo"), RATE), "a metric of type Pods"),
        (halted("computed", RATE, active="True"), "stabilizationWindowSeconds"),
        (halted("no metrics returned", RATE, minReplicas=2), "minReplicas is 2"),
        (halted(NO_ANSWER, RATE), ""),
        (halted("no metrics returned from resource metrics API", RATE, CPU), ""),
    ],
)
def test_an_autoscaler_that_can_not_compute_a_metric_takes_no_pod_away(one: Autoscaler, said: str) -> None:
    async def every(kind: str, selector: str = "") -> list[Any]:
        return [one.item] if kind == "HorizontalPodAutoscaler" else []

    lab, left = made_up_lab("11", objects=NothingThere(all=every)), Observation(False, "exactly 1 pod", "2 pods")
    assert not asyncio.run(loaded("11").why_too_many(lab, replace(left, ok=True)))
    if said:
        assert said in asyncio.run(loaded("11").why_too_many(lab, left))
    else:
        with pytest.raises(LabError):
            asyncio.run(loaded("11").why_too_many(lab, left))


def annotated(pod: str, value: str = "", **more: Any) -> Any:
    return {"metadata": {"name": pod, "annotations": {"prometheus.io/scrape": value} if value else None, **more}}


@pytest.mark.parametrize(
    ("pods", "silent"),
    [
        ([annotated("model-1", "true"), annotated("model-2")], "model-2"),
        ([annotated("model-1"), annotated("model-2", "yes")], "model-1, model-2"),
        ([annotated("model-1", "true"), annotated("model-2", deletionTimestamp="now")], ""),
        ([annotated("model-1", "true")], ""),
    ],
)
def test_a_pod_that_does_not_ask_to_be_scraped_is_not_the_environments_fault(pods: list[Any], silent: str) -> None:
    async def query(text: str) -> list[Any]:
        return [SimpleNamespace(labels={"pod": "model-1"}, points=[(0.0, 1.0)])]

    async def pods_of(service: str) -> list[Any]:
        return pods

    platform = SimpleNamespace(prometheus=SimpleNamespace(query=query, matcher='namespace="lab-11"'))
    said = loaded("11").why_not_measured(SimpleNamespace(platform=platform, objects=SimpleNamespace(pods_of=pods_of)))
    if silent:
        assert f"and not {silent}: it looks at each pod" in asyncio.run(said)
    else:
        with pytest.raises(LabError, match="the custom metrics API does not tell of it"):
            asyncio.run(said)


class Rising(NothingThere):
    """A load in phases, `calm`, `storm` and the last one of each, and a spare that runs in some of them."""

    most, cpu, crossed, hands = 3, 0.01, None, Hands()

    def __init__(self, *spare_in: str) -> None:
        self.phase, self.spare_in = "before", spare_in
        self.asked: dict[int, float] = {}

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        yield

    @contextlib.asynccontextmanager
    async def load(self, *given: Any, rate: float, **more: Any) -> AsyncIterator[Any]:
        self.phase = "calm" if rate == 6 else "storm"
        yield
        self.phase = "calm again" if rate != 6 else "after"

    def hidden_rows(self, count: int) -> Any:
        return SimpleNamespace(body={})

    def begin(self) -> None:
        pass

    async def decided(self, until: float) -> None:
        await asyncio.sleep(0.05)
        self.asked = {2: 20.0, 3: 20.0}

    async def comes_to(self, seconds: float) -> None:
        self.phase = "late"
        await asyncio.sleep(0.05)

    async def comes_ready(self, pods: int) -> Observation:
        await asyncio.sleep(0.05)
        return READY

    async def all(self, kind: str, selector: str = "") -> list[Any]:
        server = {"name": "server", "image": "localhost:5001/flight-delay:v1"}
        spare = {"metadata": {"name": "spare"}, "spec": {"containers": [server]}}
        return [spare] if kind == "Pod" and self.phase in self.spare_in else []


@pytest.mark.parametrize(
    ("spare_in", "ok"),
    [((), True), (("calm",), False), (("late",), False), (("storm",), False), (("before", "after"), True)],
)
def test_a_server_beside_is_seen_whenever_it_runs_under_load(
    spare_in: tuple[str, ...], ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    checker, rising = loaded("11"), Rising(*spare_in)
    monkeypatch.setattr("mlops_lab.kit.spares.EVERY", 0.005)
    checker.Pace = lambda lab: rising
    checker.AutoscalerSpecs = lambda lab: SimpleNamespace(followed=rising.watched)
    found = asyncio.run(checker.rush(made_up_lab("11", objects=rising, traffic=rising)))
    assert found.others.ok is ok and found.first.ok and found.enough.ok
    assert ok or found.others.seen == "it runs in spare, too"
