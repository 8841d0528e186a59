"""An object is put back as it was found, however it was changed and whoever interrupts."""

from __future__ import annotations

import asyncio
import copy
import time
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks import LabError
from mlops_lab.checks.rooms import objects as rooms
from mlops_lab.kit import restore
from mlops_lab.kit.restore import interrupted, merge_patch, owned, put_back
from mlops_lab.kube.client import Object
from tests.made_up import cancelled
from tests.merge_patches import merged


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again at once."""
    monkeypatch.setattr(restore, "_EVERY", 0.01)


def deployment(image: str = "v1", **spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "model",
            "uid": "1",
            "labels": {"app": "model"},
            "annotations": {"deployment.kubernetes.io/revision": "7", "note": "mine"},
        },
        "spec": {"replicas": 4, "template": {"spec": {"containers": [{"name": "server", "image": image}]}}, **spec},
        "status": {"replicas": 4},
    }


class Objects:
    """One object, as the API server has it: away for the first `troubles` writes, and for all reads if `silent`."""

    def __init__(self, item: Object | None, troubles: int = 0, silent: bool = False) -> None:
        self.item, self.troubles, self.silent = copy.deepcopy(item), troubles, silent
        self.patches: list[Object] = []

    def named(self, kind: str, name: str) -> Objects:
        return self

    async def now(self) -> Object | None:
        if self.silent:
            raise LabError("away", "wait")
        return copy.deepcopy(self.item)

    async def patch(self, kind: str, name: str, patch: Object) -> Object:
        self._write()
        self.patches.append(patch)
        self.item = merged(self.item, patch)
        return self.item or {}

    async def apply(self, objects: list[Object]) -> None:
        self._write()
        self.item = objects[0]

    def _write(self) -> None:
        if self.troubles:
            self.troubles -= 1
            raise LabError("away", "wait")


def lab(objects: Objects) -> Any:
    return SimpleNamespace(objects=objects)


def test_what_was_changed_added_or_taken_away_is_as_it_was() -> None:
    before = deployment(strategy={"type": "Recreate"})
    changed = deployment("broken", strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0}}, paused=True)
    changed["metadata"]["labels"] = {"app": "other", "more": "x"}
    changed["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "9"}
    here = Objects(changed)
    assert asyncio.run(put_back(lab(here), before))
    assert here.item is not None and owned(here.item) == owned(before)
    assert here.item["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "9"  # its controller's own


def test_an_object_that_is_as_it_was_is_left_alone() -> None:
    here = Objects(deployment() | {"status": {"replicas": 9}})
    assert not asyncio.run(put_back(lab(here), deployment()))
    assert here.patches == []


def test_one_that_was_deleted_is_made_anew() -> None:
    here = Objects(None)
    assert asyncio.run(put_back(lab(here), deployment()))
    assert here.item == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "model", "labels": {"app": "model"}, "annotations": {"note": "mine"}},
        "spec": deployment()["spec"],
    }


def test_it_is_tried_again_while_the_api_server_is_away() -> None:
    here = Objects(deployment("broken"), troubles=3)
    assert asyncio.run(put_back(lab(here), deployment()))
    assert here.item == deployment() and len(here.patches) == 1
    with pytest.raises(LabError, match="away"):
        asyncio.run(put_back(lab(Objects(deployment("broken"), troubles=10**6)), deployment(), within=0.05))


def test_it_is_put_back_also_where_nobody_can_say_how_it_is() -> None:
    here = Objects(deployment("broken"), silent=True)
    assert asyncio.run(put_back(lab(here), deployment()))
    assert here.item == deployment()


def test_who_interrupts_twice_finds_it_put_back_all_the_same() -> None:
    here, seen = Objects(deployment("broken"), troubles=2), []

    async def block() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            seen.append(interrupted())
            await put_back(lab(here), deployment())

    async def story() -> None:
        assert not interrupted()
        task = asyncio.create_task(block())
        for _ in range(2):
            await asyncio.sleep(0.005)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.1)

    asyncio.run(story())
    assert (seen, here.item) == ([True], deployment())


def test_a_merge_patch_says_only_what_differs() -> None:
    now = {"a": 1, "b": {"c": 1, "d": 2}, "e": [1, 2], "f": {"g": 1}}
    wanted = {"a": 1, "b": {"c": 1, "d": 3}, "e": [2], "h": None}
    patch = merge_patch(now, wanted)
    assert patch == {"b": {"d": 3}, "e": [2], "f": None, "h": None}
    assert merge_patch(now, now) == {}


class SlowCluster:
    """A cluster with one object, that takes a moment for each patch."""

    def __init__(self, item: Object) -> None:
        self.item = item

    def find(self, *_: Any) -> Object:
        return copy.deepcopy(self.item)

    def patch(self, kind: str, name: str, patch: Object, namespace: str) -> Object:
        time.sleep(0.1)
        self.item = merged(self.item, patch)
        return self.item


def test_a_change_that_is_under_way_comes_before_what_puts_it_back() -> None:
    cluster = SlowCluster(deployment())
    lab: Any = SimpleNamespace(objects=rooms.Objects(cluster, "lab-13"))  # type: ignore[arg-type]

    async def check() -> None:
        before = await lab.objects.deployment("model").present()
        try:
            await lab.objects.patch("Deployment", "model", {"spec": {"replicas": 9}})
        finally:
            await put_back(lab, before)

    cancelled(check)
    assert cluster.item["spec"]["replicas"] == 4
