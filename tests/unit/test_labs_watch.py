"""`lab watch`: what runs again after a change, when load starts, and that its own changes do not start it again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks.check import Check
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import NotFound, Unreachable
from mlops_lab.labs.rows import Row
from mlops_lab.learner import changes as changes_module
from mlops_lab.learner import watch as watch_module
from mlops_lab.learner.changes import Change, Changes
from mlops_lab.learner.watch import Watch


class World:
    """What checks look at, and what they did."""

    def __init__(self) -> None:
        self.ready = False
        self.runs: list[str] = []
        self.fingerprint = "one"
        self.loads_make = ""
        self.load_seconds = 0.0
        self.runs_program = False
        self.whole: list[list[Result]] = []
        self.holder = ""
        self.held = 0
        self.shown: list[str] = []
        self.watch: Watch

        async def quick(lab: Any) -> None:
            self.runs.append("quick")
            if not self.ready:
                raise Failure("ready", "not ready", "because")

        async def load(lab: Any) -> None:
            self.runs.append("load")
            self.fingerprint += self.loads_make
            self.watch.notify(Change("Pod a"))  # load makes pods come and go
            await asyncio.sleep(self.load_seconds)
            self.runs.append("load done")

        self.quick = Check("quick", "Quick.", quick, 1)
        self.load = Check("load", "Load.", load, 2, (self.quick,), owns="model")
        self.only_load = Check("load", "Load.", load, 2, owns="model")

    def changed(self, rows: Sequence[Row], note: str) -> None:
        self.shown.append(note)

    @contextlib.contextmanager
    def hold(self) -> Iterator[str]:
        self.held += not self.holder
        try:
            yield self.holder
        finally:
            self.held -= not self.holder

    async def until(self, condition: Any, within: float = 5.0) -> None:
        end = time.monotonic() + within
        while not condition():
            assert time.monotonic() < end, (self.runs, self.shown[-3:])
            await asyncio.sleep(0.005)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(watch_module, "_SETTLE", 0.02)
    monkeypatch.setattr(watch_module, "_SETTLE_AT_MOST", 0.1)
    monkeypatch.setattr(watch_module, "_QUIET", 0.2)
    monkeypatch.setattr(watch_module, "_AFTERMATH", 0.05)
    return World()


@contextlib.asynccontextmanager
async def watched(world: World, checks: Sequence[Check]) -> Any:
    world.watch = Watch(
        checks,
        lambda: cast(Any, SimpleNamespace(end=AsyncMock(), work=SimpleNamespace(runs_program=world.runs_program))),
        list,
        lambda: world.fingerprint,
        world,
        world.whole.append,
        world.hold,
    )
    task = asyncio.create_task(world.watch.follow())
    try:
        yield world.watch
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_a_change_runs_the_quick_checks_again_and_load_follows_once_they_pass(world: World) -> None:
    async def story() -> None:
        async with watched(world, [world.quick, world.load]) as watch:
            await world.until(lambda: "waiting for a change" in world.shown)
            assert world.runs == ["quick"]
            assert [each.verdict for each in watch.results()] == [Verdict.FAIL, Verdict.WAITING]
            world.ready = True
            began = time.monotonic()
            watch.notify(Change("Deployment model"))
            await world.until(lambda: "load" in world.runs)
            assert time.monotonic() - began >= 0.2
            await world.until(lambda: world.whole)
            assert [each.verdict for each in watch.results()] == [Verdict.PASS, Verdict.PASS]
            # Its own pods made the quick checks run again, but not the load.
            await world.until(lambda: world.runs[-1] == "quick")
            await asyncio.sleep(0.5)
            assert world.runs.count("load") == 1

    asyncio.run(story())


def test_a_round_waits_for_another_command_on_the_lab_and_holds_it_no_longer_than_it_takes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "_ASK_EVERY", 0.02)

    async def story() -> None:
        world.ready, world.load_seconds, world.holder = True, 0.2, "`lab check 10`"
        async with watched(world, [world.quick, world.load]) as watch:
            await world.until(lambda: "waiting until `lab check 10` has done its work on this lab" in world.shown)
            watch.notify(Change("Pod a"))  # what the other's work changes
            await asyncio.sleep(0.3)
            assert world.runs == []
            world.holder = ""
            await world.until(lambda: "load" in world.runs)
            assert world.held == 1
            await world.until(lambda: world.whole)
            await world.until(lambda: world.shown[-1] == "waiting for a change")
            assert world.held == 0

    asyncio.run(story())


def test_what_a_load_changes_itself_does_not_start_it_again_but_the_learners_change_does(world: World) -> None:
    async def story() -> None:
        world.ready, world.loads_make = True, "+"
        async with watched(world, [world.quick, world.load]) as watch:
            await world.until(lambda: world.whole)
            await asyncio.sleep(0.5)
            assert world.runs.count("load") == 1
            world.fingerprint = "the learner's"
            watch.notify(Change("Deployment model"))
            await world.until(lambda: world.runs.count("load") == 2)

    asyncio.run(story())


def test_a_file_ends_a_running_load_and_enter_starts_everything_again(world: World) -> None:
    async def story() -> None:
        world.ready, world.load_seconds = True, 60
        async with watched(world, [world.quick, world.load]) as watch:
            await world.until(lambda: "load" in world.runs)
            world.load_seconds = 0.1  # of the next one
            watch.notify(Change("file model.yaml", is_file=True))
            await world.until(lambda: world.runs.count("load") == 2)
            assert "load done" not in world.runs
            await world.until(lambda: world.whole)
            watch.again()
            await world.until(lambda: len(world.whole) == 2)
            assert world.runs.count("load done") == 2

    asyncio.run(story())


def test_what_the_learner_applies_ends_a_running_load(world: World) -> None:
    async def story() -> None:
        world.ready, world.load_seconds = True, 60
        async with watched(world, [world.quick, world.load]) as watch:
            await world.until(lambda: "load" in world.runs)
            world.load_seconds = 0.1  # of the next one
            world.shown.clear()
            watch.notify(Change("Deployment model", by_hand=True))
            await world.until(lambda: "checking" in world.shown)
            assert world.shown[0] == "Deployment model changed"
            await world.until(lambda: world.whole)
            assert world.runs.count("load") == 2 and world.runs.count("load done") == 1

    asyncio.run(story())


def test_what_a_program_changes_that_a_check_runs_does_not_end_its_load(world: World) -> None:
    async def story() -> None:
        world.ready, world.load_seconds, world.runs_program = True, 1.0, True
        async with watched(world, [world.quick, world.load]) as watch:
            await world.until(lambda: "load" in world.runs)
            watch.notify(Change("Deployment model", by_hand=True))
            await world.until(lambda: world.whole)
            assert world.runs.count("load") == world.runs.count("load done") == 1

    asyncio.run(story())


def test_a_change_right_after_a_load_is_not_taken_for_the_loads_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "_AFTERMATH", 2.0)

    async def story() -> None:
        world.ready = True
        async with watched(world, [world.quick, world.load]) as watch:
            await world.until(lambda: "load done" in world.runs)
            world.fingerprint = "the learner's"
            watch.notify(Change("Deployment model", by_hand=True))
            await world.until(lambda: world.runs.count("load done") == 2, within=1.5)
            await world.until(lambda: len(world.whole) == 1)

    asyncio.run(story())


def test_without_quick_checks_load_begins_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "_QUIET", 60.0)

    async def story() -> None:
        async with watched(world, [world.only_load]) as watch:
            await world.until(lambda: world.whole)
            world.fingerprint = "the learner's"
            world.shown.clear()
            watch.notify(Change("Deployment model", by_hand=True))
            await world.until(lambda: "checking" in world.shown)
            await world.until(lambda: len(world.whole) == 2)

    asyncio.run(story())


def test_enter_runs_loads_that_need_no_failing_check_and_blocks_the_others(world: World) -> None:
    other = Check("other", "Other.", world.only_load.run, 3, owns="model")

    async def story() -> None:
        async with watched(world, [world.quick, world.load, other]) as watch:
            await world.until(lambda: "waiting for a change" in world.shown)
            assert world.runs == ["quick"]
            watch.again()
            await world.until(lambda: world.whole)
            assert [each.verdict for each in world.whole[0]] == [Verdict.FAIL, Verdict.BLOCKED, Verdict.PASS]
            await asyncio.sleep(0.4)
            assert world.runs.count("load") == 1, "once"
            world.ready = True
            watch.notify(Change("Pod a"))  # it gets ready
            await world.until(lambda: world.runs.count("load") == 3)
            await world.until(lambda: len(world.whole) == 2)
            assert {each.verdict for each in world.whole[1]} == {Verdict.PASS}

    asyncio.run(story())


def test_enter_counts_also_while_another_command_has_the_lab(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "_ASK_EVERY", 0.02)

    async def story() -> None:
        async with watched(world, [world.quick, world.only_load]) as watch:
            await world.until(lambda: "waiting for a change" in world.shown)
            world.holder = "`lab check 10`"
            watch.again()
            await world.until(lambda: "waiting until `lab check 10` has done its work on this lab" in world.shown)
            watch.notify(Change("Pod a"))  # what the other's work changes
            await asyncio.sleep(0.2)
            world.holder = ""
            await world.until(lambda: world.whole)
            assert world.runs.count("load done") == 1

    asyncio.run(story())


def starved_at_first(tries: int) -> tuple[list[float], Check]:
    """A load that ends in errors so many times; and when it began each time."""
    began: list[float] = []

    async def load(lab: Any) -> None:
        began.append(time.monotonic())
        if len(began) <= tries:
            raise LabError("the machine could give 30 % of the CPU", "end what uses it")

    return began, Check("load", "Load.", load, 2, owns="model")


@pytest.mark.parametrize("more", [["quick"], []], ids=["beside a quick check", "alone"])
def test_a_load_that_ends_in_an_error_is_tried_again_by_itself_and_quick_checks_are_not(
    world: World, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    monkeypatch.setattr(watch_module, "_TROUBLE_EVERY", 0.05)
    monkeypatch.setattr(watch_module, "_LOAD_AGAIN", 0.6)
    began, load = starved_at_first(2)

    async def story() -> None:
        world.ready = True
        quick = [world.quick] if more else []
        async with watched(world, [*quick, load]) as watch:
            await world.until(lambda: watch.results()[-1].verdict is Verdict.PASS)
            await asyncio.sleep(0.3)
            assert len(began) == 3
            assert min(after - before for before, after in itertools.pairwise(began)) > 0.5
            assert world.runs == more
            assert [each[-1].verdict for each in world.whole] == [Verdict.ERROR, Verdict.PASS]

    asyncio.run(story())


def test_after_a_load_in_error_the_learners_change_does_not_wait_for_the_next_try(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, load = starved_at_first(1)

    async def story() -> None:
        async with watched(world, [load]) as watch:
            await world.until(lambda: world.whole)
            watch.notify(Change("file model.yaml", is_file=True))
            await world.until(lambda: len(world.whole) == 2)

    asyncio.run(story())


def test_trouble_with_the_environment_is_looked_at_again_by_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "_TROUBLE_EVERY", 0.05)
    attempts: list[int] = []

    async def away_at_first(lab: Any) -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise LabError("Prometheus does not answer", "wait")

    async def story() -> None:
        async with watched(world, [Check("looks", "Looks.", away_at_first, 1)]) as watch:
            await world.until(lambda: watch.results()[0].verdict is Verdict.PASS)
            await asyncio.sleep(0.2)
            assert len(attempts) == 3

    asyncio.run(story())


def test_of_rounds_that_only_try_errors_again_none_counts_that_has_errors_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "_TROUBLE_EVERY", 0.05)
    away = [True]

    async def looks(lab: Any) -> None:
        world.runs.append("looks")
        if away[0]:
            raise LabError("Prometheus does not answer", "wait")

    async def more(times: int) -> None:
        wanted = len(world.runs) + times
        await world.until(lambda: len(world.runs) >= wanted)

    async def story() -> None:
        async with watched(world, [Check("looks", "Looks.", looks, 1)]) as watch:
            await more(4)
            assert len(world.whole) == 1
            watch.notify(Change("Pod a"))
            await world.until(lambda: len(world.whole) == 2)
            watch.again()
            await world.until(lambda: len(world.whole) == 3)
            await more(4)
            assert len(world.whole) == 3
            away[0] = False
            await world.until(lambda: len(world.whole) == 4)
            assert [each[0].verdict for each in world.whole] == [Verdict.ERROR] * 3 + [Verdict.PASS]

    asyncio.run(story())


def test_a_stream_of_changes_does_not_keep_checks_from_running(world: World) -> None:
    async def story() -> None:
        async with watched(world, [world.quick]) as watch:
            began, passed = time.monotonic(), 0.0
            while passed < 0.6 or world.runs.count("quick") < 2:
                watch.notify(Change("Pod a"))
                await asyncio.sleep(0.005)
                passed = time.monotonic() - began
                assert passed < 20
            assert world.runs.count("quick") <= 40 * passed / 0.6
            await world.until(lambda: world.whole)

    asyncio.run(story())


def test_a_check_that_waits_is_begun_anew_when_something_changes(world: World) -> None:
    began: list[float] = []

    async def waits(lab: Any) -> None:
        began.append(time.monotonic())
        await asyncio.sleep(60)

    async def story() -> None:
        async with watched(world, [Check("waits", "Waits.", waits, 1)]) as watch:
            await world.until(lambda: len(began) == 1)
            watch.notify(Change("Pod a"))
            await world.until(lambda: len(began) == 2)

    asyncio.run(story())


class WatchedKube:
    """Yields what is put in by hand."""

    def __init__(self) -> None:
        self.events: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        self.watches = 0
        self.down = 0

    def watch(
        self, kind: str, namespace: str, *, within: float, stop: threading.Event
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        if kind == "Job":
            raise NotFound("no such kind", "")
        self.watches += 1
        if self.down:
            self.down -= 1
            raise Unreachable("away", "")
        sent = 0
        while not stop.is_set():
            for event in self.events.get(kind, [])[sent:]:
                sent += 1
                yield event
            time.sleep(0.01)


def thing(version: str, replicas: int = 1, image: str = "v1") -> dict[str, Any]:
    return {
        "metadata": {"name": "model", "resourceVersion": version},
        "spec": {"replicas": replicas, "template": {"image": image}},
    }


def written(manager: str, at: str, subresource: str = "") -> dict[str, str]:
    return {"manager": manager, "time": f"2026-01-01T00:00:{at}Z", "subresource": subresource}


@pytest.mark.parametrize(
    ("entries", "by_hand"),
    [
        ([written("kubectl-client-side-apply", "02"), written("mlops-lab", "01")], True),
        ([written("kubectl-set", "01"), written("mlops-lab", "02")], False),
        ([written("kubectl-set", "02"), written("mlops-lab", "02")], False),
        ([written("kubectl", "01"), written("kube-controller-manager", "02", "status")], True),
        ([written("helm", "01")], True),
        ([written("OpenAPI-Generator", "01")], False),
        ([], False),
    ],
)
def test_a_change_by_hand_is_a_new_specification_written_last_by_a_persons_program(
    entries: list[dict[str, str]], by_hand: bool, tmp_path: Path
) -> None:
    kube, seen = WatchedKube(), list[Change]()
    changes = Changes(cast(Kube, kube), "lab-10", tmp_path, seen.append)
    changes.start()
    try:
        first, second, third = thing("1"), thing("2", image="v2"), thing("3", image="v2")
        for item in (first, second, third):
            item["metadata"]["managedFields"] = entries
        kube.events["Deployment"] = [("ADDED", first)]
        eventually(lambda: len(seen) == 1)
        kube.events["Deployment"] += [("MODIFIED", second), ("MODIFIED", third), ("DELETED", third)]
        eventually(lambda: len(seen) == 4)
        assert [each.by_hand for each in seen] == [by_hand, by_hand, False, False]
    finally:
        changes.stop()


def node(version: str, manager: str = "", taint: str = "", **spec: Any) -> dict[str, Any]:
    taints = [{"key": taint, "effect": "NoSchedule"}] if taint else []
    meta = {"name": "worker", "resourceVersion": version, "labels": {"pool": "a"}}
    return {
        "metadata": {**meta, "managedFields": [{"manager": manager, "time": version}]},
        "spec": {"podCIDR": version, "taints": taints, **spec},
    }


def test_nodes_are_followed_where_they_are_the_learners(tmp_path: Path) -> None:
    kube, seen = WatchedKube(), list[Change]()
    changes = Changes(cast(Kube, kube), "lab-24", tmp_path, seen.append, nodes=True)
    changes.start()
    try:
        kube.events["Node"] = [("ADDED", node("1", "kubelet"))]
        eventually(lambda: len(seen) == 1)
        before = changes.fingerprint()
        kube.events["Node"].append(("MODIFIED", node("2", "kube-controller-manager", "node.kubernetes.io/not-ready")))
        eventually(lambda: len(seen) == 2)
        assert changes.fingerprint() == before, "that is its life cycle's"
        kube.events["Node"].append(("MODIFIED", node("3", "kubectl-cordon", unschedulable=True)))
        eventually(lambda: len(seen) == 3)
        assert changes.fingerprint() != before
        kube.events["Node"].append(("MODIFIED", node("4", "kubectl-taint", "maintenance")))
        eventually(lambda: len(seen) == 4)
        assert changes.fingerprint() != before
        assert [each.by_hand for each in seen] == [False, False, True, True]
        assert {each.what for each in seen} == {"Node worker"}
    finally:
        changes.stop()


def eventually(condition: Any, within: float = 5.0) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_changes_come_from_objects_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_lab.learner.changes._LOOK_EVERY", 0.02)
    monkeypatch.setattr("mlops_lab.learner.changes._AGAIN_AFTER", 0.02)
    kube, seen = WatchedKube(), list[str]()
    kube.down = 2  # the first watches fail: they are begun again
    (tmp_path / "model.yaml").write_text("a")
    changes = Changes(cast(Kube, kube), "lab-10", tmp_path, lambda change: seen.append(change.what))
    changes.start()
    try:
        kube.events["Deployment"] = [("ADDED", thing("1"))]
        eventually(lambda: "Deployment model" in seen)
        before = changes.fingerprint()
        kube.events["Deployment"] += [("ADDED", thing("1")), ("MODIFIED", thing("2", replicas=3))]
        eventually(lambda: seen.count("Deployment model") == 2)  # the same version again is no news
        assert changes.fingerprint() == before  # an autoscaler did that
        kube.events["Deployment"].append(("MODIFIED", thing("3", image="v2")))
        eventually(lambda: changes.fingerprint() != before)
        kube.events["Deployment"].append(("DELETED", thing("4")))
        eventually(lambda: seen.count("Deployment model") == 4)
        (tmp_path / ".lab").mkdir()
        (tmp_path / ".lab/kubeconfig").write_text("b")
        (tmp_path / "model.yaml").write_text("b")
        os.utime(tmp_path / "model.yaml", (1, 1))
        eventually(lambda: "file model.yaml" in seen)
        (tmp_path / "new.yaml").write_text("c")
        eventually(lambda: "file new.yaml" in seen)
        assert not any("kubeconfig" in what for what in seen)
    finally:
        changes.stop()


def test_a_folder_that_goes_while_it_is_looked_at_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = set("abz")
    for name in others:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.yaml").write_text("a: 1")
    scandir = os.scandir

    def seen(path: Any = ".") -> Any:
        if not isinstance(path, int) and Path(path) != tmp_path:  # the first of them; rmtree looks by numbers
            others.difference_update([Path(path).name])
            while others:
                shutil.rmtree(tmp_path / others.pop())
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", seen)
        assert len(changes_module._files(tmp_path)) == 1
    assert changes_module._files(tmp_path / "gone") == {}


def test_a_virtual_environment_and_hidden_folders_are_not_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".git/x", ".hidden", "venv/pyvenv.cfg", "venv/lib/y.py", "a/__pycache__/z.pyc", "a/b/train.py", "top"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "linked").symlink_to("top")
    scandir, entered = os.scandir, list[str]()

    def seen(path: Any = ".") -> Any:
        entered.append(os.path.relpath(path, tmp_path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", seen)
    assert sorted(changes_module._files(tmp_path)) == ["a/b/train.py", "linked", "top"]
    assert sorted(entered) == [".", "a", "a/b"]
