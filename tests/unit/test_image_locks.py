"""Several commands that bring images at once: each waits for what it needs itself and for nothing else.

Commands are threads here. The kernel's locks belong to an opened file, so two threads meet as two processes do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.base.locking import in_turn
from mlops_lab.base.progress import Progress
from mlops_lab.cluster import up as cluster_up
from mlops_lab.engine.docker import Docker
from mlops_lab.images import build
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.store import Store
from mlops_lab.images.work import Work
from mlops_lab.labs import images as of_labs

SOON = 10.0  # s that something may take which does not wait for a build


class Kitchen:
    """A catalog of folder steps; those that are called slow go on until they are let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[str] = []
        self.running = self.most = 0
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(4)
        monkeypatch.setattr(build, "sources", self.sources)
        monkeypatch.setattr(build, "not_pulled", lambda mirror="": "no answer")

    def sources(self, mode: build.Mode, arch: str, mirror: str = "", offline: bool = False) -> Sources:
        names = ("quick", "other", "slow", "slow-heavy", "other-heavy")
        return Sources({name: Image(name, lambda _, name=name: self.step(name)) for name in names}, mode, arch)

    def step(self, name: str, fails: bool = False) -> Step:
        def make(work: Work) -> None:
            with self._lock:
                self.running += 1
                self.most = max(self.most, self.running)
            if name.startswith("slow"):
                self.begun.set()
                while not self.go_on.wait(0.05):
                    if work._stop.is_set():
                        break
            with self._lock:
                self.running -= 1
            if fails:
                raise LabError(f"{name} failed", "try again")
            (work.out / "result").write_text(name)
            self.made.append(name)

        return Step(name, make, (name,), heavy=name.endswith("heavy"))

    def bring(self, *names: str) -> Future[dict[str, Step]]:
        """A command in a thread; like `lab up` it has a step beside the images."""
        also = (lambda _: self.step("quick"),)
        return self._pool.submit(build.bring, list(names), "auto", engine(), Progress(), "", also)

    def run(self, step: Step) -> Future[None]:
        return self._pool.submit(build.run_steps, [step], engine(), Store(), Progress())

    def close(self) -> None:
        self.go_on.set()
        self._pool.shutdown()


def engine() -> Docker:
    return Docker({"ServerVersion": "28", "Architecture": "x86_64"})


@pytest.fixture
def kitchen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kitchen]:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    made = Kitchen(monkeypatch)
    yield made
    made.close()


def test_a_command_that_lacks_nothing_does_not_wait_for_a_build(kitchen: Kitchen) -> None:
    kitchen.bring("quick").result(SOON)
    building = kitchen.bring("slow")
    assert kitchen.begun.wait(SOON)
    assert set(kitchen.bring("quick").result(SOON)) == {"quick"}
    assert not building.done()


def test_a_lab_without_images_asks_nobody(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    kitchen.bring("slow")
    assert kitchen.begun.wait(SOON)
    monkeypatch.setattr(of_labs.start, "ensure", lambda say: pytest.fail("the engine was asked"))
    kitchen._pool.submit(of_labs.bring, []).result(SOON)


def test_two_parts_are_built_at_the_same_time(kitchen: Kitchen) -> None:
    building = kitchen.bring("slow")
    assert kitchen.begun.wait(SOON)
    kitchen.bring("other").result(SOON)
    assert "other" in kitchen.made and not building.done()


def test_one_step_wanted_twice_is_made_once_and_both_have_it(
    kitchen: Kitchen, capfd: pytest.CaptureFixture[str]
) -> None:
    first = kitchen.bring("slow")
    assert kitchen.begun.wait(SOON)
    second = kitchen.bring("slow", "other")
    end = time.monotonic() + SOON
    while "other" not in kitchen.made and time.monotonic() < end:
        time.sleep(0.01)
    assert "other" in kitchen.made and not second.done()
    kitchen.go_on.set()
    assert first.result(SOON)["slow"].key == second.result(SOON)["slow"].key
    assert sorted(kitchen.made) == ["other", "quick", "slow"]
    assert "another `lab` command is using slow: `lab" in capfd.readouterr().err


def test_what_one_command_could_not_make_the_waiting_one_makes(kitchen: Kitchen) -> None:
    first = kitchen.run(kitchen.step("slow", fails=True))
    assert kitchen.begun.wait(SOON)
    second = kitchen.run(kitchen.step("slow"))
    kitchen.go_on.set()
    with pytest.raises(LabError, match="slow failed"):
        first.result(SOON)
    second.result(SOON)
    assert kitchen.made == ["slow"]


def test_steps_that_take_all_cores_run_one_at_a_time_in_all_commands(kitchen: Kitchen) -> None:
    kitchen.run(kitchen.step("slow-heavy"))
    assert kitchen.begun.wait(SOON)
    second = kitchen.run(kitchen.step("other-heavy"))
    kitchen.run(kitchen.step("other")).result(SOON)
    assert not second.done() and "other-heavy" not in kitchen.made
    kitchen.most = 0
    kitchen.go_on.set()
    second.result(SOON)
    assert kitchen.most <= 1


def test_a_command_that_waits_for_another_ends_when_a_step_of_its_own_fails(kitchen: Kitchen) -> None:
    kitchen.run(kitchen.step("slow"))
    assert kitchen.begun.wait(SOON)
    both = [kitchen.step("slow"), kitchen.step("other", fails=True)]
    begin = time.monotonic()
    with pytest.raises(LabError, match="other failed"):
        build.run_steps(both, engine(), Store(), Progress())
    assert time.monotonic() - begin < SOON


def test_a_wait_that_was_ended_does_not_pass_for_the_lock(tmp_path: Path) -> None:
    heard: list[str] = []
    with in_turn(tmp_path / "lock", "it", heard.append, threading.Event()) as first:
        stop = threading.Event()
        threading.Timer(0.3, stop.set).start()
        with in_turn(tmp_path / "lock", "it", heard.append, stop) as second:
            assert (first, second) == (True, False)
    assert len(heard) == 1
    assert heard[0].startswith("another `lab` command is using it: `lab") and heard[0].endswith("until it ends")


def test_the_cache_is_not_cleared_under_a_build(kitchen: Kitchen) -> None:
    kitchen.bring("slow")
    assert kitchen.begun.wait(SOON)
    cleared = threading.Event()

    def clear() -> None:
        with Store().cleared(lambda text: None):
            assert "slow" in kitchen.made
            cleared.set()

    clearing = kitchen._pool.submit(clear)
    assert not cleared.wait(0.5)
    kitchen.bring("other").result(SOON)  # whoever waits to clear it keeps nobody else waiting
    kitchen.go_on.set()
    clearing.result(SOON)


def test_a_build_waits_until_the_cache_is_cleared(kitchen: Kitchen) -> None:
    with Store().cleared(lambda text: None):
        waiting = kitchen.bring("other")
        time.sleep(0.5)
        assert kitchen.made == []
    waiting.result(SOON)


def test_the_cluster_is_free_for_others_while_its_images_are_built(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Enough(Exception):
        pass

    def bring(*_: object) -> dict[str, Step]:
        with cluster_up.exclusive(Progress(), wait=False):
            raise Enough

    monkeypatch.setattr(cluster_up, "bring", bring)
    monkeypatch.setattr(cluster_up.start, "ensure", lambda say: engine())
    monkeypatch.setattr(cluster_up.kind, "nodes", lambda docker: [])
    monkeypatch.setattr(cluster_up.kind, "remove", lambda docker: None)
    monkeypatch.setattr(cluster_up.health, "require", lambda docker, size: None)
    monkeypatch.setattr(cluster_up.kind_program, "on_path", lambda: Path("kind"))
    with pytest.raises(Enough):
        cluster_up.up(None, "auto", Progress())
