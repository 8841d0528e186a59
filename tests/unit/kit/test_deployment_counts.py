"""How many pods a Deployment has, now and while something goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from mlops_lab.checks import Observation
from mlops_lab.kit.deployments import alone, followed, pod_counts, status_count
from mlops_lab.kube.client import Object


def pods(count: int, ready: int | None = None) -> Object:
    status = {"replicas": count, "readyReplicas": count if ready is None else ready}
    return {"spec": {"replicas": count}, "status": status}


class Watched:
    """A Deployment that is seen in some states, and then no more."""

    def __init__(self, *states: Object | None) -> None:
        self.states = states

    async def until(self, test: Callable[[Any], bool], **more: Any) -> Observation:
        assert not any(test(item) for item in self.states)
        await asyncio.sleep(60)
        raise AssertionError("nobody ended the watch")


def test_each_state_of_the_deployment_is_given_while_the_block_runs() -> None:
    seen: list[int] = []

    async def block() -> None:
        watched = Watched(pods(1), None, pods(4))
        lab: Any = SimpleNamespace(objects=SimpleNamespace(deployment=lambda name: watched))
        async with followed(lab, lambda item: seen.append(status_count(item, "replicas")), within=1):
            await asyncio.sleep(0.05)

    asyncio.run(block())
    assert seen == [1, 0, 4]


def test_alone_is_one_wanted_there_and_ready() -> None:
    cases = [
        pods(1),
        pods(1, 0),
        pods(2),
        {"spec": {"replicas": 2}, "status": {"replicas": 1, "readyReplicas": 1}},
        None,
    ]
    assert [alone(each) for each in cases] == [True, False, False, False, False]
    assert [pod_counts(each) for each in (None, pods(0), pods(1))] == [
        "no Deployment", "0 pods, 0 ready", "1 pod, 1 ready"
    ]  # fmt: skip
