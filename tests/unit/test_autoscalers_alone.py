"""Labs 10, 11 and 23: an autoscaler alone sees to the pods, and whoever else does so meanwhile is seen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.checks import Observation
from mlops_lab.kit import autoscalers, deployments
from mlops_lab.kit.autoscalers import Hands
from mlops_lab.kube.client import Object
from tests.lab_programs import loaded
from tests.made_up import READY, NothingThere, made_up_lab

OWN = "kube-controller-manager"


def wanting(replicas: int, manager: str) -> Object:
    """A Deployment whose number of pods was set by somebody through the scale subresource."""
    written = {"manager": manager, "subresource": "scale", "time": "2026-01-01T00:00:00Z"}
    fields = [written | {"fieldsV1": {"f:spec": {"f:replicas": {}}}}]
    return {"metadata": {"name": "model", "managedFields": fields}, "spec": {"replicas": replicas}}


@contextlib.asynccontextmanager
async def alone() -> AsyncIterator[None]:
    yield


async def well(*given: Any, **more: Any) -> Observation:
    return READY


@pytest.mark.parametrize(
    ("number", "check"), [("10", "scales_in_again"), ("11", "scales_in_again"), ("23", "scales_in")]
)
@pytest.mark.parametrize(("on_the_way", "ok"), [(((OWN, 1),), True), ((("python-urllib", 1), (OWN, 2)), False)])
def test_an_autoscaler_alone_takes_the_pods_away(
    number: str, check: str, on_the_way: tuple[tuple[str, int], ...], ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks, own, hands = loaded(number), wanting(2, OWN), Hands()
    states = [own, *(wanting(count, who) for who, count in on_the_way)]
    hands.take(own)

    @contextlib.asynccontextmanager
    async def followed(lab: Any, take: Any, **_: Any) -> AsyncIterator[None]:
        for each in states:
            take(each)
        yield

    async def present() -> Object:
        return own

    async def none(lab: Any, deployment: str = "model") -> list[Any]:
        return []

    async def once(function: Any) -> Any:
        return SimpleNamespace(hands=hands, specs=SimpleNamespace(followed=alone, left_alone=lambda: READY), ended=0.0)

    checks.followed, checks.ended, checks.comes_down, checks.none_is_left = followed, well, well, well
    monkeypatch.setattr(deployments, "followed", followed)
    monkeypatch.setattr(autoscalers, "back_at_one", well)
    monkeypatch.setattr(autoscalers, "autoscalers_of", none)
    lab = made_up_lab(number, objects=NothingThere(deployment=lambda name: SimpleNamespace(present=present)))
    lab.once = once  # type: ignore[method-assign]
    with contextlib.nullcontext() if ok else pytest.raises(Failure, match="python-urllib"):
        asyncio.run(getattr(checks, check).run(lab))


def test_pods_that_run_on_for_minutes_have_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Deployment does not count them."""
    checks, own = loaded("23"), wanting(1, OWN)

    async def runs_on(*given: Any, **more: Any) -> Observation:
        return Observation(False, "pods that are told to go have ended", "1 of 2 pods are being deleted")

    async def present() -> Object:
        return own

    async def once(function: Any) -> Any:
        return SimpleNamespace(hands=Hands(), ended=0.0)

    checks.ended = runs_on
    monkeypatch.setattr(deployments, "followed", lambda *given, **more: alone())
    monkeypatch.setattr(autoscalers, "back_at_one", well)
    lab = made_up_lab("23", objects=NothingThere(deployment=lambda name: SimpleNamespace(present=present)))
    lab.once = once  # type: ignore[method-assign]
    with pytest.raises(Failure, match="being deleted"):
        asyncio.run(checks.scales_in.run(lab))


@pytest.mark.parametrize("number", ["10", "11"])
def test_a_server_beside_the_deployments_is_over_the_budget(number: str) -> None:
    async def once(function: Any) -> Any:
        return SimpleNamespace(most=2, others=Observation(False, "these alone", "it runs in spare, too"))

    lab = made_up_lab(number)
    lab.once = once  # type: ignore[method-assign]
    with pytest.raises(Failure, match="it runs in spare, too"):
        asyncio.run(loaded(number).keeps_within_budget.run(lab))


@pytest.mark.parametrize("number", ["10", "11"])
@pytest.mark.parametrize("spare", [True, False])
def test_a_server_beside_that_starts_once_requests_have_stopped_is_too_many(
    number: str, spare: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks, own = loaded(number), wanting(1, OWN)
    server = {"name": "server", "image": "localhost:5001/flight-delay:v1"}
    there = {"Pod": [{"metadata": {"name": "spare"}, "spec": {"containers": [server]}}] * spare}

    async def every(kind: str, selector: str = "") -> list[Object]:
        return there.get(kind, [])

    async def now() -> Object:
        return own

    async def once(function: Any) -> Any:
        specs = SimpleNamespace(followed=alone, left_alone=lambda: READY)
        return SimpleNamespace(hands=Hands(), specs=specs, ended=0.0)

    checks.followed, checks.ended, checks.comes_down = lambda *given, **more: alone(), well, well
    monkeypatch.setattr(autoscalers, "back_at_one", well)
    deployment = SimpleNamespace(present=now, now=now)
    lab = made_up_lab(number, objects=NothingThere(all=every, deployment=lambda name: deployment))
    lab.once = once  # type: ignore[method-assign]
    with pytest.raises(Failure, match="it runs in spare, too") if spare else contextlib.nullcontext():
        asyncio.run(checks.scales_in_again.run(lab))
