"""Lab 13's own decisions: which rules spread pods, which node is drained, and what counts as refused or lost."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import time
from collections import Counter
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks import Observation
from mlops_lab.checks.rooms.time import Time
from mlops_lab.kit.restore import owned
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.flights import difference
from mlops_lab.measure.traffic.report import LoadReport, Request
from tests.lab_programs import loaded
from tests.made_up import READY, NothingThere, Room, made_up_lab
from tests.merge_patches import merged


@pytest.fixture(scope="module")
def lab() -> Any:
    """The lab's checker."""
    return loaded("13")


def template(**spec: Any) -> Object:
    return {"metadata": {"labels": {"app": "model"}}, "spec": {"containers": [], **spec}}


def node(name: str, **labels: str) -> Object:
    return {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "os": "linux", **labels}}}


def pod(name: str, on: str = "", **metadata: Any) -> Object:
    return {"metadata": {"name": name, **metadata}, "spec": {"nodeName": on} if on else {}, "status": {}}


NAME = "kubernetes.io/metadata.name"
NODES = [node("one"), node("two")]
OWN: Object = {"matchLabels": {"app": "model"}}


def term(selector: Object | None = OWN, key: str = "kubernetes.io/hostname") -> Object:
    return {"topologyKey": key} | ({} if selector is None else {"labelSelector": selector})


def required(rule: Object) -> Object:
    return {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [rule]}}}


def test_a_rule_spreads_if_it_counts_these_pods_and_tells_nodes_apart(lab: Any) -> None:
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term()}]}
    good = [
        {"topologySpreadConstraints": [term() | {"maxSkew": 2}]},
        {"topologySpreadConstraints": [term({})]},
        {"affinity": {"podAntiAffinity": preferred}},
        required(term()),
        required(term() | {"namespaces": ["default", "lab-13"]}),
        required(term() | {"namespaces": ["default"], "namespaceSelector": {}}),
        required(term() | {"namespaceSelector": {"matchLabels": {NAME: "lab-13"}}}),
        required(term() | {"namespaceSelector": {"matchLabels": {"team": "flights"}}}),
    ]
    bad = [
        {},
        {"affinity": {"podAffinity": preferred}},
        {"topologySpreadConstraints": [term(None)]},
        {"topologySpreadConstraints": [term({"matchLabels": {"app": "other"}})]},
        {"topologySpreadConstraints": [term(key="os")]},
        {"topologySpreadConstraints": [term(key="topology.kubernetes.io/zone")]},
        {"topologySpreadConstraints": [term() | {"maxSkew": 3}]},
        required(term() | {"namespaces": ["default"]}),
        required(term() | {"namespaceSelector": {"matchLabels": {NAME: "default"}}}),
        required(term() | {"mismatchLabelKeys": ["pod-template-hash"]}),
    ]
    worked = [[ok for ok, _ in lab.spread_rules(template(**spec), NODES, namespace="lab-13")] for spec in good + bad]
    assert worked == [[True]] * 8 + [[], []] + [[False]] * 8


def test_label_selectors_match_as_in_kubernetes(lab: Any) -> None:
    own = {"app": "model", "tier": "a"}

    def matches(operator: str, *values: str, key: str = "app") -> bool:
        return bool(lab.matches({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}, own))

    assert matches("In", "model", "other") and not matches("In", "other")
    assert matches("NotIn", "other") and not matches("NotIn", "model") and matches("NotIn", "x", key="absent")
    assert matches("Exists") and not matches("Exists", key="absent")
    assert matches("DoesNotExist", key="absent") and not matches("DoesNotExist")
    assert lab.matches({}, own) and not lab.matches(None, own)


def test_the_node_with_most_pods_is_drained(lab: Any) -> None:
    pods = [pod("a", "one"), pod("b", "two"), pod("c", "two"), pod("d")]
    both = {"one", "two"}
    assert lab.chosen(pods, both) == ("two", "b", "c")
    assert lab.chosen([pod("a", "two"), pod("b", "one")], both) == ("one", "b", "a")
    assert lab.chosen(pods, {"one"}) == ("one", "a", "b")
    with pytest.raises(LabError, match="lost its pods"):
        lab.chosen([pod("a", "one")], both)
    with pytest.raises(LabError, match="cordoned"):
        lab.chosen(pods, {"three"})


def test_the_second_of_two_evictions_must_be_refused_and_the_first_not(lab: Any) -> None:
    assert lab.second("", "Cannot evict pod", 3, ()).ok
    assert lab.second("", "", 3, ()).seen == "granted: two of 3 pods went at once"
    assert not lab.second("Cannot evict pod", "", 3, ()).ok


def test_the_first_of_two_evictions_comes_while_the_nodes_have_a_neighbour_to_hear_of(lab: Any) -> None:
    done, pods = list[str](), [pod("a", "one"), pod("b", "two"), pod("c", "two")]

    async def apply(objects: list[Object]) -> None:
        done.append(f"apply {objects[0]['metadata']['name']}")

    async def delete(kind: str, name: str, **more: Any) -> None:
        done.append(f"delete {name}")

    async def evict(name: str) -> str:
        done.append(f"evict {name}")
        return ""

    async def pods_of(service: str) -> list[Object]:
        return pods

    async def workers(at_least: int) -> list[Object]:
        return [{"metadata": {"name": each}} for each in ("one", "two")]

    nodes = Room(evict=evict, workers=workers, cordoned=lambda node: contextlib.nullcontext())
    there = made_up_lab("13", nodes=nodes, objects=NothingThere(apply=apply, delete=delete, pods_of=pods_of))
    found = lab.Maintenance({}, {})
    asyncio.run(lab.drain(there, found))
    assert done == ["apply checker-neighbour", "evict b", "delete checker-neighbour", "evict c"]
    assert not found.second.ok


def test_a_bad_release_is_played_also_where_an_autoscaler_has_added_pods(lab: Any) -> None:
    def state(image: str, ready: bool) -> Object:
        ready_now = [{"type": "Ready", "status": str(ready)}]
        running = [{"name": "server", "state": {"running": {}}, "ready": ready}]
        status = {"phase": "Running", "conditions": ready_now, "containerStatuses": running}
        return {
            "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "server", "image": image}]},
            "status": status,
        }

    bad, old = state("bad", False), state("v1", True)
    assert lab.all_broken([bad] * 3, "bad", 3) and lab.all_broken([bad] * 5, "bad", 3)
    assert not lab.all_broken([bad] * 2, "bad", 3) and not lab.all_broken([bad, bad, bad, old], "bad", 3)
    assert not lab.all_broken([bad, bad, state("bad", True)], "bad", 3)


def having(kind: str, *specs: Object) -> Any:
    async def every(wanted: str, labels: str = "") -> list[Object]:
        return [{"metadata": {"name": "it"}, "spec": each} for each in specs if wanted == kind]

    return SimpleNamespace(objects=SimpleNamespace(all=every))


def test_a_budget_is_for_the_next_release_too(lab: Any) -> None:
    says = {
        "app.kubernetes.io/version": "7", "model-version": "7", "revision": "3", "modelVersion": "7", "build": "17",
        "git-commit": "1a2b3c", "buildNumber": "17", "rev": "a", "example.org/gitSHA": "1a2b3c", "release": "2024-11",
        "track": "v1", "of": "model-v1", "image_tag": "x", "modelversion": "7", "imagetag": "x", "gitsha": "1a2b3c",
        "semver": "1.4.0", "app-semver": "1.4.0", "modelSemver": "1.4.0", "modelver": "7", "gitcommit": "1a2b3c",
        "buildid": "17", "buildnumber": "17", "example.org/ciBuildnumber": "17", "runs": "modelv1",
    }  # fmt: skip
    stays = {
        "app": "model",
        "tier": "backend",
        "part-of": "v10",
        "helm.sh/release": "model",
        "app-id": "7",
        "one": "1",
        "stage": "b",
        "server": "1.4.0",
        "model-server": "a",
        "site": "dev1",
        "host": "model-srv1",
        "needs": "tlsv1.2",
        "next-to": "modelv10",
    }
    labels = says | stays

    def matching(*chosen_by: str, **selector: Any) -> int:
        found = having("PodDisruptionBudget", {"selector": selector})
        chosen: Object = {"matchLabels": {"app": "model"}}
        chosen["matchExpressions"] = [{"key": each, "operator": "Exists"} for each in chosen_by]
        both = [{"image": "busybox:1"}, {"image": "localhost:5001/flight-delay:v1"}]
        template = {"metadata": {"labels": labels}, "spec": {"containers": both}}
        item = {"spec": {"selector": chosen, "template": template}}
        return len(asyncio.run(lab.matching_budgets(found, lab.labels_next(item))))

    by_hash = {"key": "pod-template-hash", "operator": "Exists"}
    assert matching(matchLabels={"app": "model"}) and matching(matchExpressions=[by_hash]) and matching()
    assert matching(matchLabels=stays)
    assert not matching(matchLabels={"app": "model", "pod-template-hash": "5d4f8c7b9d"})
    for each in says:
        assert not matching(matchLabels={each: labels[each]})
        assert matching(each, matchLabels={each: labels[each]})  # the Deployment selects by it, so it stays
        assert matching(matchExpressions=[{"key": each, "operator": "Exists"}])


@pytest.mark.parametrize(
    ("value", "tag", "has"),
    [
        ("modelv1", "v1", True), ("v1", "v1", True), ("a.v1-b", "v1", True), ("modelv1.2", "v1.2", True),
        ("server", "r", False), ("server", "er", False), ("server2", "r2", False), ("model10", "10", False),
        ("dev1", "v1", False), ("srv1", "v1", False), ("modelv12", "v1", False), ("modelv1", "v", False),
        ("latest-r", "r", True),
    ],
)  # fmt: skip
def test_an_images_tag_is_in_a_labels_value(lab: Any, value: str, tag: str, has: bool) -> None:
    assert lab.has_tag(value, tag) is has


@pytest.mark.parametrize(
    ("looks", "seen"),
    [
        ([], "empty after"),
        (["a b", "a b", "b"], "empty after"),
        (["a b", "b c"], "1 came to it though it is closed after"),
    ],
)
def test_a_node_to_which_pods_come_is_not_emptied(lab: Any, looks: list[str], seen: str) -> None:
    left = [each.split() for each in looks]

    async def every(kind: str, labels: str = "") -> list[Object]:
        names = left.pop(0) if kind == "Pod" and left else []
        return [pod(each, "one") for each in names] + [pod("z", "two")] * (kind == "Pod")

    async def evict(name: str) -> str:
        return ""

    async def service() -> Object:
        return {"spec": {"selector": {"app": "model"}}}

    objects = NothingThere(all=every, named=lambda kind, name: SimpleNamespace(present=service))
    found = asyncio.run(
        lab.emptied(made_up_lab("13", objects=objects, nodes=Room(evict=evict)), "one", time.monotonic())
    )
    assert found.seen.startswith(seen) and found.ok is seen.startswith("empty")


@pytest.mark.parametrize(
    ("refusal", "pods", "ok"),
    [("", ["a", "other"], True), ("none may", ["a"], True), ("none may", ["a", "other"], False),
     ("none may", ["a", "over"], True), ("none may", ["a", "leaving"], True)],
)  # fmt: skip
def test_other_pods_may_go_too(
    lab: Any, monkeypatch: pytest.MonkeyPatch, refusal: str, pods: list[str], ok: bool
) -> None:
    there = {
        "a": pod("a"), "other": pod("other"), "over": pod("over") | {"status": {"phase": "Succeeded"}},
        "leaving": pod("leaving", deletionTimestamp="now"),
    }  # fmt: skip

    async def every(kind: str, labels: str = "") -> list[Object]:
        return [there[each] for each in pods]

    async def own(service: str) -> list[Object]:
        return [there["a"]]

    async def evict(name: str, *, dry_run: bool) -> str:
        assert dry_run
        return refusal

    monkeypatch.setitem(lab.others_may_go.__globals__, "COUNTED_WITHIN", 0.01)
    objects = SimpleNamespace(all=every, pods_of=own)
    found = asyncio.run(
        lab.others_may_go(SimpleNamespace(objects=objects, nodes=SimpleNamespace(evict=evict), time=Time()))
    )
    assert found.ok is ok
    assert found.seen.startswith("none is refused" if ok else "1 refused: other: none may")


CLOSED = "node.kubernetes.io/unschedulable"


def made(kind: str) -> Object:
    return {"ownerReferences": [{"kind": kind, "name": "prober", "uid": "1", "controller": True}]}


@pytest.mark.parametrize(
    ("toleration", "matches"),
    [
        ({"operator": "Exists"}, True),
        ({"operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": CLOSED, "operator": "Exists"}, True),
        ({"key": CLOSED, "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": CLOSED}, True),
        ({"key": CLOSED, "operator": "Equal", "value": "", "effect": ""}, True),
        ({"key": CLOSED, "value": "true"}, False),
        ({"key": CLOSED, "operator": "Exists", "effect": "NoExecute"}, False),
        ({"operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}, False),
    ],
)
def test_a_pod_that_tolerates_a_closed_node_comes_back(lab: Any, toleration: Object, matches: bool) -> None:
    assert lab.tolerates_closed(toleration) is matches
    prober = pod("prober", **made("ReplicaSet")) | {"spec": {"tolerations": [{"key": "gpu"}, toleration]}}
    assert bool(lab.holds_a_node(prober)) is matches
    assert not lab.holds_a_node(pod("alone") | {"spec": prober["spec"]})  # nobody makes it anew


@pytest.mark.parametrize(
    ("metadata", "spec", "why"),
    [
        ({}, {}, ""),
        (made("ReplicaSet"), {"terminationGracePeriodSeconds": 120}, ""),
        (made("ReplicaSet"), {"terminationGracePeriodSeconds": 121}, "other has 121 s to end"),
        ({}, {"terminationGracePeriodSeconds": 600}, "other has 600 s to end"),
        (made("DaemonSet"), {}, "other is a DaemonSet's, and comes back"),
        (made("Job"), {"tolerations": [{"operator": "Exists"}]}, f"other tolerates {CLOSED}, and its successor"),
    ],
)
def test_other_pods_leave_in_time_and_stay_away(lab: Any, metadata: Object, spec: Object, why: str) -> None:
    leaving = pod("leaving", deletionTimestamp="now", **metadata) | {"spec": spec}
    over = pod("over", **metadata) | {"spec": spec, "status": {"phase": "Succeeded"}}
    own = pod("model-1", **made("ReplicaSet")) | {"spec": {"terminationGracePeriodSeconds": 600}}

    async def every(kind: str, labels: str = "") -> list[Object]:
        return [own, leaving, over, pod("other", **metadata) | {"spec": spec}] if kind == "Pod" else []

    async def pods_of(service: str) -> list[Object]:
        return [own]

    async def evict(name: str, *, dry_run: bool) -> str:
        assert dry_run and name == "other"
        return ""

    here = made_up_lab("13", objects=NothingThere(all=every, pods_of=pods_of), nodes=Room(evict=evict))
    found = asyncio.run(lab.others_may_go(here))
    assert found.ok is not bool(why)
    assert found.seen.startswith(why or "none is refused")


@pytest.mark.parametrize("kind", ["Job", "ReplicaSet", "ReplicationController", "StatefulSet"])
@pytest.mark.parametrize(
    ("template", "owner", "why"),
    [
        ({"nodeName": "one"}, "1", "other is of a template with nodeName: one, and its successor"),
        ({}, "1", ""),
        ({"nodeName": "one"}, "2", ""),  # another's template
    ],
)
def test_a_pod_whose_template_names_a_node_comes_back(
    lab: Any, kind: str, template: Object, owner: str, why: str
) -> None:
    own = pod("model-1", **made(kind)) | {"spec": {"nodeName": "one"}}
    maker = {"metadata": {"name": "prober", "uid": owner}, "spec": {"template": {"spec": template}}}
    there = {"Pod": [own, pod("other", **made(kind)) | {"spec": {"nodeName": "one"}}], kind: [maker]}

    async def every(kind: str, labels: str = "") -> list[Object]:
        return there[kind]

    async def pods_of(service: str) -> list[Object]:
        return [own]

    async def evict(name: str, *, dry_run: bool) -> str:
        return ""

    here = made_up_lab("13", objects=NothingThere(all=every, pods_of=pods_of), nodes=Room(evict=evict))
    found = asyncio.run(lab.others_may_go(here))
    assert found.ok is not bool(why)
    assert found.seen.startswith(why or "none is refused")


@pytest.mark.parametrize(
    ("spec", "of_three", "of_four", "of_eight"),
    [
        ({"maxUnavailable": 1}, 1, 1, 1),
        ({"maxUnavailable": "25%"}, 1, 1, 2),
        ({"maxUnavailable": "50%"}, 2, 2, 4),
        ({"maxUnavailable": 0}, 0, 0, 0),
        ({"minAvailable": 2}, 1, 2, 6),
        ({"minAvailable": 3}, 0, 1, 5),
        ({"minAvailable": "66%"}, 1, 1, 2),
        ({"minAvailable": "80%"}, 0, 0, 1),
        ({"minAvailable": "100%"}, 0, 0, 0),
    ],
)
def test_a_budget_lets_so_many_go(lab: Any, spec: Object, of_three: int, of_four: int, of_eight: int) -> None:
    assert [lab.let_go(spec, pods) for pods in (3, 4, 8)] == [of_three, of_four, of_eight]


def test_a_budget_is_for_each_number_of_pods_that_an_autoscaler_may_make(lab: Any) -> None:
    of = {"scaleTargetRef": {"kind": "Deployment", "name": "model"}, "minReplicas": 3, "maxReplicas": 4}

    def allowed(budget: Object, *autoscalers: Object) -> list[tuple[int, str]]:
        here: dict[str, tuple[Object, ...]] = {
            "PodDisruptionBudget": (budget,),
            "HorizontalPodAutoscaler": autoscalers,
        }

        async def every(kind: str, labels: str = "") -> list[Object]:
            return [{"metadata": {"name": kind.lower()}, "spec": each} for each in here[kind]]

        async def present() -> Object:
            return {"metadata": {"name": "model"}, "spec": {"replicas": 3}}

        objects = SimpleNamespace(all=every, deployment=lambda name: SimpleNamespace(present=present))
        room: Any = SimpleNamespace(objects=objects)
        found: list[tuple[int, str]] = asyncio.run(lab.autoscaled(room, {"app": "model"}))
        return found

    by_number = {"minAvailable": 2, "selector": OWN}
    assert allowed(by_number) == []
    assert [many for many, _ in allowed(by_number, of)] == [1, 2]
    assert allowed(by_number, of)[1][1].startswith("with 4 pods, which HorizontalPodAutoscaler ")
    assert [many for many, _ in allowed({"maxUnavailable": 1, "selector": OWN}, of)] == [1, 1]
    assert allowed({"minAvailable": 2, "selector": {"matchLabels": {"app": "other"}}}, of) == []
    assert allowed(by_number, of | {"scaleTargetRef": {"kind": "Deployment", "name": "other"}}) == []
    from_one = of | {"minReplicas": 1}
    assert [many for many, _ in allowed(by_number, from_one)] == [0, 0, 1, 2]
    never_in = {
        "behavior": {"scaleDown": {"selectPolicy": "Disabled"}}
    }  # of the three that there are none is taken away
    assert [many for many, _ in allowed(by_number, from_one | never_in)] == [1, 2]
    assert [many for many, _ in allowed(by_number, from_one | never_in | {"maxReplicas": 3})] == [1]
    assert [many for many, _ in allowed(by_number, from_one | never_in | {"maxReplicas": 2})] == [0]
    without_end = allowed(by_number, of | {"maxReplicas": 100_000})
    assert (len(without_end) < 200, without_end[0][0], without_end[-1][0]) == (True, 1, 99_998)


@pytest.mark.parametrize(
    ("manifest", "autoscaler", "again", "budget", "many"),
    [
        ('{"spec": {"replicas": 3}}', (), 3, {"minAvailable": 3}, [0]),
        ('{"spec": {"replicas": 3}}', (), 3, {"minAvailable": 2}, [1]),
        ('{"spec": {"replicas": 5}}', (), 5, {"minAvailable": 3}, [2]),
        ('{"spec": {"replicas": 5}}', (), 5, {"maxUnavailable": 1}, [1]),
        ('{"spec": {"replicas": 4}}', (), 4, {"minAvailable": 3}, []),  # as there are now
        ('{"spec": {}}', (), 0, {"minAvailable": 3}, []),
        ("", (), 0, {"minAvailable": 3}, []),
        ('{"spec": {"replicas": 3}}', (4, 4), 4, {"minAvailable": 3}, [1]),
        ('{"spec": {"replicas": 9}}', (3, 4), 4, {"minAvailable": 3}, [0, 1]),
    ],
)
def test_what_the_next_apply_makes_counts_beside_what_there_is(
    lab: Any, manifest: str, autoscaler: tuple[int, ...], again: int, budget: Object, many: list[int]
) -> None:
    kept = {"kubectl.kubernetes.io/last-applied-configuration": manifest} if manifest else {}
    of: Object = {"scaleTargetRef": {"kind": "Deployment", "name": "model"}}
    found = [of | dict(zip(("minReplicas", "maxReplicas"), autoscaler, strict=True))] if autoscaler else []
    here = {"PodDisruptionBudget": [budget | {"selector": OWN}], "HorizontalPodAutoscaler": found}

    async def every(kind: str, labels: str = "") -> list[Object]:
        return [{"metadata": {"name": kind.lower()}, "spec": each} for each in here[kind]]

    async def present() -> Object:
        return {"metadata": {"name": "model", "annotations": kept}, "spec": {"replicas": 4}}

    room = made_up_lab("13", objects=NothingThere(all=every, deployment=lambda name: Room(present=present)))
    assert asyncio.run(lab.applied_again(room)) == again
    allowed = asyncio.run(lab.autoscaled(room, {"app": "model"}))
    assert [number for number, _ in dict.fromkeys(allowed)] == many


@pytest.mark.parametrize(("replicas", "ok"), [(3, False), (5, True), (None, True)])
def test_a_rule_keeps_those_apart_that_the_next_apply_leaves(replicas: int | None, ok: bool) -> None:
    checks, pods = loaded("13"), [pod(f"model-{number}", "one" if number else "two") for number in range(5)]
    rule = term() | {"maxSkew": 3}
    own = {"metadata": {"name": "model"}, "spec": {"template": template(topologySpreadConstraints=[rule])}}

    async def pods_of(service: str) -> list[Object]:
        return pods

    async def present() -> Object:
        return own

    async def workers(at_least: int) -> list[Object]:
        return NODES

    async def none(lab: Any) -> list[Any]:
        return []

    async def applied_again(lab: Any) -> int:
        return replicas or 0

    checks.autoscalers_of, checks.applied_again = none, applied_again
    objects = NothingThere(pods_of=pods_of, deployment=lambda name: Room(present=present))
    here = made_up_lab("13", objects=objects, nodes=Room(workers=workers))
    with contextlib.nullcontext() if ok else pytest.raises(Failure, match="met by 3 pods on one node"):
        asyncio.run(checks.is_spread.run(here))


@pytest.mark.parametrize(("refusal", "there", "ok"), [("", 0, True), ("", 99, False), ("a budget says no", 0, False)])
def test_a_pod_that_is_not_ready_is_evicted_and_gone(
    lab: Any, monkeypatch: pytest.MonkeyPatch, refusal: str, there: int, ok: bool
) -> None:
    looks = [pod("a")] * there

    async def now() -> Object | None:
        return looks.pop() if looks else None

    async def evict(name: str) -> str:
        return refusal

    objects = SimpleNamespace(named=lambda kind, name: SimpleNamespace(now=now), all=having("").objects.all)
    room = SimpleNamespace(objects=objects, nodes=SimpleNamespace(evict=evict), time=Time())
    for limit in ("DRAINED_WITHIN", "GRANTED_WITHIN"):
        monkeypatch.setitem(lab.evicted_and_gone.__globals__, limit, 0.01)
    found = asyncio.run(lab.evicted_and_gone(room, "a"))
    assert found.ok is ok
    assert found.seen.startswith("it is gone" if ok else f"refused: {refusal}" if refusal else "it is still there")


@pytest.mark.parametrize(
    ("least", "states", "ok", "seen"),
    [(None, [3], True, "3"), (None, [1, 3], False, "1"), (1, [1, 3], False, "1"), (3, [1, 1, 3, 3], True, "3"),
     (3, [1, 1, 1, 1], False, "1")],
)  # fmt: skip
def test_an_autoscaler_is_waited_for_that_has_not_looked_yet(
    lab: Any, least: int | None, states: list[int], ok: bool, seen: str
) -> None:
    left = list(states)

    async def now() -> Object:
        return {"spec": {"replicas": left.pop(0)}}

    async def until(test: Any, **_: Any) -> None:
        while len(left) > 1 and not test(await now()):
            pass

    of = {"scaleTargetRef": {"kind": "Deployment", "name": "model"}, "minReplicas": least, "maxReplicas": 4}
    room = having("HorizontalPodAutoscaler", *([of] if least else []))
    room.objects.deployment = lambda name: SimpleNamespace(present=now, until=until)
    found = asyncio.run(lab.asked_for(room, 3, within=1))
    assert (found.ok, found.seen) == (ok, seen)


@pytest.mark.parametrize(
    ("manifest", "seen"),
    [
        ('{"spec": {"replicas": 3}}', ""),
        ('{"spec": {"replicas": 5}}', ""),
        ('{"spec": {"replicas": 2}}', "replicas: 2"),
        ('{"spec": {"replicas": 1}}', "replicas: 1"),  # whatever an autoscaler makes of it
        ('{"spec": {}}', ""),
        ("", ""),
    ],
)
def test_the_next_apply_leaves_three_pods(manifest: str, seen: str) -> None:
    checks = loaded("13")
    kept = {"kubectl.kubernetes.io/last-applied-configuration": manifest} if manifest else {}

    async def present() -> Object:
        return {"metadata": {"name": "model", "annotations": kept}, "spec": {"replicas": 3}}

    async def well(*given: Any, **more: Any) -> list[Object]:
        return []

    async def comes_next(*given: Any, **more: Any) -> Any:
        raise LookupError("the number is right")

    checks.exists, checks.asked_for = well, comes_next
    objects = NothingThere(deployment=lambda name: Room(present=present))
    here = made_up_lab("13", objects=objects, nodes=Room(workers=well))
    with pytest.raises(Failure if seen else LookupError, match=seen or "is right"):
        asyncio.run(checks.serves.run(here))


def report(failed: int, whole: int = 4000) -> LoadReport:
    rows = [Request(i / 100, 0, 0.01, 503 if i < failed else 200, "v1", "") for i in range(whole)]
    return LoadReport(tuple(rows), whole, whole, 0, whole / 100)


def test_one_request_in_a_thousand_may_fail(lab: Any) -> None:
    assert lab.lost(report(4)).ok
    seen = lab.lost(report(5))
    assert not seen.ok and seen.expected == "failed requests: at most 0.1 % of 4000"


def test_only_the_model_server_is_of_the_bad_release(lab: Any) -> None:
    both = [{"name": "log", "image": "busybox:1"}, {"name": "server", "image": "localhost:5001/flight-delay:v1"}]
    assert [each["image"] for each in lab.released(both, "bad")] == ["busybox:1", "bad"]
    assert [each["image"] for each in lab.released(both[:1], "bad")] == ["bad"]


def test_the_bad_release_is_never_ready_whatever_was_asked_before(lab: Any) -> None:
    waits = {"httpGet": {"path": "/healthz", "port": "http"}, "initialDelaySeconds": 10}
    both: list[Object] = [{"image": "localhost:5001/flight-delay:v1", "readinessProbe": waits}, {"image": "busybox:1"}]
    server, other = lab.released(both, "bad")
    assert server["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 8080}
    assert "initialDelaySeconds" not in server["readinessProbe"]
    assert other == both[1]


def test_answers_that_are_no_numbers_are_far_from_the_models() -> None:
    assert difference([0.5, 0.25], [0.5, 0.5]) == 0.25
    for strange in (None, "x", [0.5], [0.5, "x"], [0.5, True], {"a": 1}):
        assert difference(strange, [0.5, 0.5]) is None


def test_why_requests_were_lost_names_what_is_missing(lab: Any) -> None:
    bare = template(containers=[{"readinessProbe": {"httpGet": {"path": "/healthz"}}}])
    why = lab.why_lost(bare, Counter({503: 9, 0: 1}))
    assert "asks /healthz" in why and "no preStop wait" in why
    waits = template(containers=[{"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}])
    assert lab.why_lost(waits, Counter({0: 9})).startswith("the evidence says")


class Deployed:
    """Room `objects` with the Deployment alone; every patch of it, of which the first `troubles` come to nothing."""

    def __init__(self, now: Object, troubles: int = 0) -> None:
        self.item = copy.deepcopy(now)
        self.silent = False
        self.troubles = troubles
        self.patches: list[Object] = []

    async def patch(self, kind: str, name: str, patch: Object) -> None:
        if self.troubles:
            self.troubles -= 1
            raise LabError("away", "wait")
        self.patches.append(patch["spec"])
        self.item = merged(self.item, patch)

    def deployment(self, name: str) -> Deployed:
        return self

    def named(self, kind: str, name: str) -> Deployed:
        return self

    async def now(self) -> Object:
        if self.silent:
            raise LabError("away", "wait")
        return copy.deepcopy(self.item)

    async def rolled_out(self, **_: Any) -> None:
        return None

    async def all(self, kind: str) -> list[Object]:
        return []


def deployment(image: str, **strategy: Any) -> Object:
    inner = {"metadata": {"labels": {"app": "model"}}, "spec": {"containers": [{"name": "server", "image": image}]}}
    spec = {"replicas": 4, "strategy": {"type": "Recreate", **strategy}, "template": inner}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "model"}, "spec": spec}


def put_back(lab: Any, here: Deployed, before: Object) -> Coroutine[Any, Any, None]:
    found: Coroutine[Any, Any, None] = lab.back_as_found(SimpleNamespace(objects=here), before)
    return found


def test_the_deployment_is_put_back_and_its_pods_are_placed_anew(lab: Any) -> None:
    before = deployment("v1")
    here = Deployed(deployment("broken", type="RollingUpdate", rollingUpdate={"maxSurge": 0}))
    asyncio.run(put_back(lab, here, before))
    assert here.patches[0] == {"replicas": 0}
    assert here.patches[1]["strategy"] == {"type": "Recreate", "rollingUpdate": None}  # what the checker had there
    assert here.item == before
    untouched = Deployed(before)
    asyncio.run(put_back(lab, untouched, before))
    assert untouched.patches == [{"replicas": 0}, {"replicas": 4}]


def test_it_is_put_back_also_where_nobody_can_say_how_it_is(lab: Any) -> None:
    here = Deployed(deployment("broken"))
    here.silent = True
    asyncio.run(put_back(lab, here, deployment("v1")))
    assert here.patches[-1]["template"]["spec"]["containers"] == [{"name": "server", "image": "v1"}]
    assert owned(here.item)["spec"] == deployment("v1")["spec"]


def test_who_interrupts_finds_the_deployment_as_it_was_at_once(lab: Any) -> None:
    here = Deployed(deployment("broken"), troubles=1)

    async def block() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await put_back(lab, here, deployment("v1"))

    async def story() -> None:
        task = asyncio.create_task(block())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())
    assert len(here.patches) == 1  # no pod is taken away first
    assert here.item == deployment("v1")


@pytest.mark.parametrize("paused", [True, False])
def test_no_release_is_played_while_the_deployment_is_paused(paused: bool) -> None:
    checks = loaded("13")

    async def well(*given: Any, **more: Any) -> Observation:
        return READY

    async def none(*given: Any, **more: Any) -> list[str]:
        return []

    async def present() -> Object:
        return {"spec": {"paused": True} if paused else {}}

    async def predicted(*given: Any, **more: Any) -> Any:
        raise LookupError("the predictions come next")

    checks.exists = checks.asked_again = checks.asked_for = well
    checks.autoscaled_below, checks.predicted = none, predicted
    objects = NothingThere(deployment=lambda name: SimpleNamespace(rolled_out=well, present=present))
    with pytest.raises(Failure if paused else LookupError, match="resume" if paused else "come next"):
        asyncio.run(checks.serves.run(made_up_lab("13", objects=objects, nodes=SimpleNamespace(workers=none))))


@pytest.mark.parametrize(
    ("selector", "healthy", "seen"),
    [
        ({"matchLabels": {"app": "model"}}, 3, False),
        ({"matchLabels": {"app": "model"}}, 1, False),
        ({"matchLabels": {"app": "model"}}, 0, True),
        ({"matchLabels": {"app": "model"}}, None, True),
        ({}, 5, False),
        ({}, 2, True),  # the two that ask the model stay ready
    ],
)
def test_a_budget_has_seen_that_none_of_the_models_pods_is_ready(
    selector: Object, healthy: int | None, seen: bool
) -> None:
    module = loaded("13", "budgets")
    mine = [pod(f"model-{number}", labels={"app": "model"}) for number in range(3)]
    others = [pod(f"prober-{number}", labels={"app": "prober"}) for number in range(2)]
    status = {} if healthy is None else {"currentHealthy": healthy}
    there = {
        "Pod": [each | {"status": {"conditions": [{"type": "Ready", "status": "True"}]}} for each in [*mine, *others]],
        "PodDisruptionBudget": [{"metadata": {"name": "model"}, "spec": {"selector": selector}, "status": status}],
    }

    async def every(kind: str) -> list[Object]:
        return there[kind]

    async def pods_of(service: str) -> list[Object]:
        return mine

    lab13 = made_up_lab("13", objects=NothingThere(all=every, pods_of=pods_of))
    assert asyncio.run(module.see_none_ready(lab13, {"app": "model"})) == [seen]
