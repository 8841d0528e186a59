"""Lab 13's own decisions: which rules spread pods, which node is drained, and what counts as refused or lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.measure.traffic.report import LoadReport, Request
from tests.lab_programs import loaded

Object = dict[str, Any]


@pytest.fixture(scope="module")
def lab() -> dict[str, Any]:
    """What the lab's checks.py defines."""
    return vars(loaded("13"))


def template(**spec: Any) -> Object:
    return {"metadata": {"labels": {"app": "model"}}, "spec": {"containers": [], **spec}}


def node(name: str, **labels: str) -> Object:
    return {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "os": "linux", **labels}}}


def pod(name: str, on: str = "", **metadata: Any) -> Object:
    return {"metadata": {"name": name, **metadata}, "spec": {"nodeName": on} if on else {}, "status": {}}


NODES = [node("one"), node("two")]
OWN: Object = {"matchLabels": {"app": "model"}}


def term(selector: Object | None = OWN, key: str = "kubernetes.io/hostname") -> Object:
    return {"topologyKey": key} | ({} if selector is None else {"labelSelector": selector})


def test_a_rule_spreads_if_it_counts_these_pods_and_tells_nodes_apart(lab: dict[str, Any]) -> None:
    anti = "podAntiAffinity"
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term()}]}
    good = [
        {"topologySpreadConstraints": [term()]},
        {"topologySpreadConstraints": [term({})]},
        {"affinity": {anti: preferred}},
        {"affinity": {anti: {"requiredDuringSchedulingIgnoredDuringExecution": [term()]}}},
    ]
    bad = [
        {},
        {"affinity": {"podAffinity": preferred}},
        {"topologySpreadConstraints": [term(None)]},
        {"topologySpreadConstraints": [term({"matchLabels": {"app": "other"}})]},
        {"topologySpreadConstraints": [term(key="os")]},
        {"topologySpreadConstraints": [term(key="topology.kubernetes.io/zone")]},
    ]
    worked = [[ok for ok, _ in lab["spread_rules"](template(**spec), NODES)] for spec in good + bad]
    assert worked == [[True]] * 4 + [[], [], [False], [False], [False], [False]]


def test_label_selectors_match_as_in_kubernetes(lab: dict[str, Any]) -> None:
    own = {"app": "model", "tier": "a"}

    def matches(operator: str, *values: str, key: str = "app") -> bool:
        return bool(lab["matches"]({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}, own))

    assert matches("In", "model", "other") and not matches("In", "other")
    assert matches("NotIn", "other") and not matches("NotIn", "model") and matches("NotIn", "x", key="absent")
    assert matches("Exists") and not matches("Exists", key="absent")
    assert matches("DoesNotExist", key="absent") and not matches("DoesNotExist")
    assert lab["matches"]({}, own) and not lab["matches"](None, own)


def test_the_node_with_most_pods_is_drained(lab: dict[str, Any]) -> None:
    pods = [pod("a", "one"), pod("b", "two"), pod("c", "two"), pod("d")]
    both = {"one", "two"}
    assert lab["chosen"](pods, both) == ("two", "b", "c")
    assert lab["chosen"]([pod("a", "two"), pod("b", "one")], both) == ("one", "b", "a")
    assert lab["chosen"](pods, {"one"}) == ("one", "a", "b")
    with pytest.raises(LabError, match="lost its pods"):
        lab["chosen"]([pod("a", "one")], both)
    with pytest.raises(LabError, match="cordoned"):
        lab["chosen"](pods, {"three"})


def test_the_second_of_two_evictions_must_be_refused_and_the_first_not(lab: dict[str, Any]) -> None:
    assert lab["second"]("", "Cannot evict pod", 3, ()).ok
    assert lab["second"]("", "", 3, ()).seen == "granted: two of 3 pods went at once"
    assert not lab["second"]("Cannot evict pod", "", 3, ()).ok


def report(failed: int, whole: int = 4000) -> LoadReport:
    rows = [Request(i / 100, 0, 0.01, 503 if i < failed else 200, "v1", "") for i in range(whole)]
    return LoadReport(tuple(rows), whole, whole, 0, whole / 100)


def test_one_request_in_a_thousand_may_fail(lab: dict[str, Any]) -> None:
    assert lab["lost"](report(4)).ok
    seen = lab["lost"](report(5))
    assert not seen.ok and seen.expected == "failed requests: at most 0.1 % of 4000"


def test_only_the_model_servers_image_is_broken(lab: dict[str, Any]) -> None:
    both = [{"name": "log", "image": "busybox:1"}, {"name": "server", "image": "localhost:5001/flight-delay:v1"}]
    assert [each["image"] for each in lab["with_image"](both, "bad")] == ["busybox:1", "bad"]
    assert [each["image"] for each in lab["with_image"](both[:1], "bad")] == ["bad"]


def test_answers_that_are_no_numbers_are_far_from_the_models(lab: dict[str, Any]) -> None:
    assert lab["difference"]([0.5, 0.25], [0.5, 0.5]) == 0.25
    for strange in (None, "x", [0.5], [0.5, "x"], [0.5, True], {"a": 1}):
        assert lab["difference"](strange, [0.5, 0.5]) is None


def test_why_requests_were_lost_names_what_is_missing(lab: dict[str, Any]) -> None:
    bare = template(containers=[{"readinessProbe": {"httpGet": {"path": "/healthz"}}}])
    why = lab["why_lost"](bare, Counter({503: 9, 0: 1}))
    assert "asks /healthz" in why and "no preStop wait" in why
    waits = template(containers=[{"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}])
    assert lab["why_lost"](waits, Counter({0: 9})).startswith("the evidence says")


class Deployed:
    """The Deployment as it is now, for `put_back`; every patch of it, of which the first `troubles` come to nothing."""

    def __init__(self, now: Object, troubles: int = 0) -> None:
        self.item = now
        self.silent = False
        self.troubles = troubles
        self.patches: list[Object] = []
        self.kube, self.namespace = SimpleNamespace(patch=self.patch), "lab-13"

    def patch(self, kind: str, name: str, patch: Object, namespace: str) -> None:
        if self.troubles:
            self.troubles -= 1
            raise LabError("away", "wait")
        self.patches.append(patch["spec"])

    def deployment(self, name: str) -> Deployed:
        return self

    async def now(self) -> Object:
        if self.silent:
            raise LabError("away", "wait")
        return self.item

    async def rolled_out(self, **_: Any) -> None:
        return None

    async def objects(self, kind: str) -> list[Object]:
        return []

    async def thread(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.to_thread(function, *arguments)


def deployment(image: str) -> Object:
    inner = {"metadata": {"labels": {"app": "model"}}, "spec": {"containers": [{"name": "server", "image": image}]}}
    return {"spec": {"replicas": 4, "strategy": {"type": "Recreate"}, "template": inner}}


def test_the_deployment_is_put_back_and_its_pods_are_placed_anew(lab: dict[str, Any]) -> None:
    before, here = deployment("v1"), Deployed(deployment("broken"))
    asyncio.run(lab["put_back"](here, before))
    whole = {
        "replicas": 4,
        "strategy": {"type": "Recreate", "rollingUpdate": None},  # null takes away what the checker had there
        "template": {"spec": {"containers": [{"name": "server", "image": "v1"}]}},
    }
    assert here.patches == [{"replicas": 0}, whole]
    untouched = Deployed(before)
    asyncio.run(lab["put_back"](untouched, before))
    assert [set(each) for each in untouched.patches] == [{"replicas"}, {"replicas", "strategy"}]


def test_it_is_put_back_also_where_nobody_can_say_how_it_is(lab: dict[str, Any]) -> None:
    here = Deployed(deployment("broken"))
    here.silent = True
    asyncio.run(lab["put_back"](here, deployment("v1")))
    assert here.patches[-1]["template"]["spec"]["containers"] == [{"name": "server", "image": "v1"}]


def test_who_interrupts_finds_the_deployment_as_it_was_at_once(lab: dict[str, Any]) -> None:
    here = Deployed(deployment("broken"), troubles=1)

    async def block() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await lab["put_back"](here, deployment("v1"))

    async def story() -> None:
        task = asyncio.create_task(block())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())
    assert [each["replicas"] for each in here.patches] == [4]
