"""A pod that asks all the time is believed if it is the one from the beginning."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.kit.witness import nothing_lost, older_than_the_rollout
from mlops_lab.kube.errors import Unreachable
from tests.made_up import NothingThere, made_up_lab

NOW = datetime.now(UTC)


def made(seconds_ago: float, restarts: int = 0) -> Any:
    at = (NOW - timedelta(seconds=seconds_ago)).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"metadata": {"creationTimestamp": at}, "status": {"containerStatuses": [{"restartCount": restarts}]}}


def seen_of(pod: Any, log: str | LabError) -> Any:
    there = {("Namespace", "task"): made(1000), ("Pod", "caller"): pod}

    def named(kind: str, name: str) -> Any:
        async def now() -> Any:
            return there[kind, name]

        return SimpleNamespace(now=now)

    async def logs(name: str, *, tail: int) -> str:
        if isinstance(log, LabError):
            raise log
        return log

    lab = made_up_lab(objects=NothingThere(named=named, logs=logs))
    return asyncio.run(nothing_lost(lab, "caller", namespace="task"))


@pytest.mark.parametrize(
    ("pod", "log", "ok", "seen"),
    [
        (made(990), "asked=6 lost=0\nasked=7 lost=0\n", True, "0 of 7 requests lost"),
        (made(990), "asked=6 lost=0\nasked=7 lost=1\n", False, "1 of 7 requests lost"),
        (made(990), "", False, "Pod caller has had no answer yet"),
        (made(990), LabError("it has not begun", ""), False, "Pod caller has no log"),
        (made(990, restarts=2), "asked=7 lost=0\n", False, "Pod caller was started anew 2 times"),
        (made(500), "asked=7 lost=0\n", False, "Pod caller was made anew 500 s after the task's beginning"),
        (None, "", False, "Pod caller is gone"),
    ],
)
def test_what_a_witness_says(pod: Any, log: str | LabError, ok: bool, seen: str) -> None:
    found = seen_of(pod, log)
    assert (found.ok, found.seen) == (ok, seen)


@pytest.mark.parametrize("trouble", [LabError("status 503", "", transient=True), Unreachable("no answer", "")])
def test_an_api_server_that_is_away_is_nobodys_loss(trouble: LabError) -> None:
    with pytest.raises(LabError):
        seen_of(made(990), trouble)


@pytest.mark.parametrize(
    ("pod", "ok", "seen"),
    [(made(900), True, "it was"), (made(400), False, "it was made 100 s later"), (None, False, "Pod caller is gone")],
)
def test_a_pod_that_was_made_after_the_rollout_is_another_one(pod: Any, ok: bool, seen: str) -> None:
    sets = [made(950) | {"old": True}, made(500) | {"old": False}, made(100) | {"old": False}]

    async def now() -> Any:
        return pod

    async def every(kind: str) -> list[Any]:
        assert kind == "ReplicaSet"
        return sets

    lab = made_up_lab(objects=NothingThere(named=lambda *given: SimpleNamespace(now=now), all=every))
    found = asyncio.run(older_than_the_rollout(lab, "caller", old=lambda each: bool(each["old"])))
    assert (found.ok, found.seen) == (ok, seen)
