"""Deployments of the learner's: there or not, with which pods, and what the newest of them logged."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.checks import Lab, LabError, Observation
from mlops_lab.kit import deployments
from tests.made_up import NothingThere, made_up_lab

LABELS = {"app": "model", "tier": "b"}
MODEL = {"metadata": {"name": "model"}, "spec": {"selector": {"matchLabels": LABELS}}}


def pod(name: str, made: str, **more: Any) -> dict[str, Any]:
    meta = {"name": name, "creationTimestamp": made, "labels": LABELS, **more}
    return {"metadata": meta, "spec": {"containers": [{"name": "server"}]}}


def lab_with(item: Any, *pods: Any, rolled_out: bool = True) -> Lab:
    async def now() -> Any:
        return item

    async def ended(**given: Any) -> Observation:
        return Observation(rolled_out, "all pods", "2 pods", evidence=("an event",))

    async def every(kind: str, selector: str = "") -> list[Any]:
        wanted = dict(each.split("=") for each in selector.split(",") if each)
        return [each for each in pods if kind == "Pod" and wanted.items() <= each["metadata"]["labels"].items()]

    async def logs(name: str, container: str | None, *, tail: int) -> str:
        return f"{name} fails\n"

    watched = SimpleNamespace(now=now, rolled_out=ended)
    return made_up_lab(objects=NothingThere(named=lambda kind, name: watched, all=every, logs=logs))


def test_a_deployment_that_is_there_is_given() -> None:
    assert asyncio.run(deployments.exists(lab_with(MODEL))) == MODEL


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "nothing runs before it is applied: kubectl apply -k ., then kubectl get deployments"),
        ({"apply": "kubectl apply -f ."}, "nothing runs before it is applied: kubectl apply -f ., then kubectl get"),
        ({"why": "of its own"}, "of its own"),
    ],
)
def test_one_that_is_not_there_fails_with_what_to_do(given: dict[str, str], why: str) -> None:
    with pytest.raises(Failure) as failed:
        asyncio.run(deployments.exists(lab_with(None), "gateway", **given))
    assert (failed.value.expected, failed.value.seen) == (
        "a Deployment named gateway",
        "there is none in this namespace",
    )
    assert failed.value.why.startswith(why)


def test_the_newest_pod_tells_why_a_rollout_does_not_end() -> None:
    lab = lab_with(MODEL, pod("model-1", "2026-01-01"), pod("model-2", "2026-01-02"), rolled_out=False)
    seen = asyncio.run(deployments.rolled_out(lab, within=1))
    assert (seen.ok, seen.evidence) == (False, ("an event", "its log: model-2 fails"))
    assert asyncio.run(deployments.rolled_out(lab_with(MODEL), within=1)).ok


def test_pods_go_by_the_labels_that_it_selects() -> None:
    one, bare = pod("model-1", "2026-01-01"), pod("bare", "2026-01-01", labels={"app": "model"})
    assert asyncio.run(deployments.pods_of(lab_with(MODEL, one, bare))) == [one]
    assert asyncio.run(deployments.pods_of(lab_with(None, one))) == []
    assert deployments.selector({"spec": {}}) == {}


@pytest.mark.parametrize("also", [{}, {"matchLabels": {"app": "model"}}])
def test_pods_go_by_the_expressions_that_it_selects_by_too(also: dict[str, Any]) -> None:
    rules = {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}], **also}
    one, other = pod("model-1", "2026-01-01"), pod("other", "2026-01-01", labels={"app": "model", "tier": "c"})
    lab = lab_with({"metadata": {"name": "model"}, "spec": {"selector": rules}}, one, other)
    assert asyncio.run(deployments.pods_of(lab)) == [one]


def test_pods_that_are_being_deleted_are_waited_for() -> None:
    stays, leaves = pod("model-1", "2026-01-01"), pod("model-0", "2026-01-01", deletionTimestamp="2026-01-02")
    seen = asyncio.run(deployments.old_pods_gone(lab_with(MODEL, stays, leaves), within=1))
    assert (seen.ok, seen.seen) == (False, "1 of 2 pods are being deleted")
    assert asyncio.run(deployments.old_pods_gone(lab_with(MODEL, stays), within=1)).ok


V1 = "localhost:5001/flight-delay:v1"


def owned(name: str, by: str, *images: str) -> dict[str, Any]:
    owners = [{"uid": "another"}, {"uid": by, "controller": True}] if by else []
    meta = {"name": name, "uid": f"uid of {name}", "ownerReferences": owners}
    return {"metadata": meta, "spec": {"containers": [{"image": each} for each in images]}}


@pytest.mark.parametrize(
    ("behind", "others"),
    [
        ([owned("a", "uid of new", V1), owned("b", "uid of old", f"{V1}@sha256:0", "proxy:1")], ()),
        ([owned("a", "uid of new", V1), owned("c", "", V1)], ("c: not of this Deployment",)),
        ([owned("c", "uid of foreign", V1)], ("c: not of this Deployment",)),
        ([owned("a", "uid of new", "proxy:1", V1)], ("a: its first container runs proxy:1",)),
    ],
)
def test_pods_behind_a_service_are_a_deployments_own(behind: list[Any], others: tuple[str, ...]) -> None:
    sets = [owned("new", "1"), owned("old", "1"), owned("foreign", "2")]

    async def every(kind: str, selector: str = "") -> list[Any]:
        return sets if kind == "ReplicaSet" else behind if kind == "Pod" else []

    async def now() -> Any:
        return {"metadata": {"name": "model", "uid": "1"}}

    async def pods_of(service: str) -> list[Any]:
        return behind if service == "model" else []

    named = NothingThere(now=now)
    lab = made_up_lab(objects=NothingThere(all=every, pods_of=pods_of, deployment=lambda name: named))
    seen = asyncio.run(deployments.all_its_own(lab, {"metadata": {"name": "model", "uid": "1"}}, "model", image=V1))
    assert (seen.ok, seen.evidence) == (not others, others)


def watched(trouble: LabError | None, failed: Failure | None = None) -> None:
    """A block beside a Deployment's watch, which may break off at once; the block may fail after that."""

    async def until(*given: Any, **more: Any) -> None:
        if trouble:
            raise trouble
        await asyncio.sleep(60)

    lab = made_up_lab(objects=NothingThere(named=lambda kind, name: SimpleNamespace(until=until)))

    async def story() -> None:
        async with deployments.followed(lab, lambda item: None, within=1):
            await asyncio.sleep(0.01)
            if failed:
                raise failed

    asyncio.run(story())


def test_who_follows_a_deployment_hears_that_the_watch_broke_off() -> None:
    watched(None)
    with pytest.raises(LabError, match="away"):
        watched(LabError("away", "wait"))
    with pytest.raises(Failure, match="two pods"):
        watched(LabError("away", "wait"), Failure("two pods", "one pod", ""))
