"""Lab 03: what its checks make of a pod that is deleted at work, also where the machine is slow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.checks import Observation
from mlops_lab.measure.traffic.http import Answer
from tests.lab_programs import loaded
from tests.made_up import NothingThere, NoTraffic, made_up_lab


@pytest.fixture(scope="module")
def checks() -> Any:
    return loaded("03")


def drained(
    monkeypatch: pytest.MonkeyPatch, batches: Sequence[tuple[int, float, float]], after: float | None, pod: Any
) -> Any:
    """What is made of a pod's end.

    Args:
        batches: of each the status, the seconds that it took, and those from the deletion until it was there.
        after: s from the deletion until the container was seen ended; None: never.
        pod: as it was seen last.
    """
    module, now, told = loaded("03", "drain"), 1000.0, list(batches)

    async def post(*given: Any, **more: Any) -> Answer:
        status, seconds, _ = told.pop(0)
        return Answer(status, {}, b"{}", seconds, "", "http://pod/batch")

    async def at_work(*given: Any, **more: Any) -> Observation:
        return Observation(True, "the batches are under way", "they are", Answer(200, {}, b"{}", 0.1, "", ""))

    async def ended(*given: Any) -> tuple[float | None, Any]:
        return (None if after is None else now + after), pod

    times = iter([now, *(now + at for _, _, at in batches)])
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(times)))
    for name, instead in (("under_way_at", at_work), ("has_ended", ended), ("sizes", lambda lab: (80, 115))):
        monkeypatch.setattr(module, name, instead)
    traffic = NoTraffic(post=post, hidden_rows=lambda count: SimpleNamespace(body={}))
    return asyncio.run(module.drained(made_up_lab("03", traffic=traffic, objects=NothingThere()), "pod"))


def ended_pod(code: int, after: int = 0) -> Any:
    """A pod that was deleted at 12:00:00, whose container ended so many seconds later."""
    meta = {"deletionTimestamp": "2024-01-01T12:00:30Z", "deletionGracePeriodSeconds": 30}
    state = {"terminated": {"exitCode": code, "finishedAt": f"2024-01-01T12:00:{after:02}Z"}}
    return {"metadata": meta, "status": {"containerStatuses": [{"state": state}]}}


@pytest.mark.parametrize(("seconds", "busy"), [(4.0, False), (8.1, True)])
def test_batches_that_end_too_soon_are_another_servers_or_a_busy_machines(
    seconds: float, busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = [(200, seconds, 1.0), (200, 11.6, 10.5)]
    if busy:
        with pytest.raises(LabError, match="before the pod was told"):
            drained(monkeypatch, batches, 12.0, {})
    else:
        assert drained(monkeypatch, batches, 12.0, {}).batches[0].hurried


@pytest.mark.parametrize(
    ("batches", "after", "pod", "ended", "limit"),
    [
        ([(200, 8.2, 7.0), (200, 11.6, 10.5)], 12.0, ended_pod(0, 12), 12.0, 22.2),
        # The kubelet tells of the end 23 s later.
        ([(200, 8.2, 7.0), (200, 11.6, 10.5)], 35.0, ended_pod(0, 12), 12.0, 22.2),
        ([(200, 8.2, 7.0), (200, 11.6, 10.5)], 24.0, {}, 24.0, 22.2),
        ([(200, 8.2, 7.0), (200, 11.6, 10.5)], 31.0, ended_pod(137, 30), 30.0, 22.2),
        # A slow machine, on which the server had nothing to do for ten seconds, and did not end.
        ([(200, 16.0, 15.0), (200, 19.0, 18.0)], 31.0, ended_pod(137, 30), 30.0, 30.0),
        ([(200, 16.0, 15.0), (200, 23.0, 22.0)], 26.0, ended_pod(0, 26), 26.0, 33.5),
    ],
)
def test_how_long_a_pod_may_take_to_end_is_told_by_its_batches(
    batches: Any, after: float, pod: Any, ended: float, limit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = drained(monkeypatch, batches, after, pod)
    assert found.ended == pytest.approx(ended) and found.limit == pytest.approx(limit)
    assert found.killed is (pod == ended_pod(137, 30))


@pytest.mark.parametrize(
    ("batches", "after", "pod"),
    [
        ([(200, 16.0, 15.0), (0, 29.0, 30.0)], 31.0, ended_pod(137, 30)),
        ([(200, 16.0, 15.0), (200, 24.0, 23.0)], 37.0, ended_pod(0, 36)),
        ([(200, 16.0, 15.0), (200, 24.0, 23.0)], None, {}),
    ],
)
def test_a_machine_that_is_slow_at_the_batches_says_nothing_of_an_end_that_is_late(
    batches: Any, after: float | None, pod: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LabError, match="times as long as it takes"):
        drained(monkeypatch, batches, after, pod)


def test_a_batch_that_is_lost_on_a_machine_that_is_not_slow_is_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    found = drained(monkeypatch, [(200, 8.2, 7.0), (0, 29.0, 30.0)], 31.0, ended_pod(137, 30))
    assert [each.answer.status for each in found.batches] == [200, 0]
    found = drained(monkeypatch, [(200, 16.0, 15.0), (0, 10.0, 9.0)], 17.0, ended_pod(0, 17))
    assert found.batches[1].answer.status == 0


def test_the_quickest_batch_of_one_flight_counts(checks: ModuleType) -> None:
    took = iter([0.3, 0.11, *[0.4] * 10, *[0.2] * 12])
    status = 200

    async def post(*given: Any, **more: Any) -> Answer:
        return Answer(status, {}, b"{}", next(took), "", "http://pod/batch")

    lab = SimpleNamespace(traffic=SimpleNamespace(post=post, hidden_rows=lambda count: SimpleNamespace(body={})))
    assert asyncio.run(checks.quickest(lab, "pod")) == 0.11
    status = 500
    assert asyncio.run(checks.quickest(lab, "pod")) is None


@pytest.mark.parametrize(
    ("said", "fault"), [({"status": "ok"}, False), ({"batches": "2"}, False), ({"batches": 0}, True)]
)
def test_a_server_that_never_says_that_it_is_at_work_is_another_one(
    said: Any, fault: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = loaded("03", "drain")
    monkeypatch.setattr(module, "sizes", lambda lab: (80, 115))
    health = Answer(200, {}, json.dumps(said).encode(), 0.01, "", "http://checker-plain/healthz")
    begun = Observation(False, "the batches are under way", health.text, health)

    async def post(*given: Any, **more: Any) -> Answer:
        return health

    async def eventually(*given: Any, **more: Any) -> Observation:
        return begun

    traffic = SimpleNamespace(post=post, hidden_rows=lambda count: SimpleNamespace(body={}))
    lab = SimpleNamespace(traffic=traffic, time=SimpleNamespace(eventually=eventually))
    if fault:
        with pytest.raises(LabError):
            asyncio.run(module.drained(lab, "pod"))
    else:
        assert asyncio.run(module.drained(lab, "pod")).begun is begun
