"""Which servers run beside a Deployment's pods while a load runs, and once it is over."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from mlops_lab.checks import LabError, Observation
from mlops_lab.checks.rooms.time import Time
from mlops_lab.kit import spares
from tests.made_up import made_up_lab

ALONE = Observation(True, "in the pods of Deployment model alone", "in the pods of Deployment model alone")
BESIDE = Observation(False, ALONE.expected, "it runs in spare, too")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next look comes soon."""
    monkeypatch.setattr(spares, "EVERY", 0.005)


def looked_at(monkeypatch: pytest.MonkeyPatch, *looks: Observation | LabError) -> Observation:
    """What is seen in so many looks; the last one goes on."""
    left = list(looks)

    async def look(lab: Any) -> Observation:
        now = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(now, LabError):
            raise now
        return now

    async def play() -> Observation:
        others = spares.Spares(made_up_lab())
        async with others.followed():
            await asyncio.sleep(0.1)
        return others.seen

    monkeypatch.setattr(spares, "no_other_server", look)
    return asyncio.run(play())


def test_the_first_look_that_found_another_server_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looked_at(monkeypatch, ALONE, BESIDE, ALONE) == BESIDE
    assert looked_at(monkeypatch, ALONE, BESIDE, replace(BESIDE, seen="it runs in more, too")) == BESIDE
    assert looked_at(monkeypatch, ALONE) == ALONE


def test_a_clusters_trouble_is_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    moment, worse = LabError("away", "wait", transient=True), LabError("no rights", "look")
    assert looked_at(monkeypatch, ALONE, moment, moment, ALONE) == ALONE
    assert looked_at(monkeypatch, ALONE, moment) == ALONE
    assert looked_at(monkeypatch, ALONE, moment, BESIDE, worse) == BESIDE
    for looks in ((ALONE, worse), (moment,)):
        with pytest.raises(LabError):
            looked_at(monkeypatch, *looks)


@pytest.mark.parametrize(("looks", "ok"), [(0, True), (2, True), (99, False)])
def test_a_server_beside_goes_after_the_load_as_the_autoscalers_pods_do(
    looks: int, ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [BESIDE] * looks

    async def look(lab: Any) -> Observation:
        return left.pop() if left else ALONE

    monkeypatch.setattr(spares, "no_other_server", look)
    ended = time.monotonic() - (99 if looks == 99 else 0)
    seen = asyncio.run(spares.none_is_left(made_up_lab(time=Time()), ended=ended, within=100))
    assert seen.ok is ok and seen.seen == (ALONE if ok else BESIDE).seen
    assert seen.expected == f"{ALONE.expected} again 100 s after the load's end"
