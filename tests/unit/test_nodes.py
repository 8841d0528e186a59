"""Cordons that are lifted whatever happens, evictions and their refusals, and the nodes that take pods."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from kubernetes.client.exceptions import ApiException

from mlops_lab.base import identity
from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import Refused, Unreachable
from mlops_lab.measure.cluster import environment, nodes

Object = dict[str, Any]


class Cluster:
    """Nodes by name, and every patch of one; `troubles` are raised first, one for each patch."""

    def __init__(self, *items: Object, troubles: list[Exception] | None = None) -> None:
        self.items = items
        self.troubles = troubles or []
        self.patches: list[tuple[str, Object]] = []
        self.slow = 0.0

    def list(self, kind: str, namespace: str | None = None, *_: Any) -> list[Object]:
        return list(self.items) if kind == "Node" else []

    def find(self, *_: Any, **__: Any) -> None:
        return None

    def patch(self, kind: str, name: str, patch: Object) -> Object:
        time.sleep(self.slow)
        if self.troubles:
            raise self.troubles.pop(0)
        self.patches.append((name, patch))
        return {}

    def closed(self) -> list[bool]:
        """What the patches wanted, in their order."""
        return [bool(patch["spec"]["unschedulable"]) for _, patch in self.patches]


def kube(cluster: Cluster) -> Kube:
    return cast(Kube, cluster)


def node(name: str, *, ready: str = "True", cordoned: bool = False, taint: str = "", mark: str = "") -> Object:
    return {
        "metadata": {"name": name, "annotations": {nodes.MARK: mark} if mark else {}},
        "spec": {"unschedulable": cordoned, "taints": [{"key": "any", "effect": taint}] if taint else []},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def mark(of: str = "", renewed: int = 0) -> str:
    """The mark of a process, this one if none is given."""
    return f"{of or identity.own()}/{renewed}"


def asked(code: str = "", *, end: bool = True) -> tuple[subprocess.Popen[str], str]:
    """A child, and who it is."""
    told = "from mlops_lab.base import identity; print(identity.own(), flush=True);"
    child = subprocess.Popen(
        [sys.executable, "-c", f"{told} {code}"], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    who = child.stdout.readline().strip()
    if end:
        child.communicate(timeout=20)
    return child, who


def test_nodes_that_take_pods_are_ready_open_and_without_a_hard_taint() -> None:
    control = node("control", taint="NoSchedule")
    found = nodes.workers(kube(Cluster(node("two"), control, node("one", taint="PreferNoSchedule"))))
    assert [each["metadata"]["name"] for each in found] == ["one", "two"]
    with pytest.raises(LabError, match="2 schedulable nodes are needed, but the cluster has 1") as small:
        nodes.workers(kube(Cluster(control, node("one"), node("two", ready="Unknown"))))
    assert "lab up" in small.value.hint
    with pytest.raises(LabError) as closed:
        nodes.workers(kube(Cluster(node("one"), node("two", cordoned=True))))
    assert closed.value.hint == "kubectl uncordon two"


def test_a_cordon_is_lifted_at_the_end_of_its_block_and_after_an_error() -> None:
    cluster = Cluster()

    async def story() -> None:
        async with nodes.cordoned(kube(cluster), "one"):
            assert nodes.abandoned(kube(cluster), [node("one", cordoned=True, mark=mark())]) == []
            raise ValueError("in the block")

    with pytest.raises(ValueError, match="in the block"):
        asyncio.run(story())
    assert cluster.closed() == [True, False]
    (_, first), (_, last) = cluster.patches
    assert first["metadata"]["annotations"][nodes.MARK] == mark()
    assert last["metadata"]["annotations"] == {nodes.MARK: None}


def test_a_cordon_is_lifted_when_the_block_is_cancelled_even_while_it_is_being_made() -> None:
    for slow, after in ((0.0, 0.05), (0.3, 0.05)):
        cluster = Cluster()
        cluster.slow = slow

        async def story(cluster: Cluster = cluster, after: float = after) -> None:
            async def block() -> None:
                async with nodes.cordoned(kube(cluster), "one"):
                    await asyncio.sleep(60)

            task = asyncio.create_task(block())
            await asyncio.sleep(after)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(story())
        assert cluster.closed() == [True, False]


def test_a_cordon_is_lifted_again_and_again_until_the_api_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "time", SimpleNamespace(sleep=lambda seconds: None, monotonic=time.monotonic))
    cluster = Cluster(troubles=[Unreachable("away", "wait"), Unreachable("away", "wait")])
    nodes.uncordon(kube(cluster), "one")
    assert cluster.closed() == [False]
    with pytest.raises(Unreachable):
        nodes.uncordon(kube(Cluster(troubles=[Unreachable("away", "wait")])), "one", within=-1)


@pytest.mark.parametrize("day", [0.0, 86_400.0, -86_400.0])
def test_what_a_killed_checker_left_is_opened_at_the_next_look_and_nothing_else_is(
    day: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the clock is set meanwhile."""
    _, gone = asked()
    child, running = asked("input()", end=False)
    host, space, process, began = running.split("/")
    try:
        now = time.time() + day
        monkeypatch.setattr(time, "time", lambda: now)
        left = [
            node("one", cordoned=True, mark=mark(gone)),
            node("two", cordoned=True, mark=mark()),  # this process's, which could not lift it
            node("three", cordoned=True, mark=mark(f"{host}/{space}/{process}/{int(began) - 1}")),  # its number again
        ]
        others = [
            node("four", cordoned=True),  # a person's
            node("five", cordoned=True, mark=mark(running)),
        ]
        cluster = Cluster(*left, *others)
        assert environment.problems(kube(cluster)) == []
        assert [name for name, _ in cluster.patches] == ["one", "two", "three"]
        assert cluster.closed() == [False] * 3
        with pytest.raises(LabError, match=f"another check has taken one out .*process {process} on {host}") as wait:
            nodes.workers(kube(Cluster(node("six"), others[1])))
        assert wait.value.hint == "check again when it has ended"
    finally:
        child.communicate("\n", timeout=20)
    assert identity.lives(running) is False


def test_who_runs_elsewhere_is_known_by_its_renewals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = {
        "live": "laptop/0badcafe/1/7/3", "dead": "laptop/0badcafe/2/8/3", "older": "laptop/3/1767225600",
        "strange": "nonsense", "lifted": "laptop/0badcafe/4/9/3",
    }  # fmt: skip
    cluster = Cluster(*(node(name, cordoned=True, mark=each) for name, each in marks.items()))
    looks: list[float] = []

    def a_second(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 20:  # the machine was busy for a while
            cluster.items[0]["metadata"]["annotations"][nodes.MARK] = "laptop/0badcafe/1/7/4"
            cluster.items[4]["metadata"]["annotations"].clear()

    monkeypatch.setattr(nodes, "time", SimpleNamespace(sleep=a_second))
    assert nodes.abandoned(kube(cluster), list(cluster.items)) == ["dead", "older", "strange"]
    assert len(looks) == 30
    # Where all are renewed, nobody waits longer than for that.
    looks.clear()
    assert nodes.abandoned(kube(cluster), [node("live", cordoned=True, mark="laptop/0badcafe/1/7/3")]) == []
    assert len(looks) == 1


def test_a_cordon_is_renewed_while_its_block_runs_and_never_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "_RENEWED_EVERY", 0.05)
    troubles: list[Exception] = []
    cluster = Cluster(troubles=troubles)
    cluster.slow = 0.03

    async def story() -> None:
        async with nodes.cordoned(kube(cluster), "one"):
            troubles.append(Unreachable("away", "wait"))  # the next renewal will do
            await asyncio.sleep(0.5)

    asyncio.run(story())
    time.sleep(0.2)
    *marks, last = [patch["metadata"]["annotations"][nodes.MARK] for _, patch in cluster.patches]
    assert last is None and "spec" in cluster.patches[-1][1]
    assert marks[0] == mark() and len(marks) > 3 and len(set(marks)) == len(marks)
    assert all("spec" not in patch for _, patch in cluster.patches[1:-1])


def answering(status: int = 201, message: str = "") -> tuple[Kube, list[Object]]:
    """A connection whose API server answers evictions so, and the calls that it got."""
    calls: list[Object] = []

    def call_api(path: str, method: str, *arguments: Any, **named: Any) -> Any:
        calls.append({"path": path, "method": method, "query": arguments[1], "body": named["body"]})
        if status > 201:
            error = ApiException(status=status, reason="reason")
            error.body = json.dumps({"message": message})
            raise error
        return SimpleNamespace(data=b"{}")

    client = SimpleNamespace(
        call_api=call_api, client_side_validation=False, select_header_accept=lambda kinds: kinds[0],
        select_header_content_type=lambda *_: "application/json",
    )  # fmt: skip
    return Kube(client, "kind-one", cast(Any, None), cast(Any, None)), calls


def test_an_eviction_is_asked_for_and_only_tried_if_so_wanted() -> None:
    connection, calls = answering()
    assert nodes.evict(connection, "model-1", "lab-13") == ""
    assert nodes.evict(connection, "model-1", "lab-13", dry_run=True) == ""
    assert [dict(call["query"]) for call in calls] == [{}, {"dryRun": "All"}]
    assert calls[0]["body"]["kind"] == "Eviction" and calls[0]["path"].endswith("/pods/{name}/eviction")


def test_a_budgets_refusal_is_told_and_a_pod_that_is_gone_needs_none() -> None:
    for status, said in (
        (429, "Cannot evict pod as it would violate the pod's disruption budget."),
        (500, "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."),
    ):
        assert nodes.evict(answering(status, said)[0], "model-1", "lab-13") == said
    assert nodes.evict(answering(404, 'pods "model-1" not found')[0], "model-1", "lab-13") == ""


def test_other_refusals_are_the_environments() -> None:
    with pytest.raises(Refused, match="eviction of pod model-1: too many requests"):
        nodes.evict(answering(429, "too many requests, please try again later")[0], "model-1", "lab-13")
    with pytest.raises(Unreachable):
        nodes.evict(answering(503, "etcd is away")[0], "model-1", "lab-13")
