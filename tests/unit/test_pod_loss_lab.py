"""What lab 04 makes of a deletion under load: how much was lost and why, and whether the pods came back."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks import Observation
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.report import LoadReport, Request
from tests.lab_programs import loaded


def pod(name: str, ready: bool = True, began: str = "1") -> Object:
    conditions = [{"type": "Ready", "status": str(ready)}]
    spec = {"containers": [{"name": "server", "image": "server:v1"}]}
    return {
        "metadata": {"name": name},
        "spec": spec,
        "status": {"startTime": began, "phase": "Running", "conditions": conditions},
    }


class Cluster:
    """Pods before and after a deletion, and a load of which some seconds failed; a second passes with each look."""

    shadowed: Collection[int] = ()
    loading: Sequence[str] = ("8.1",)
    told: Mapping[str, list[str]] = {}
    asked = 0

    def __init__(self, after: list[list[Object]], failed: Collection[int] = (), silent: Collection[int] = ()) -> None:
        self.pods, self.after = [pod("young", began="2"), pod("old", began="1")], after
        self.killed: list[str] = []
        self.failed, self.silent, self.elapsed = failed, silent, 0.0
        self.objects = self.traffic = self.time = self.platform = self

    async def pods_of(self, service: str) -> list[Object]:
        if self.killed:
            self.elapsed += 1
            return self.after.pop(0) if len(self.after) > 1 else self.after[0]
        return self.pods

    async def pods_until(self, *given: Any, **more: Any) -> Observation:
        return Observation(True, "ready", "ready", self.pods)

    async def kill(self, name: str) -> None:
        self.killed.append(name)

    async def apply(self, objects: list[Object]) -> None: ...

    async def delete(self, kind: str, name: str, grace: int | None = None) -> None: ...

    async def pause(self, seconds: float) -> None:
        self.elapsed += seconds

    async def eventually(self, look: Any, test: Any, *, within: float, **more: Any) -> Observation:
        end = self.elapsed + within
        while not test(seen := await look()) and self.elapsed < end:
            await self.pause(1)
        return Observation(test(seen), "", "", seen)

    def hidden_rows(self, count: int) -> Any:
        return SimpleNamespace(body={})

    @contextlib.asynccontextmanager
    async def load(self, *given: Any, **more: Any) -> AsyncIterator[Any]:
        yield self

    async def get(self, service: str, path: str) -> Any:
        self.asked += 1
        return SimpleNamespace(text=f"a 1\nmodel_load_seconds {self.loading[self.asked % len(self.loading)]}\nb 2")

    async def run_in(self, pod: str, *words: str, container: str) -> Any:
        return SimpleNamespace(lines=self.told.get(f"{pod} {container}", self.told.get(pod, ["8"])))

    def image(self, version: str) -> str:
        return f"server:{version}"

    async def finished(self) -> LoadReport:
        rows = tuple(
            Request(float(at), 0, 10.0, 0, "", "no answer in time")
            if at in self.silent
            else Request(
                float(at), 0, 0.01, 503 if at in self.failed else 200, "v2" if at in self.shadowed else "v1", ""
            )
            for at in range(50)
        )
        return LoadReport(rows, 50, 50, 0, 50.0)


def kill(after: list[list[Object]], failed: Collection[int] = (), silent: Collection[int] = ()) -> Any:
    cluster = Cluster(after, failed, silent)
    found = asyncio.run(loaded("04").kill_under_load(cluster))
    assert cluster.killed == ["old"]
    return found


def test_what_is_left_and_comes_back_in_time_passes() -> None:
    found = kill([[pod("young")], [pod("young"), pod("new", ready=False)], [pod("young"), pod("new")]])
    assert found.lost.ok and found.left.ok and found.healed.ok
    assert found.lost.seen == "0 of 50 failed (0.00 %)"
    assert found.healed.seen.endswith("2 of 2 ready")


def test_what_does_not_come_back_is_said_with_its_states() -> None:
    found = kill([[]])
    assert not found.left.ok and not found.healed.ok
    assert found.healed.expected == "2 ready pods within 40 s of the deletion, as before"
    assert found.healed.seen == "still 0 of 2 ready"
    assert kill([[pod("young")]]).healed.evidence == ("young: ready, Running",)


@pytest.mark.parametrize(
    ("after", "failed", "cause"),
    [
        ([[]], {6}, "ONE_REPLICA"),
        ([[pod("young"), pod("new")]], {1, 2, 3, 6}, "BEFORE"),
        ([[pod("young"), pod("new")]], {6, 7, 20}, "NO_WAIT"),
        ([[pod("young"), pod("new")]], {6, 20, 21}, "TOO_EARLY"),
    ],
)
def test_when_requests_were_lost_tells_why(after: list[list[Object]], failed: set[int], cause: str) -> None:
    found = kill(after, failed)
    assert not found.lost.ok
    assert found.why == getattr(loaded("04"), cause)


@pytest.mark.parametrize(
    ("silent", "failed", "cause"),
    [({1, 2, 30, 40}, {20}, "TOO_SLOW"), ({30}, {20, 21}, "TOO_EARLY"), ({6, 7}, (), "NO_WAIT")],
)
def test_requests_that_waited_in_vain_met_a_pod_that_is_too_slow(
    silent: set[int], failed: set[int], cause: str
) -> None:
    found = kill([[pod("young"), pod("new")]], failed, silent)
    assert not found.lost.ok and found.why == getattr(loaded("04"), cause)


@pytest.mark.parametrize(
    ("spec", "seen"),
    [
        ({"internalTrafficPolicy": "Cluster"}, "Service model leads to pods of all nodes"),
        ({"trafficDistribution": "PreferSameZone"}, "Service model leads to pods of all nodes"),
        ({"externalTrafficPolicy": "Cluster"}, "Service model leads to pods of all nodes"),
        ({"internalTrafficPolicy": "Local"}, "internalTrafficPolicy: Local"),
        ({"externalTrafficPolicy": "Local"}, "externalTrafficPolicy: Local"),
        ({"trafficDistribution": "PreferSameNode"}, "trafficDistribution: PreferSameNode"),
    ],
)
def test_a_service_leads_to_the_pods_of_all_nodes(spec: Object, seen: str) -> None:
    async def service(name: str) -> Object:
        return {"spec": spec}

    lab: Any = SimpleNamespace(objects=SimpleNamespace(service=service))
    assert asyncio.run(loaded("04").leads_anywhere(lab)).seen == seen


def test_the_report_says_when_and_how_requests_were_lost() -> None:
    seen = kill([[pod("young"), pod("new")]], {1, 6, 30}).lost
    assert seen.seen == "3 of 50 failed (6.00 %): 1 before the deletion, 1 in the 3 s after it, 1 later"
    assert seen.evidence == ("3 x status 503", "ready pods: 2 before the deletion, 2 right after it")


BACK = [[pod("young"), pod("new")]]


def test_the_versions_that_answered_under_the_load_are_kept() -> None:
    cluster = Cluster(BACK)
    assert asyncio.run(loaded("04").kill_under_load(cluster)).answered == "v1"
    cluster = Cluster(BACK)
    cluster.shadowed = {7}
    found = asyncio.run(loaded("04").kill_under_load(cluster))
    assert found.lost.ok and found.answered == "v1, v2"


def test_no_pod_that_is_ready_again_may_have_loaded_at_once() -> None:
    cluster = Cluster(BACK)
    cluster.loading = ("8.1", "0.0", "0.2", "9")
    found = asyncio.run(loaded("04").kill_under_load(cluster))
    assert found.loading == 0.2 and cluster.asked == 16
    assert kill([[pod("young")]]).loading is None


@pytest.mark.parametrize(
    ("said", "seen"), [(["8", "8.0"], "it is"), (["0", "8"], "0 in new"), (["none"], "none in new")]
)
def test_the_next_pod_is_told_to_load_as_long(said: list[str], seen: str) -> None:
    cluster = Cluster(BACK)
    cluster.told = {"new": said}
    found = asyncio.run(loaded("04").kill_under_load(cluster)).told
    assert (found.ok, found.seen) == (seen == "it is", seen)


@pytest.mark.parametrize(
    ("first", "helper", "right"),
    [("8", "none", True), ("8", "8", True), ("8", "0", False), ("none", "8", False), ("none", "none", False)],
)
def test_a_helper_of_the_same_image_need_not_know_how_long_to_load(first: str, helper: str, right: bool) -> None:
    cluster = Cluster(BACK)
    cluster.pods = [pod("young")]
    cluster.pods[0]["spec"]["containers"].append({"name": "helper", "image": "server:v1"})
    cluster.told = {"young server": [first], "young helper": [helper]}
    assert asyncio.run(loaded("04").loads_for(cluster)).ok is right


@pytest.mark.parametrize(
    ("environments", "said"),
    [
        ({"1": "A=b\0LOAD=8\0", "7": "LOAD=0\0PATH=/bin"}, ["0", "8"]),
        ({"1": "LOAD=8\0", "9": "LOAD=8\0"}, ["8"]),
        ({"1": "LOADS=8\0", "self": "LOAD=1\0"}, ["none"]),
    ],
)
def test_what_programs_were_started_with_is_read(tmp_path: Path, environments: dict[str, str], said: list[str]) -> None:
    for process, text in environments.items():
        (tmp_path / process).mkdir()
        (tmp_path / process / "environ").write_text(text)
    words = [sys.executable, "-c", loaded("04").TOLD, "LOAD", str(tmp_path)]
    assert subprocess.run(words, check=True, capture_output=True, text=True).stdout.split() == said


def test_a_model_that_loads_is_waited_for() -> None:
    cluster = Cluster(BACK)
    cluster.loading = ("0.0",) * 20 + ("8.25",) * 12
    assert asyncio.run(loaded("04").quickest_load(cluster, 5)) == 8.25
    cluster.loading = ("0.0",)
    assert asyncio.run(loaded("04").quickest_load(cluster, 0)) == 0
