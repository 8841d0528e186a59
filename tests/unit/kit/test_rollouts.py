"""The end of a rollout: pods of a template before are ready, too, and answer, until they are gone."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks.watched import Watched
from mlops_lab.kit.rollouts import of_one_template, pods_of_now, rollout_over
from mlops_lab.kube.client import Object
from tests.made_up import NothingThere, made_up_lab

DAEMON = {"replicas": "currentNumberScheduled", "updatedReplicas": "updatedNumberScheduled"}


def at(observed: int, pods: int, updated: int) -> Object:
    """A Deployment of generation 2; its status leaves out zeros, as the API does."""
    status = {"observedGeneration": observed, "replicas": pods, "updatedReplicas": updated}
    return {"metadata": {"uid": "d", "generation": 2}, "status": {key: value for key, value in status.items() if value}}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
@pytest.mark.parametrize(
    ("observed", "pods", "updated", "over"),
    [(2, 3, 3, True), (2, 0, 0, True), (1, 3, 3, False), (0, 3, 3, False), (2, 3, 0, False), (2, 4, 2, False)],
)
def test_it_is_over_when_no_pods_of_the_template_before_are_there(
    kind: Any, observed: int, pods: int, updated: int, over: bool
) -> None:
    item = at(observed, pods, updated)
    if kind == "DaemonSet":
        item["status"] = {DAEMON.get(key, key): value for key, value in item["status"].items()}
    assert of_one_template(item, kind) is over


@pytest.mark.parametrize(
    ("then", "ended", "seen"),
    [
        ([at(2, 2, 2)], True, "2 of 2 pods are of the template of now"),
        ([None], True, "0 of 0 pods are of the template of now"),
        ([at(2, 3, 1)], False, "1 of 3 pods are of the template of now"),
        ([at(1, 2, 2), at(2, 3, 1), at(2, 3, 2), at(2, 2, 2)], True, "2 of 2 pods are of the template of now"),
    ],
)
def test_its_end_is_waited_for(then: list[Object | None], ended: bool, seen: str) -> None:
    def wait(kind: str, name: str, namespace: str, condition: Any, **more: Any) -> Any:
        return next(((True, each) for each in then if condition(each)), (None, then[-1]))

    kube: Any = SimpleNamespace(wait=wait, find=lambda *given: None, list=lambda *given, **more: [])
    objects = SimpleNamespace(named=lambda kind, name: Watched(kube, kind, name, "lab"))
    found = asyncio.run(rollout_over(made_up_lab("04", objects=objects), within=120))
    assert (found.ok, found.seen) == (ended, f"{seen} after 0 s")
    assert ended or found.expected == "Deployment model: no pods of a template before within 120 s"


def owned(kind: str, name: str, owner: str, **metadata: Any) -> Object:
    made = {"name": name, "uid": name, "ownerReferences": [{"controller": True, "uid": owner}], **metadata}
    return {"kind": kind, "metadata": made}


@pytest.mark.parametrize(("observed", "names"), [(2, ["now"]), (1, [])])
def test_pods_of_now_are_those_of_the_newest_replica_set(observed: int, names: list[str]) -> None:
    """A number, not a text: 10 comes after 9. And nobody knows which is which before the controller."""
    key, leaves = "deployment.kubernetes.io/revision", {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    there = {
        "ReplicaSet": [owned("ReplicaSet", f"set-{n}", "d", annotations={key: str(n)}) for n in (9, 10)],
        "Pod": [
            owned("Pod", "before", "set-9"), owned("Pod", "now", "set-10"), owned("Pod", "deleted", "set-10", **leaves),
            owned("Pod", "another's", "set-of-another"),
        ],
    }  # fmt: skip

    async def all_of(kind: str, selector: str = "") -> list[Any]:
        return there[kind]

    lab = made_up_lab("17", objects=NothingThere(all=all_of))
    found = asyncio.run(pods_of_now(lab, at(observed, 1, 1)))
    assert [each["metadata"]["name"] for each in found] == names
    assert asyncio.run(pods_of_now(lab, None)) == []
