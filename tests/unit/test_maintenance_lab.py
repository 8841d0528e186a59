"""What lab 24 makes of nodes: where a pod may go, when a kubelet is heard of, and how a drain went."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.processes import Completed
from mlops_lab.checks import Failure, LabError, Observation
from mlops_lab.kube.client import Object
from mlops_lab.tasks import kubelet_files, nodes
from tests.lab_programs import loaded
from tests.made_up import READY, NothingThere, Room, made_up_lab

CONTROL, WORKER = "c", "w"
LABELS = {"pool": "serving", "kubernetes.io/hostname": WORKER, "kubernetes.io/os": "linux", "rank": "3"}


@pytest.fixture(scope="module")
def lab24() -> Any:
    """The lab's checker."""
    return loaded("24")


def affinity(*terms: Any, kind: str = "required") -> Object:
    if kind == "required":
        rule: Any = {"nodeSelectorTerms": list(terms)}
    else:
        rule = [{"weight": 1, "preference": each} for each in terms]
    return {"affinity": {"nodeAffinity": {f"{kind}DuringSchedulingIgnoredDuringExecution": rule}}}


def term(key: str, operator: str, *values: str, where: str = "matchExpressions") -> Object:
    return {where: [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


def spread(key: str, otherwise: str = "DoNotSchedule") -> Object:
    return {"topologySpreadConstraints": [{"topologyKey": key, "whenUnsatisfiable": otherwise, "maxSkew": 1}]}


def beside(key: str, kind: str = "required") -> Object:
    place: Any = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": "board"}}}
    place = place if kind == "required" else {"weight": 1, "podAffinityTerm": place}
    return {"affinity": {"podAffinity": {f"{kind}DuringSchedulingIgnoredDuringExecution": [place]}}}


HOST, ROLE = "kubernetes.io/hostname", "node-role.kubernetes.io/control-plane"
POOL = term("pool", "In", "serving")


@pytest.mark.parametrize(
    ("spec", "takes"),
    [
        ({}, True),
        ({"nodeSelector": {"pool": "serving"}}, True),
        ({"nodeSelector": {"pool": "servng"}}, False),
        ({"nodeSelector": {"zone": "a"}}, False),
        (affinity(term("pool", "In", "serving", "other")), True),
        (affinity(term("pool", "In", "servng")), False),
        (affinity(term("pool", "In", "servng"), kind="preferred"), True),
        (affinity(term("pool", "Exists")), True),
        (affinity(term("zone", "Exists")), False),
        (affinity(term("zone", "DoesNotExist")), True),
        (affinity(term("pool", "DoesNotExist")), False),
        (affinity(term("zone", "NotIn", "a")), True),
        (affinity(term("pool", "NotIn", "serving")), False),
        (affinity(term("rank", "Gt", "2")), True),
        (affinity(term("rank", "Lt", "2")), False),
        (affinity(term("pool", "Gt", "2")), False),
        (affinity(term("zone", "Exists"), term("pool", "Exists")), True),
        (affinity({}), False),
        (affinity(term("metadata.name", "In", WORKER, where="matchFields")), True),
        (affinity(term("metadata.name", "In", CONTROL, where="matchFields")), False),
        ({"nodeSelector": {"pool": "servng"}, **affinity(term("pool", "Exists"))}, False),
    ],
)
def test_a_template_takes_a_node_as_the_scheduler_would(lab24: Any, spec: Object, takes: bool) -> None:
    assert lab24.asks_for(spec, LABELS, WORKER) is takes


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"nodeSelector": {"pool": "serving"}}, ""),
        (affinity(term("pool", "In", "serving")), ""),
        ({}, "without pool=serving"),
        (affinity(term("zone", "DoesNotExist")), "without pool=serving"),
        (affinity(term("pool", "Exists")), "with pool=training"),
        (affinity(term("pool", "In", "serving", "servng")), "with pool=servng"),
        (affinity(term("pool", "In", "serving", "batch")), "with pool=batch"),
        (affinity(term("pool", "NotIn", "servng", "training")), "without pool=serving"),
        (
            affinity(
                {
                    "matchExpressions": [
                        {"key": "pool", "operator": "Exists"},
                        {"key": "pool", "operator": "NotIn", "values": ["servng", "training"]},
                    ]
                }
            ),
            "with pool=unheard-of",
        ),
        ({"nodeSelector": {"pool": "serving"}, **affinity(term("pool", "NotIn", "batch"))}, ""),
        ({"nodeSelector": {"pool": "serving", "kubernetes.io/os": "linux"}}, ""),
        (
            affinity(
                {"matchExpressions": [*POOL["matchExpressions"], *term(ROLE, "DoesNotExist")["matchExpressions"]]}
            ),
            f"with pool=serving that has {ROLE}=",
        ),
        ({"nodeSelector": {"pool": "serving"}, **affinity(term(HOST, "NotIn", CONTROL))}, f"that has {HOST}={CONTROL}"),
        (
            {
                "nodeSelector": {"pool": "serving"},
                **affinity(term("metadata.name", "NotIn", CONTROL, where="matchFields")),
            },
            f"that has the name {CONTROL}",
        ),
        ({"nodeSelector": {"pool": "serving"}, **affinity(term("kubernetes.io/os", "NotIn", "windows"))}, ""),
        ({"nodeSelector": {"pool": "serving", "rank": "3"}}, "not take another node"),
        (
            affinity({"matchExpressions": [*POOL["matchExpressions"], *term("rank", "Exists")["matchExpressions"]]}),
            "not take another node",
        ),
        ({"nodeSelector": {"pool": "serving", "kubernetes.io/hostname": WORKER}}, "not take another node"),
        ({"nodeSelector": {"pool": "serving"}, "nodeName": WORKER}, "not take another node"),
        ({"nodeSelector": {"pool": "serving"}, **spread("rack")}, "its pods go by rack, too"),
        ({"nodeSelector": {"pool": "serving"}, **spread("rack", "ScheduleAnyway")}, ""),
        ({"nodeSelector": {"pool": "serving"}, **spread("kubernetes.io/hostname")}, ""),
        ({"nodeSelector": {"pool": "serving"}, **spread("pool")}, ""),
        (
            {"nodeSelector": {"pool": "serving"}, **beside("kubernetes.io/hostname")},
            "go by kubernetes.io/hostname, too",
        ),
        ({"nodeSelector": {"pool": "serving"}, **beside("kubernetes.io/hostname", kind="preferred")}, ""),
        ({"nodeSelector": {"pool": "serving"}, **beside("kubernetes.io/os")}, ""),
        (affinity(term("pool", "In", "servng")), "does not take w"),
        (affinity(term("pool", "In", "serving"), term("team/pool", "In", "serving")), "that has team/pool=serving"),
        (affinity(term("pool", "In", "serving"), term("rank", "Gt", "4")), "that has rank=5"),
        (
            affinity(term("pool", "In", "serving"), term("metadata.name", "In", "other", where="matchFields")),
            "that has the name other",
        ),
    ],
)
def test_a_template_that_demands_the_pool_is_told_from_others(lab24: Any, spec: Object, said: str) -> None:
    both = lab24.given(LABELS, {"kubernetes.io/hostname": CONTROL, "kubernetes.io/os": "linux", ROLE: "", "rank": "3"})
    assert both == {"kubernetes.io/os": "linux"}
    seen = lab24.demands_the_pool(spec, LABELS, WORKER, others="unheard-of", both=both)
    assert seen.ok is (not said)
    assert said in seen.seen


@pytest.mark.parametrize(
    ("spec", "ok"),
    [
        ({}, True),
        ({"tolerations": [{"key": "maintenance", "operator": "Exists"}]}, True),
        ({"tolerations": [{"operator": "Exists"}]}, False),
        ({"tolerations": [{"operator": "Exists"}], "nodeSelector": {"kubernetes.io/hostname": WORKER}}, True),
        ({"tolerations": [{"key": ROLE, "operator": "Exists"}], **affinity(term(ROLE, "DoesNotExist"))}, True),
        (
            {
                "tolerations": [{"key": ROLE, "operator": "Exists"}],
                **affinity(term(ROLE, "DoesNotExist"), kind="preferred"),
            },
            False,
        ),
        ({"nodeSelector": {"kubernetes.io/hostname": CONTROL}}, True),
    ],
)
def test_what_tolerates_the_taint_has_no_right_to_the_control_plane_all_the_same(
    lab24: Any, spec: Object, ok: bool
) -> None:
    assert lab24.has_no_place(spec, {ROLE: "", "kubernetes.io/hostname": CONTROL}, CONTROL).ok is ok


@pytest.mark.parametrize(("printed", "ok"), [('{"items": [{}]}', True), ("", False), ('{"items": []}', False)])
def test_a_kubelet_that_believes_nobody_does_not_answer(lab24: Any, printed: str, ok: bool) -> None:
    lab = lab_on(machines=Machines(printed))
    assert asyncio.run(lab24.looks.answers_the_api_server(lab, WORKER, within=-1)).ok is ok


@pytest.mark.parametrize(
    ("toleration", "lets_in"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}, True),
        ({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}, True),
        ({"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "maintenance", "operator": "Exists"}, False),
    ],
)
def test_what_a_pod_tolerates(lab24: Any, toleration: Object, lets_in: bool) -> None:
    assert lab24.tolerates({"spec": {"tolerations": [toleration]}}, lab24.role_tolerated()) is lets_in


def test_where_pods_are_is_said(lab24: Any) -> None:
    pods = [{"spec": {"nodeName": each}} for each in (WORKER, CONTROL, WORKER)]
    assert lab24.by_node([*pods, {"spec": {}}]) == "1 on c, 1 on no node, 2 on w"
    assert lab24.by_node([]) == "nowhere"


class Machines:
    """Two nodes; programs on them print one thing after the other."""

    names = (CONTROL, WORKER)

    def __init__(self, *prints: str) -> None:
        self.prints = list(prints)

    async def run(self, node: str, *words: str, within: float = 30) -> Completed:
        return Completed(0, self.prints.pop(0), "")


def lab_on(objects: Any = None, machines: Machines | None = None, **rooms: Any) -> Any:
    lab: Any = made_up_lab("24", objects=objects or NothingThere(), **rooms)
    lab.machines = machines or Machines()
    lab.elsewhere = lambda namespace: lab.objects
    return lab


class Found(Room):
    """Objects by kind."""

    def named(self, kind: str, name: str) -> Any:
        async def now() -> Any:
            return self.__dict__.get(kind)

        return SimpleNamespace(now=now)


@pytest.mark.parametrize(
    ("taints", "said"),
    [
        ([], ""),
        ([{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}], ""),
        ([{"key": "maintenance", "value": "kernel", "effect": "PreferNoSchedule"}], "maintenance=kernel:PreferNoSch"),
        ([{"key": ROLE, "effect": "PreferNoSchedule"}], f"{ROLE}:PreferNoSchedule"),
    ],
)
def test_a_wish_that_pods_go_elsewhere_is_seen(lab24: Any, taints: list[Object], said: str) -> None:
    seen = asyncio.run(lab24.unmarked(lab_on(Found(Node={"spec": {"taints": taints}})), WORKER))
    assert seen.ok is not bool(said)
    assert said in seen.seen


@pytest.mark.parametrize(("ready", "timed"), [("True", None), ("Unknown", False)])
def test_a_node_that_is_not_ready_is_not_so_for_want_of_time(lab24: Any, ready: str, timed: bool | None) -> None:
    node = {"status": {"conditions": [{"type": "Ready", "status": ready}]}}
    seen = asyncio.run(nodes.speaks_again(lab_on(Found(Node=node)), WORKER, after="2026", within=1))
    assert lab24.for_sure(seen).timed is timed


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        ("ActiveState=active\nMainPID=7\n", "ActiveState=active\nMainPID=7\n", ""),
        ("ActiveState=active\nMainPID=7\n", "ActiveState=active\nMainPID=9\n", "begun again"),
        ("ActiveState=activating\nMainPID=0\n", "ActiveState=active\nMainPID=9\n", "activating, then active"),
        ("ActiveState=failed\nMainPID=0\n", "ActiveState=failed\nMainPID=0\n", "failed"),
    ],
)
def test_a_service_that_ends_again_and_again_is_not_steady(lab24: Any, first: str, then: str, said: str) -> None:
    seen = asyncio.run(lab24.steady(lab_on(machines=Machines(first, then)), WORKER, "kubelet"))
    assert seen.ok is not bool(said)
    assert said in seen.seen


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        (None, "it is gone"),
        ({"spec": {"nodeName": WORKER}, "status": {"phase": "Running"}}, "runs on w"),
        ({"spec": {"nodeName": WORKER}, "status": {"phase": "Pending"}}, "Pending on w"),
        ({"spec": {}, "status": {"phase": "Pending"}}, "waits: no scheduler has looked at it"),
        ({"spec": {}, "status": {"conditions": [{"type": "PodScheduled", "message": "0/2"}]}}, "waits: 0/2"),
    ],
)
def test_where_a_trial_is_is_said(lab24: Any, pod: Any, said: str) -> None:
    assert lab24.placed(pod) == said


def test_trials_have_names_that_are_drawn_and_differ(lab24: Any) -> None:
    lab = lab_on()
    made = [
        lab24.trial(lab, "a pod", node=WORKER), lab24.trial(lab, "a pod", node=CONTROL),
        lab24.trial(lab_on(), "a pod", node=WORKER),
    ]  # fmt: skip
    assert len({each["metadata"]["name"] for each in made}) == 3
    assert lab24.trial(lab, "x", node="", labels={"pool": "serving"})["spec"]["nodeSelector"] == {"pool": "serving"}


@pytest.mark.parametrize(
    ("asked", "gone", "ok"), [(60, 0, True), (60, 1, True), (60, 2, False), (100, 2, True), (9, 9, False)]
)
def test_one_lost_request_of_fifty_is_borne(lab24: Any, asked: int, gone: int, ok: bool) -> None:
    assert lab24.lost(asked, gone).ok is ok


def test_too_few_requests_tell_nothing(lab24: Any) -> None:
    with pytest.raises(LabError, match="asked 9 times"):
        lab24.lost(9, 0)


@pytest.mark.parametrize(
    ("selector", "ok"),
    [
        ({"matchLabels": {"app": "board"}}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["board"]}]}, True),
        ({}, True),
        (None, False),
        ({"matchLabels": {"app": "boards"}}, False),
        ({"matchLabels": {"app": "board", "pod-template-hash": "abc"}}, False),
    ],
)
def test_a_budget_is_for_the_next_release_too(lab24: Any, selector: Object | None, ok: bool) -> None:
    budget = {"metadata": {"name": "b"}, "spec": {"selector": selector}}
    seen = lab24.lasting([budget], {"metadata": {"labels": {"app": "board"}}})
    assert seen.ok is ok
    assert ok or seen.seen == "none selects app=board"


def test_the_taint_is_tolerated_as_the_cluster_does_it(lab24: Any) -> None:
    """Without an operator it is Equal, to no value."""
    assert lab24.taint_tolerated() == {"key": ROLE, "effect": "NoSchedule"}
    assert lab24.tolerates({"spec": {"tolerations": [lab24.taint_tolerated()]}}, lab24.role_tolerated())


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("/var/lib/kubelet/config.yaml\n/etc/kubernetes/pki/ca.crt\n/usr/lib/systemd/system/kubelet.service\n", ""),
        ("/var/lib/kubelet/config.yaml\n/tmp/ca.crt\n/tmp/ca.crt\n", "next start: /tmp/ca.crt"),
        ("/tmp\n", "next start: /tmp"),
        ("/run/systemd/system/kubelet.service.d/mine.conf\n", "next start: /run/systemd/system/kubelet.service.d/mine"),
        ("", ""),
    ],
)
def test_what_is_in_tmp_is_gone_after_the_next_start(lab24: Any, printed: str, said: str) -> None:
    seen = asyncio.run(lab24.outlasts(lab_on(machines=Machines(printed)), WORKER))
    assert seen.ok is not bool(said)
    assert said in seen.seen


@pytest.mark.parametrize("sign", ["=", " "])
def test_the_files_that_the_kubelet_is_started_from_are_found(lab24: Any, tmp_path: Path, sign: str) -> None:
    there, config, link = tmp_path / "ca.crt", tmp_path / "config.yaml", tmp_path / "linked.crt"
    there.touch()
    link.symlink_to(there)
    config.write_text(f'authentication:\n  x509:\n    clientCAFile: "{link}"\nresolvConf: /run/resolv.conf\n')
    folder, variables, more = tmp_path / "more", tmp_path / "kubelet.env", tmp_path / "more" / "deep" / "a.conf"
    more.parent.mkdir(parents=True)
    more.write_text("authentication: {}\n  clientCAFile: /tmp/more.crt\n")
    variables.touch()
    words = f"--fail-swap-on --config={config} --kubeconfig=/etc/kubernetes/kubelet.conf --node-ip=127.0.0.1 --v=2"
    words += f" --config-dir={folder}"
    given = words.replace("=", sign).split(" ")
    with subprocess.Popen([sys.executable, "-c", "input()", *given], stdin=subprocess.PIPE) as kubelet:
        try:
            systemctl = tmp_path / "systemctl"
            unit = "/lib/systemd/system/kubelet.service /run/systemd/system/service.d/any.conf"
            said = {"MainPID": kubelet.pid, "EnvironmentFiles": f"{tmp_path}/*.env (ignore_errors=yes)"}
            said["EnvironmentFiles"] += f"\n{tmp_path}/not-there (ignore_errors=yes)"
            cases = "".join(f"*{name}*) echo '{text}';; " for name, text in said.items())
            systemctl.write_text(f'#!/bin/sh\ncase "$*" in {cases}*) echo "{unit}";; esac\n')
            systemctl.chmod(0o755)
            paths = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
            done = subprocess.run(
                ["sh", "-c", kubelet_files._FILES], env=paths, capture_output=True, text=True, check=True
            )
        finally:
            kubelet.kill()
    found = done.stdout.split()
    assert {str(config), str(link), str(there), "/etc/kubernetes/kubelet.conf"} <= set(found)
    assert {str(folder), str(more), "/tmp/more.crt", str(variables)} <= set(found)
    assert not [each for each in found if "resolv" in each or "any.conf" in each or "not-there" in each]
    assert "/lib/systemd/system/kubelet.service" in found


@pytest.mark.parametrize(("silent", "said"), [("", ""), (CONTROL, "Service model answers c"), (WORKER, "answers w")])
def test_a_service_answers_whichever_node_asks(lab24: Any, silent: str, said: str) -> None:
    made: dict[str, Object] = {}

    class Asked(Cluster):
        async def apply(self, objects: Any) -> None:
            made.update({each["metadata"]["name"]: each for each in objects})

        async def run_in(self, pod: str, *command: str, within: float = 30) -> Any:
            assert command[-1] == "http://10.0.0.1/version"
            return SimpleNamespace(lines=["0" if made[pod]["spec"]["nodeName"] == silent else "200"], errors="")

    seen = asyncio.run(lab24.answers(lab_on(Asked(1)), "model", "/version", within=-1))
    assert seen.ok is not bool(said)
    assert said in seen.expected
    assert {each["spec"]["nodeName"] for each in made.values()} == {CONTROL, WORKER}


def board_pod(name: str, node: str) -> Object:
    return {"metadata": {"name": name}, "spec": {"nodeName": node}, "status": {"phase": "Running"}}


class Cluster(NothingThere):
    """Pods that go when they are evicted, as far as a budget lets them; and somebody who asks until he is told."""

    def __init__(self, allowed: int) -> None:
        daemon = board_pod("agent", WORKER)
        daemon["metadata"]["ownerReferences"] = [{"kind": "DaemonSet"}]
        self.there = [board_pod("board-1", WORKER), board_pod("board-2", CONTROL), board_pod("model", WORKER), daemon]
        self.allowed, self.told, self.end = allowed, list[str](), asyncio.Event()

    async def service(self, name: str) -> Object:
        return {"spec": {"clusterIP": "10.0.0.1"}}

    def named(self, kind: str, name: str) -> Any:
        async def none() -> None: ...

        async def until(*given: Any, **more: Any) -> Observation:
            return Observation(True, "runs", "runs")

        async def rolled_out(*given: Any, **more: Any) -> Observation:
            self.told.append(f"waited for {name}")
            return Observation(True, "rolled out", "rolled out")

        return SimpleNamespace(now=none, until=until, rolled_out=rolled_out)

    async def all(self, kind: str, selector: str = "") -> list[Object]:
        return list(self.there)

    async def run_in(self, pod: str, *command: str, within: float = 30) -> Any:
        if command[0] == "touch":
            self.end.set()
            return None
        await self.end.wait()
        return SimpleNamespace(lines=[json.dumps({"asked": 60, "lost": 0})], errors="")

    @contextlib.asynccontextmanager
    async def cordoned(self, node: str) -> AsyncIterator[None]:
        self.told.append(f"closed {node}")
        yield
        self.told.append(f"opened {node}")

    async def evict(self, pod: str, *, dry_run: bool = False) -> str:
        if pod.startswith("board") and not self.allowed:
            return "disruption budget board needs 2 pods"
        if not dry_run:
            self.allowed -= pod.startswith("board")
            self.there = [each for each in self.there if each["metadata"]["name"] != pod]
        return ""


def drained(lab24: Any, allowed: int, successor: str = WORKER) -> tuple[Any, Cluster]:
    async def play() -> tuple[Any, Cluster]:
        cluster = Cluster(allowed)

        def board() -> list[Object]:
            return [each for each in cluster.there if each["metadata"]["name"].startswith("board")]

        async def owned_pods(lab: Any, name: str) -> list[Object]:
            return [*board(), board_pod("board-3", successor)]

        lab24.owned_pods = owned_pods
        return await lab24.drained(lab_on(cluster, nodes=cluster), board()), cluster

    before = lab24.owned_pods
    try:
        return asyncio.run(play())
    finally:
        lab24.owned_pods = before


def test_a_drain_ends_as_the_budget_lets_it(lab24: Any) -> None:
    found, cluster = drained(lab24, allowed=1)
    assert [each.ok for each in (found.granted, found.held, found.emptied, found.lost, found.spread)] == [True] * 5
    assert sorted(each["metadata"]["name"] for each in cluster.there) == ["agent", "board-2"]
    assert cluster.told[:2] == ["closed w", "opened w"]
    assert sorted(cluster.told[2:]) == ["waited for board", "waited for model", "waited for retrain"]


def test_a_successor_beside_the_other_pod_is_not_on_a_node_of_its_own(lab24: Any) -> None:
    found, _ = drained(lab24, allowed=1, successor=CONTROL)
    assert (found.lost.ok, found.spread.ok) == (True, False)
    assert found.spread.seen == f"2 on {CONTROL}"


def test_a_budget_that_lets_none_go_ends_it(lab24: Any) -> None:
    lab24.COUNTED_WITHIN = 0
    found, cluster = drained(lab24, allowed=0)
    assert (found.granted.ok, found.held.ok, found.emptied.ok) == (False, False, False)
    assert "needs 2 pods" in found.granted.seen
    assert (len(cluster.there), cluster.told) == (4, ["closed w", "opened w"])


def test_what_another_budget_holds_is_left_on_the_node(lab24: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    granted = Cluster.evict

    async def evict(self: Cluster, pod: str, *, dry_run: bool = False) -> str:
        return "disruption budget model needs 1 pod" if pod == "model" else await granted(self, pod, dry_run=dry_run)

    monkeypatch.setattr(Cluster, "evict", evict)
    lab24.DRAINED_WITHIN, before = 0.1, lab24.DRAINED_WITHIN
    try:
        found, cluster = drained(lab24, allowed=1)
    finally:
        lab24.DRAINED_WITHIN = before
    assert (found.granted.ok, found.held.ok, found.emptied.ok, found.lost.ok) == (True, True, False, False)
    assert found.emptied.seen.startswith("left: model; last refusal: disruption budget model needs 1 pod")
    assert cluster.told[:2] == ["closed w", "opened w"]


def test_without_a_budget_all_may_go(lab24: Any) -> None:
    found, cluster = drained(lab24, allowed=9)
    assert (found.granted.ok, found.held.ok) == (True, False)
    assert "granted for 1 more" in found.held.seen
    assert "board-2" in [each["metadata"]["name"] for each in cluster.there], "the other one was only asked for"


def test_a_service_that_keeps_to_the_node_that_asks_is_told_what_a_drain_makes_of_it() -> None:
    it = loaded("24")

    class There(NothingThere):
        async def service(self, name: str) -> Object:
            return {"spec": {"clusterIP": "10.0.0.1", "internalTrafficPolicy": "Local"}}

        def named(self, kind: str, name: str) -> Any:
            async def now() -> Object:
                return {"metadata": {"name": name}}

            async def rolled_out(*given: Any, **more: Any) -> Observation:
                return READY

            return SimpleNamespace(now=now, rolled_out=rolled_out)

    async def owned_pods(lab: Any, name: str) -> list[Object]:
        return [board_pod("board-1", WORKER), board_pod("board-2", CONTROL)]

    it.owned_pods = owned_pods
    with pytest.raises(Failure, match="internalTrafficPolicy of Service board") as failed:
        asyncio.run(it.drains.run(lab_on(There())))
    assert "once it is drained" in str(failed.value)
