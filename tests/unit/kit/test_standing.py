"""The checker's own objects are deleted however their block is left, and what a check before has left is gone first."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks import LabError
from mlops_lab.checks.rooms import objects as rooms
from mlops_lab.kit.standing import standing
from tests.made_up import NothingThere, cancelled, made_up_lab

POD = {"kind": "Pod", "metadata": {"name": "client"}}
SERVICE = {"kind": "Service", "metadata": {"name": "client"}}


class Objects(NothingThere):
    """What stands, and what was done in which order.

    Args:
        left: what stands from the beginning.
        stays: a kind that can't be deleted.
    """

    def __init__(self, *left: str, stays: str = "") -> None:
        self.there, self.stays, self.done = {*left}, stays, list[str]()

    def named(self, kind: str, name: str) -> Any:
        async def now() -> Any:
            return {} | POD if f"{kind} {name}" in self.there else None

        return SimpleNamespace(now=now)

    async def apply(self, objects: Any) -> None:
        self.there |= {f"{each['kind']} {each['metadata']['name']}" for each in objects}
        self.done.append("applied")

    async def kill(self, name: str, grace: int | None = None) -> None:
        self.done.append(f"killed {name} {grace}")
        self.there.discard(f"Pod {name}")

    async def gone(self, kind: str, name: str, *, within: float) -> None:
        assert f"{kind} {name}" not in self.there
        self.done.append("gone")

    async def delete(self, kind: str, name: str, grace: int | None = None) -> None:
        if kind == self.stays:
            raise LabError(f"{kind} {name} can't be deleted", "try again")
        self.done.append(f"deleted {kind} {grace}")
        self.there.discard(f"{kind} {name}")


def stand(objects: Objects, trouble: BaseException | None = None) -> None:
    async def play() -> None:
        async with standing(made_up_lab(objects=objects), [POD, SERVICE], grace=1):
            assert objects.there == {"Pod client", "Service client"}
            if trouble:
                raise trouble

    asyncio.run(play())


def test_they_stand_while_the_block_runs() -> None:
    objects = Objects()
    stand(objects)
    assert (objects.there, objects.done) == (set(), ["applied", "deleted Pod 1", "deleted Service 1"])


@pytest.mark.parametrize("trouble", [RuntimeError("the check fails"), asyncio.CancelledError()])
def test_they_are_deleted_when_the_block_fails_or_is_cut_off(trouble: BaseException) -> None:
    objects = Objects()
    with pytest.raises(type(trouble)):
        stand(objects, trouble)
    assert objects.there == set()


def test_a_pod_that_was_left_is_killed_and_gone_before_the_new_one_is_made() -> None:
    objects = Objects("Pod client")
    stand(objects)
    assert objects.done[:3] == ["killed client 0", "gone", "applied"]


def test_one_that_cant_be_deleted_keeps_no_other_and_is_told_of() -> None:
    objects = Objects(stays="Pod")
    with pytest.raises(LabError, match="Pod client can't be deleted"):
        stand(objects)
    assert objects.there == {"Pod client"}


class SlowCluster:
    """A cluster that takes a moment for each change."""

    def __init__(self) -> None:
        self.there = set[str]()

    def apply(self, objects: Any, namespace: str) -> None:
        for each in objects:
            time.sleep(0.1)
            self.there.add(each["kind"])

    def delete(self, kind: str, name: str, namespace: str, grace: int | None = None) -> None:
        self.there.discard(kind)


def test_who_interrupts_while_they_are_made_leaves_none() -> None:
    cluster = SlowCluster()
    lab = made_up_lab(objects=rooms.Objects(cluster, "lab-21"))  # type: ignore[arg-type]

    async def check() -> None:
        async with standing(lab, [{"kind": kind, "metadata": {"name": "client"}} for kind in ("Service", "ConfigMap")]):
            raise AssertionError("it was cancelled before")

    cancelled(check)
    assert cluster.there == set()
