"""A Deployment has its own number of pods again however the block is left."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.kit import restore
from mlops_lab.kit.replicas import scaled
from mlops_lab.kube.errors import NotFound, Unreachable
from tests.made_up import NothingThere, made_up_lab


class Objects(NothingThere):
    """A Deployment of three pods, which may be deleted meanwhile."""

    def __init__(self) -> None:
        self.set: list[int] = []
        self.deleted = False
        self.away = 0  # patches to come that nobody answers

    def deployment(self, name: str) -> Any:
        async def present() -> Any:
            return {"spec": {"replicas": 3}}

        return SimpleNamespace(present=present)

    async def patch(self, kind: str, name: str, patch: Any) -> Any:
        if self.deleted:
            raise NotFound(f"{kind} {name} is gone", "make it")
        if self.away:
            self.away -= 1
            raise Unreachable("no answer", "wait")
        self.set.append(patch["spec"]["replicas"])


def play(objects: Objects, trouble: BaseException | None = None, *, delete: bool = False, away: int = 0) -> None:
    async def run() -> None:
        async with scaled(made_up_lab(objects=objects), "model", 0):
            assert objects.set == [0]
            objects.deleted, objects.away = delete, away
            if trouble:
                raise trouble

    asyncio.run(run())


def test_the_number_of_pods_is_put_back() -> None:
    objects = Objects()
    play(objects)
    assert objects.set == [0, 3]


def test_it_is_put_back_after_a_failure_too() -> None:
    objects = Objects()
    with pytest.raises(ValueError, match="broken"):
        play(objects, ValueError("broken"))
    assert objects.set == [0, 3]


def test_a_deployment_that_is_gone_is_no_trouble() -> None:
    objects = Objects()
    play(objects, delete=True)
    assert objects.set == [0]


def test_it_is_put_back_once_an_api_server_that_is_away_answers_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore, "_EVERY", 0.01)
    objects = Objects()
    play(objects, away=2)
    assert objects.set == [0, 3]
