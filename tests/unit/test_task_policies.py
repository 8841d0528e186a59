"""What two tasks read from NetworkPolicies: other right ways pass, and what nobody can try is seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_lab.checks.rooms.work import Work
from mlops_lab.labs.checker import load
from mlops_lab.labs.variants import Variant, solutions, texts, wrongs
from mlops_lab.tasks.lab import TaskLab
from mlops_lab.tasks.rendering import render
from mlops_lab.tasks.task import bank, named
from tests.lab_programs import Checker
from tests.made_up import NothingThere, NoTime, NoTraffic, Platform, Room

SPACE, NAME, DNS = "spaceless", "kubernetes.io/metadata.name", "10.96.0.10"
DENY, FRONT = "deny-by-default", "only-the-frontend-may-ask"
KUBE_SYSTEM = {"namespaceSelector": {"matchLabels": {NAME: "kube-system"}}}
KUBE_DNS = {**KUBE_SYSTEM, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
MONITORING = {"namespaceSelector": {"matchLabels": {NAME: "monitoring"}}}
BOTH = [{"port": 53, "protocol": "UDP"}, {"port": 53}]


class World:
    """A task, and its policies by name."""

    def __init__(self, task: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.task, self.exercise = task, render(named(task, bank()), 1, SPACE, folder)
        self.it = Checker(load(self.exercise))
        self.drawn = {f"{each.upper()}": str(getattr(self.it.D, each)) for each in self.it.D.__dataclass_fields__}
        service = {"spec": {"clusterIP": DNS}}
        monkeypatch.setattr(TaskLab, "elsewhere", lambda *given: Room(service=self._gives(service)))

    @staticmethod
    def _gives(value: Any) -> Callable[..., Any]:
        async def answer(*given: Any, **more: Any) -> Any:
            return value

        return answer

    def of(self, variant: Variant) -> dict[str, Any]:
        found = [
            one for file, text in texts(variant).items() if file.endswith(".yaml") for one in yaml.safe_load_all(text)
        ]
        return {each["metadata"]["name"]: each["spec"] for each in found if each["kind"] == "NetworkPolicy"}

    def solved(self, name: str) -> dict[str, Any]:
        return self.of(next(each for each in solutions(self.exercise) if each.name == name))

    def told(self, value: Any) -> Any:
        """A value of a test with the names that were drawn, in capitals there."""
        if isinstance(value, Mapping):
            return {self.told(key): self.told(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.told(each) for each in value]
        drawn = self.drawn.get(value, value) if isinstance(value, str) else value
        return int(drawn) if isinstance(value, str) and value.isupper() and str(drawn).isdigit() else drawn

    def said(self, policies: Mapping[str, Any]) -> dict[str, str]:
        """What is open that was not wanted, by whom it is about."""
        d = self.it.D
        spaces: dict[str, dict[str, str]] = {SPACE: {}, "kube-system": {}, "default": {}}
        if self.task == DENY:
            spaces[d.other] = {}
        else:
            spaces |= {d.other: {"team": d.team}, d.second: {"team": d.team}, d.apart: {"team": d.apart}}
        known = {
            "Namespace": [{"metadata": {"name": name, "labels": {NAME: name, **own}}} for name, own in spaces.items()],
            "NetworkPolicy": [{"metadata": {"name": name}, "spec": spec} for name, spec in policies.items()],
        }

        async def every(kind: str) -> Any:
            return known[kind]

        rooms: Any = {
            "objects": NothingThere(all=every), "traffic": NoTraffic(), "platform": Platform(), "time": NoTime(),
            "work": Work(Path(), "lab", Platform.registry, {}), "programs": Room(), "nodes": Room(), "usage": Room(),
        }  # fmt: skip
        lab = TaskLab("00", namespace=SPACE, **rooms)
        if self.task == DENY:
            seen = {"all": asyncio.run(self.it.nothing_else(lab))}
        else:
            who = ("others", "the frontend", "the monitoring")
            seen = {each: asyncio.run(self.it.no_more_than(lab, each)) for each in who}
        return {each: one.seen for each, one in seen.items() if not one.ok}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], World]:
    return lambda task: World(task, tmp_path / task, monkeypatch)


@pytest.mark.parametrize("task", [DENY, FRONT])
def test_solutions_open_nothing_else(world: Callable[[str], World], task: str) -> None:
    it = world(task)
    assert [it.said(it.of(each)) for each in solutions(it.exercise)] == [{}, {}]


def test_a_mistake_of_another_check_opens_nothing_else_and_each_of_this_one_does(
    world: Callable[[str], World],
) -> None:
    it = world(DENY)
    found = {each.name: bool(it.said(it.of(each))) for each in wrongs(it.exercise)}
    assert found == {name: name.startswith("nothing_by_default--") for name in found}
    it = world(FRONT)
    seen = {each.name: list(it.said(it.of(each))) for each in wrongs(it.exercise)}
    assert not [name for name, who in seen.items() if "others" in who and not name.startswith("others_stay_out--")]
    assert seen["others_stay_out--udp-is-let-in"] == ["others", "the frontend", "the monitoring"]
    assert seen["others_stay_out--from-the-nodes"] == ["others"]
    assert seen["lets_the_frontend_in--a-range-of-ports"] == ["the frontend"]
    assert not [name for name, who in seen.items() if "the monitoring" in who and name.startswith("the_rest")]


def into(*rules: Any, **selected: str) -> Any:
    return {"podSelector": {"matchLabels": selected}, "policyTypes": ["Ingress"], "ingress": [*rules]}


def out(*rules: Any, **selected: str) -> Any:
    return {"podSelector": {"matchLabels": selected}, "policyTypes": ["Egress"], "egress": [*rules]}


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ({"dns": out({"to": [KUBE_SYSTEM], "ports": BOTH[:1]}, {"to": [KUBE_SYSTEM], "ports": BOTH[1:]})}, ""),
        ({"dns": out({"to": [KUBE_DNS], "ports": BOTH})}, ""),
        ({"dns": out({"to": [KUBE_DNS | {"namespaceSelector": {}}], "ports": BOTH})}, ""),
        ({"dns": out({"to": [KUBE_DNS | {"namespaceSelector": {}}]})}, "to port"),
        ({"dns": out({"to": [KUBE_SYSTEM], "ports": [{"port": "dns", "protocol": "UDP"}, {"port": "dns-tcp"}]})}, ""),
        ({"dns": out({"to": [KUBE_SYSTEM, {"ipBlock": {"cidr": "10.96.0.10/32"}}], "ports": BOTH})}, ""),
        ({"in": into({"from": [{"podSelector": {}}], "ports": [{"port": "PORT"}]}, app="STORE")}, ""),
        ({"out": out({"to": [{"podSelector": {}}], "ports": [{"port": "PORT", "protocol": "TCP"}]}, app="WEB")}, ""),
        ({"more": {"podSelector": {}}}, ""),
        ({"more": into({"ports": BOTH[:1]})}, "to port 53 of a pod of spaceless"),
        ({"more": into({"ports": [{"protocol": "UDP"}]})}, "by UDP"),
        ({"more": out({"ports": BOTH[:1]})}, "to port 53 of a pod of"),
        ({"more": out({"to": [KUBE_SYSTEM]})}, "of kube-system without labels"),
        ({"more": out({"to": [{"namespaceSelector": {}}], "ports": BOTH})}, "to port 53 of a pod of default"),
        ({"more": out({"to": [{"ipBlock": {"cidr": "10.96.0.0/16"}}], "ports": BOTH})}, "of the address 10.96.0.0,"),
        ({"more": into({"from": [{"ipBlock": {"cidr": "172.18.0.0/16"}}]})}, "the address 172.18.0.0 to"),
        ({"more": into({"from": [{"namespaceSelector": {"matchLabels": {NAME: "OTHER"}}}]})}, "a pod of"),
        ({"in": into({"from": [{"podSelector": {}}]}, app="STORE"),
          "out": out({"to": [{"podSelector": {}}], "ports": [{"port": "PORT"}, {"port": "ADMIN"}]}, app="WEB")},
         "by TCP"),
        ({"in": into({"from": [{"podSelector": {"matchLabels": {"app": "WEB"}}}],
                      "ports": [{"port": "PORT", "protocol": "UDP"}]}, app="STORE"),
          "out": out({"to": [{"podSelector": {"matchLabels": {"app": "STORE"}}}],
                      "ports": [{"port": "PORT", "protocol": "UDP"}]}, app="WEB")}, "by UDP"),
    ],
)  # fmt: skip
def test_the_two_things_may_be_written_in_several_ways_and_nothing_else_is_open(
    world: Callable[[str], World], policies: Any, said: str
) -> None:
    it = world(DENY)
    seen = it.said(it.solved("one-for-each") | it.told(policies))
    assert bool(seen) is bool(said) and said in seen.get("all", "")


@pytest.mark.parametrize(
    ("policies", "who"),
    [
        ({"deny": {"podSelector": {}}, "free": into({}, app="STORE")}, []),
        ({"free": {"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["SERVER"]}]},
                   "ingress": [{}]}}, []),
        ({"out": out({}, app="SERVER")}, []),
        ({"more": into({"ports": [{"port": 53, "protocol": "UDP"}]}, app="SERVER")},
         ["others", "the frontend", "the monitoring"]),
        ({"more": into({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": "PORT"}]}, app="SERVER")},
         ["others"]),
        ({"more": into({"from": [{"podSelector": {"matchLabels": {"KEY": "FRONT"}}}],
                        "ports": [{"port": "PORT", "protocol": "UDP"}]}, app="SERVER")}, ["the frontend"]),
        ({"more": into({"from": [{"namespaceSelector": {"matchLabels": {"team": "TEAM"}}}],
                        "ports": [{"port": "METRICS"}]}, app="SERVER")}, ["others"]),
        ({"more": into({"from": [{"namespaceSelector": {"matchLabels": {"team": "TEAM"}},
                                  "podSelector": {"matchLabels": {"app": "MONITOR"}}}],
                        "ports": [{"port": "METRICS", "endPort": 9999}]}, app="SERVER")}, ["the monitoring"]),
        ({"more": into({"from": [MONITORING]}, app="SERVER")}, ["others"]),
    ],
)  # fmt: skip
def test_of_whom_more_is_let_through_than_was_wanted(world: Callable[[str], World], policies: Any, who: Any) -> None:
    it = world(FRONT)
    assert list(it.said(it.solved("one-policy") | it.told(policies))) == who


@pytest.mark.parametrize(
    ("labels", "at", "said"),
    [
        ({NAME: "kube-system"}, "11:00", []),
        ({NAME: "kube-system", "name": "kube-system"}, "09:00", []),
        ({NAME: "kube-system", "name": "kube-system"}, "11:00", ["name"]),
        ({NAME: "kube-system", "addon": "dns"}, "11:00", []),
    ],
)
def test_a_label_that_another_namespace_was_given_meanwhile_is_seen(
    world: Callable[[str], World], labels: dict[str, str], at: str, said: list[str]
) -> None:
    written = {"time": f"2026-01-01T{at}:00Z", "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:name": {}}}}}
    known: dict[str, Any] = {
        SPACE: {"creationTimestamp": "2026-01-01T10:00:00Z"},
        "kube-system": {"labels": labels, "managedFields": [{"time": "2026-01-01T08:00:00Z"}, written]},
    }
    objects = Room(named=lambda kind, name: Room(present=World._gives({"metadata": known[name]})))
    lab: Any = Room(objects=objects, namespace=SPACE)
    assert asyncio.run(world(DENY).it.labelled_since(lab, "kube-system")) == said
