"""Whether a Service's pods are ready, who answers, and what a metric says."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks import Observation
from mlops_lab.kit import services
from mlops_lab.kube.client import Object


def pod(name: str, ready: bool, **labels: str) -> Object:
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    return {"metadata": {"name": name, "labels": labels}, "status": status}


def lab(selected: list[Object], others: list[Object]) -> Any:
    async def pods_until(
        service: str, test: Callable[[Any], bool], *, expected: str, shown: Any, within: float
    ) -> Observation:
        return Observation(test(selected), f"{expected} within {within} s", shown(selected), selected)

    async def every(kind: str) -> list[Object]:
        return others

    return SimpleNamespace(objects=SimpleNamespace(pods_until=pods_until, all=every))


@pytest.mark.parametrize(
    ("selected", "ok", "seen", "evidence"),
    [
        ([], False, "0 of 0 selected pods ready", ("lost: app=other",)),
        ([pod("a", True), pod("b", False)], False, "1 of 2 selected pods ready",
         ("a: ready, Running", "b: not ready, Running")),
        ([pod("a", True)], True, "1 of 1 selected pods ready", ("a: ready, Running",)),
    ],
)  # fmt: skip
def test_all_selected_pods_must_be_ready(
    selected: list[Object], ok: bool, seen: str, evidence: tuple[str, ...]
) -> None:
    there = lab(selected, [pod("lost", True, app="other")])
    found = asyncio.run(services.pods_ready(there, selected_within=1, ready_within=2))
    assert (found.ok, found.seen, found.evidence) == (ok, seen, evidence)


@pytest.mark.parametrize(("labels", "said"), [({"v2": 3, "v1": 97}, "v1, v2"), ({"v1": 1}, "v1"), ({}, "none")])
def test_the_versions_that_answered_are_named(labels: dict[str, int], said: str) -> None:
    sent: list[Any] = []

    @contextlib.asynccontextmanager
    async def load(service: str, **more: Any) -> AsyncIterator[Any]:
        sent.append((service, more["rate"], more["duration"]))

        async def finished() -> None:
            return None

        yield SimpleNamespace(finished=finished, report=SimpleNamespace(labels=Counter(labels)))

    rows = SimpleNamespace(body={})
    there: Any = SimpleNamespace(traffic=SimpleNamespace(load=load, hidden_rows=lambda count: rows))
    assert asyncio.run(services.versions(there, "shadow", requests=100, rate=50)) == said
    assert sent == [("shadow", 50, 2)]


@pytest.mark.parametrize(
    ("texts", "value"),
    [
        (["", "load_seconds 0\n", "# HELP load_seconds\nload_seconds 8.25\nload_seconds_sum 99\n"], 8.25),
        (["load_seconds NaN\n"], 0.0),
        (['load_seconds{a="b"} 5\nload_secondsX 4\n'], 0.0),
    ],
)
def test_a_metric_is_read_until_it_is_there(texts: list[str], value: float) -> None:
    left = list(texts)

    async def get(service: str, path: str) -> Any:
        return SimpleNamespace(text=left.pop(0) if len(left) > 1 else left[0])

    async def pause(seconds: float) -> None:
        await asyncio.sleep(0.01)

    there: Any = SimpleNamespace(traffic=SimpleNamespace(get=get), time=SimpleNamespace(pause=pause))
    assert asyncio.run(services.gauge(there, "load_seconds", within=0.1)) == value


def test_another_service_stands_while_the_cluster_is_busy() -> None:
    done: list[str] = []

    async def apply(objects: list[Object]) -> None:
        done.append(f"apply {objects[0]['metadata']['name']}")

    async def delete(kind: str, name: str, grace: int | None = None) -> None:
        done.append(f"delete {name}")

    async def pause(seconds: float) -> None:
        done.append("pause")

    there: Any = SimpleNamespace(objects=SimpleNamespace(apply=apply, delete=delete), time=SimpleNamespace(pause=pause))

    async def block() -> None:
        async with services.busy_cluster(there):
            done.append("block")

    asyncio.run(block())
    assert done == ["apply checker-neighbour", "pause", "block", "delete checker-neighbour"]
