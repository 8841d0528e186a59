"""A machine that is starved of CPU is seen by who uses it and who waits; what the learner burns on purpose is his."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.checks import Check, Observation, Verdict, at_most, current, equal_to, expect, observe
from mlops_lab.checks.rooms.time import Time
from mlops_lab.checks.rooms.work import Work
from mlops_lab.checks.run import run_checks
from mlops_lab.kube.errors import Refused
from mlops_lab.measure.cluster import starvation
from mlops_lab.measure.cluster.node_cpu import Used, spent, used
from mlops_lab.measure.cluster.pulse import Machine, Program, Pulse
from mlops_lab.measure.cluster.starvation import Beat, Starvation, given

CORES = 2


def share(threads: float, busy: float, *, ours: float = 0.0, aside: float = 0.0, got: float = 0.0) -> float:
    """What a machine of two cores could give in a minute; all but the threads and the share that was got in cores."""
    first = Beat(0, 0, 0, 0, 0, 0)
    return given(first, Beat(60, threads * 60, busy * 60, aside * 60, 1, got), CORES, ours * 60)


@pytest.mark.parametrize(
    ("what", "seen", "least", "most"),
    [
        ("twenty programs", share(21, 2, ours=0.1, got=0.14), 0.13, 0.15),
        ("twenty programs, and pods that want all", share(30, 2, ours=0.6), 0.09, 0.11),
        ("three programs", share(3.2, 2, ours=0.1, got=0.3), 0.6, 0.7),
        ("one program beside a load", share(3, 2, ours=1.0), 1, 1),
        ("nothing else", share(1.4, 0.5, ours=0.3), 1, 1),
        ("a hundred threads of the learner's pods", share(101, 2, ours=1.7, got=0.02), 1, 1),
        ("and a program that does little beside them", share(101, 2, ours=1.2, got=0.02), 1, 1),
        ("two programs beside threads of the learner's pods", share(4, 2, ours=0.95, got=0.4), 0.9, 1),
        ("twenty niced programs", share(20.7, 2, aside=1.6, got=0.83), 1, 1),
        ("twenty niced programs beside one that is not", share(21.7, 2, aside=0.2, got=0.8), 0.8, 0.8),
        ("nothing measured", given(Beat(0, 0, 0, 0, 0, 0), Beat(0, 9, 9, 0, 1, 0), 2, 0), 1, 1),
    ],
)
def test_the_share_that_a_machine_could_give(what: str, seen: float, least: float, most: float) -> None:
    assert least <= seen <= most, what


class Host:
    """A machine of two cores, as a test wants it; time passes as `pass_` says."""

    cores, boot, counts = CORES, "this", True

    def __init__(self) -> None:
        self.now = 1000.0
        self.threads, self.busy, self.before, self.other = 1.0, 0.0, 0.0, "that"
        self.nodes = {"one": Used(0.0, 0.0, 0.0), "far": Used(0.0, 0.0, 0.0)}
        self.refused: Exception | None = None

    def pulse(self) -> Pulse:
        return Pulse(self.threads, self.busy, 0.0, 0.005, 0.005 * min(1.0, CORES / self.threads))

    def programs(self, known: Any = None) -> dict[Program, float]:
        return {(7, 7): self.before}

    def list(self, kind: str) -> list[Any]:
        boots = {"one": self.boot, "far": self.other}
        return [
            {"metadata": {"name": name}, "status": {"nodeInfo": {"bootID": boots[name]}, "capacity": {"cpu": "2"}}}
            for name in self.nodes
        ]

    def used(self, kube: Any, node: str, lab: str) -> Used:
        if self.refused:
            raise self.refused
        return self.nodes[node]._replace(at=self.now + 9e8)

    def pass_(
        self, watch: Starvation, seconds: float, *, threads: float, others: float = 0.0, ours: float = 0.0,
        before: float | None = None, far: float = 0.0, far_ours: float = 0.0,
    ) -> None:  # fmt: skip
        """Let time pass: cores that others use, that pods of the lab use, that programs use that were there before."""
        self.threads = threads
        for second in range(int(seconds)):
            self.now += 1
            self.busy += others + ours
            self.before += others if before is None else before
            one, two = self.nodes["one"], self.nodes["far"]
            self.nodes["one"] = one._replace(node=one.node + ours, pods=one.pods + ours)
            self.nodes["far"] = two._replace(node=two.node + far, pods=two.pods + far_ours, hosts=True)
            watch.beat()
            if second % 10 == 9:
                watch.read()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host()

    def sleep(seconds: float) -> None:
        made.now += seconds

    monkeypatch.setattr(
        starvation, "time", SimpleNamespace(monotonic=lambda: made.now, time=lambda: made.now + 9e8, sleep=sleep)
    )
    monkeypatch.setattr(starvation, "used", made.used)
    return made


def watching(host: Host) -> Starvation:
    made = Starvation(cast(Any, host), "lab-12", cast(Any, host))
    made._before = host.programs()
    made.beat()
    made.read()
    return made


def said(host: Host, watch: Starvation, seconds: float = 60, *, programs: bool = False) -> str:
    return watch.why([(host.now - seconds, host.now)], programs=programs)


def test_a_machine_with_twenty_other_programs_says_what_it_could_give(host: Host) -> None:
    watch = watching(host)
    host.pass_(watch, 60, threads=1, ours=0.3)
    host.pass_(watch, 60, threads=21, others=1.8, ours=0.2)
    assert said(host, watch) == (
        "the machine could give 11 % of the CPU asked for while this was measured (limit 50 %): close other programs "
        "and check again"
    )
    assert said(host, watch, programs=True)  # these programs were there before
    host.pass_(watch, 60, threads=1, ours=0.3)
    assert not said(host, watch)  # it counts what was while this was measured
    assert watch.why([(host.now - 130, host.now - 61), (host.now - 10, host.now)], programs=False)


@pytest.mark.parametrize("threads", [4, 20, 500])
def test_what_the_labs_own_pods_burn_is_no_way_out(host: Host, threads: int) -> None:
    watch = watching(host)
    host.pass_(watch, 20, threads=1)
    host.pass_(watch, 60, threads=threads, others=0.3, ours=1.7)
    assert not said(host, watch)
    assert not said(host, watch, seconds=20)  # a part of it, between the kubelet's measurements
    assert not said(host, watch, seconds=25)


def test_what_pods_use_before_and_after_is_not_taken_from_what_others_use_meanwhile(host: Host) -> None:
    watch = watching(host)
    host.pass_(watch, 55, threads=32, others=1.32, ours=0.65)
    at = host.now - 20
    host.pass_(watch, 15, threads=32, others=1.32, ours=0.65)
    assert "could give 9 %" in watch.why([(at, at + 10)], programs=False)


@pytest.mark.parametrize("others", [0.0, 0.4])
def test_pods_of_the_lab_that_burn_for_a_moment_alone_are_no_way_out(host: Host, others: float) -> None:
    watch = watching(host)
    host.pass_(watch, 20, threads=3, others=others, ours=0.1)
    host.pass_(watch, 10, threads=50, others=0.0, ours=2.0)
    host.pass_(watch, 20, threads=3, others=others, ours=0.1)
    assert not watch.why([(host.now - 30, host.now - 20)], programs=False)


def test_what_programs_of_the_learners_burn_on_this_machine_is_no_way_out(host: Host) -> None:
    watch = watching(host)
    host.pass_(watch, 20, threads=1)
    host.pass_(watch, 60, threads=40, others=1.9, before=0.1)
    assert not said(host, watch, programs=True)
    assert said(host, watch)


def test_pods_of_other_labs_are_others() -> None:
    before, after = Used(0, 5, 4, {"a": 2.0}), Used(60, 130, 128, {"a": 42.0, "new": 20.0})
    assert spent([(before, after)]) == (60, 125, 64, 60)


def test_pods_of_other_labs_are_others_also_when_they_have_ended(host: Host) -> None:
    watch = watching(host)
    for burnt in range(18, 109, 18):
        host.nodes["one"] = host.nodes["one"]._replace(strange={"job": float(burnt)})
        host.pass_(watch, 10, threads=21, ours=2.0)
    assert "could give 11 %" in said(host, watch)
    host.nodes["one"] = host.nodes["one"]._replace(strange={})
    assert "could give 11 %" in said(host, watch)
    assert "could give 11 %" in said(host, watch, programs=True)  # they are no programs of the learner's


def test_another_machine_is_judged_by_its_kubelets(host: Host) -> None:
    watch = watching(host)
    host.pass_(watch, 60, threads=1, far=1.95, far_ours=0.2)
    assert "could give 14 %" in said(host, watch)
    host.pass_(watch, 60, threads=1, far=1.95, far_ours=1.5)
    assert not said(host, watch)
    host.pass_(watch, 60, threads=1, far=1.2, far_ours=0.1)  # it has CPU left
    assert not said(host, watch)


def test_who_may_not_ask_the_kubelets_blames_nobody_and_silent_ones_are_trouble(host: Host) -> None:
    watch = watching(host)
    host.pass_(watch, 60, threads=21, others=1.8, ours=0.2)
    host.refused = Refused("nodes/proxy is forbidden", "", 403)
    assert not said(host, watch)
    host.refused = Refused("the kubelet does not answer", "", 500)
    with pytest.raises(LabError, match="does not answer"):
        said(host, watch)
    assert not watch.why([(host.now - 1000, host.now - 999.5)], programs=False)


def test_what_was_used_before_the_first_figure_of_the_kubelet_counts_for_nobody(host: Host) -> None:
    watch = Starvation(cast(Any, host), "lab-12", cast(Any, host))
    watch.beat()
    host.pass_(watch, 9, threads=100, ours=2)  # no reading yet
    host.pass_(watch, 30, threads=100, ours=2)
    assert not said(host, watch, 39)


def test_threads_and_core_seconds_are_read_from_the_kernels_files(tmp_path: Path) -> None:
    (tmp_path / "loadavg").write_text("7.38 5.05 2.80 22/183 18694\n")
    (tmp_path / "stat").write_text("cpu  87940 23180 32559 17466 612 0 401 593 0 0\ncpu0 1 2\n")
    ticks = os.sysconf("SC_CLK_TCK")
    machine = Machine(tmp_path)
    seen = machine.pulse()
    assert machine.counts and machine.boot == ""
    assert (seen.wanting, seen.busy) == (21, (87940 + 23180 + 32559 + 401 + 593) / ticks)
    assert seen.aside >= 23180 / ticks
    assert seen.used > 0 and seen.took > 0


def test_programs_at_work_are_those_that_are_not_niced_contained_or_an_engine(tmp_path: Path) -> None:
    def program(number: int, name: str, *, nice: int = 0, cgroup: str = "0::/user.slice", start: int = 5) -> None:
        fields = ["S", *["0"] * 10, "300", "100", "0", "0", "20", str(nice), "1", "0", str(start)]
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "stat").write_bytes(os.fsencode(f"{number} ({name}) {' '.join(fields)} 0 0\n"))
        (tmp_path / str(number) / "cgroup").write_bytes(os.fsencode(f"{cgroup}\n"))

    program(1, "a ) b\udce6\udca8", cgroup="0::/user.slice/\udce6")  # cut within a character, as the kernel does
    program(2, "niced", nice=10)
    program(3, "uvicorn", cgroup="0::/docker/1f/kubelet.slice/kubepods")
    program(4, "dockerd")
    program(os.getpid(), "lab")
    (tmp_path / "self").mkdir()
    machine = Machine(tmp_path)
    found = machine.programs()
    assert found == {(1, 5): 400 / os.sysconf("SC_CLK_TCK")}
    assert machine.programs({(1, 5): 0.0, (9, 9): 0.0}) == found
    assert machine.programs({(1, 4): 0.0}) == {}  # another program, whose number it has now


def test_without_the_kernels_files_a_computation_is_timed(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert not machine.counts and machine.pulse().wanting >= machine.cores


def test_the_kubelets_summary_tells_whose_pods_used_how_much() -> None:
    def pod(namespace: str, uid: str, nanoseconds: float) -> dict[str, Any]:
        reference = {"namespace": namespace, "name": "p", "uid": uid}
        return {"podRef": reference, "containers": [{"cpu": {"usageCoreNanoSeconds": nanoseconds}}]}

    cpu = {"time": "2026-11-27T13:10:54Z", "usageCoreNanoSeconds": 9e9}
    summary: dict[str, Any] = {
        "node": {"cpu": {**cpu, "usageCoreNanoSeconds": 11e9}, "systemContainers": [{"name": "pods", "cpu": cpu}]},
        "pods": [
            pod("lab-12", "a", 1e9),
            pod("lab-10", "b", 2e9),
            pod("kube-system", "c", 3e9),
            pod("mlops-lab-tracking", "d", 1e9),
        ],
    }
    found = used(cast(Any, SimpleNamespace(raw=lambda path, what: summary)), "one", "lab-12")
    assert found == Used(1795785054.0, 11.0, 9.0, {"b": 2.0}, True)
    summary["node"]["systemContainers"] = []
    found = used(cast(Any, SimpleNamespace(raw=lambda path, what: summary)), "one", "lab-12")
    assert found and found.pods == 11.0
    summary["node"]["cpu"] = {}
    assert used(cast(Any, SimpleNamespace(raw=lambda path, what: summary)), "one", "lab-12") is None


class Watcher:
    """Finds the machine starved whenever it is asked."""

    def __init__(self, answer: str | Exception = "the machine could give 9 % of the CPU asked for") -> None:
        self.answer = answer
        self.asked: list[tuple[Sequence[Any], bool]] = []

    def watched(self) -> Any:
        return contextlib.nullcontext()

    def why(self, windows: Sequence[Any], *, programs: bool) -> str:
        self.asked.append((windows, programs))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def judged(body: Any, watcher: Watcher | None = None) -> Any:
    lab = SimpleNamespace(machine=watcher or Watcher())
    return asyncio.run(run_checks(lab, [Check("one", "It is.", body, 2)]))[0]


async def too_late(lab: Any) -> None:
    async def look() -> int:
        return 1

    seen = await Time().eventually(look, lambda _: False, expected="2 pods", shown=str, within=0.05, every=0.01)
    expect(seen).because("")


async def handmade_of_a_wait_that_ran_out(lab: Any) -> None:
    try:
        await too_late(lab)
    except Failure:
        expect(Observation(False, "2 pods", "1 pod")).because("")


async def slow(lab: Any) -> None:
    expect(observe("p99", 2.0, at_most(1), unit="s")).because("")


async def loses_under_load(lab: Any) -> None:
    with current.trace().timing():
        await asyncio.sleep(0)
    expect(observe("failed requests", 3, at_most(0))).because("")


async def wrong(lab: Any) -> None:
    expect(observe("status", 500, equal_to(200))).because("")


async def wrong_under_load(lab: Any) -> None:
    with current.trace().timing():
        await asyncio.sleep(0)
    expect(observe("largest difference", 0.5, at_most(0.1), timed=False)).because("")


@pytest.mark.parametrize("body", [too_late, handmade_of_a_wait_that_ran_out, slow, loses_under_load])
def test_a_time_limit_missed_on_a_starved_machine_is_an_error(body: Any) -> None:
    watcher = Watcher()
    found = judged(body, watcher)
    assert (found.verdict, found.why) == (Verdict.ERROR, watcher.answer)
    assert found.expected and found.seen
    ((windows, programs),) = watcher.asked
    assert all(begun <= ended for begun, ended in windows) and programs is False
    assert judged(body, Watcher("")).verdict is Verdict.FAIL


@pytest.mark.parametrize("body", [wrong, wrong_under_load])
def test_what_does_not_depend_on_time_stays_a_failure_on_a_starved_machine(body: Any) -> None:
    watcher = Watcher()
    assert judged(body, watcher).verdict is Verdict.FAIL
    assert not watcher.asked


def test_a_bug_in_the_look_at_the_machine_is_an_error() -> None:
    found = judged(slow, Watcher(KeyError("cpu")))
    assert found.verdict is Verdict.ERROR and found.why.startswith("the checker itself failed: KeyError: 'cpu' (")


def test_a_look_that_fails_is_not_the_last_one() -> None:
    looks: list[int] = []
    stop = SimpleNamespace(is_set=lambda: len(looks) > 2, wait=lambda every: None)

    def look() -> None:
        looks.append(1)
        raise KeyError("cpu")

    Starvation._repeat(cast(Any, stop), 0.0, look)
    assert len(looks) == 3


def test_a_machine_that_cannot_be_asked_is_an_error_as_well() -> None:
    found = judged(slow, Watcher(LabError("its kubelets don't say who uses it", "close other programs")))
    assert (found.verdict, found.why) == (Verdict.ERROR, "its kubelets don't say who uses it; close other programs")


def test_it_is_known_that_a_program_of_the_learners_ran() -> None:
    async def runs(lab: Any) -> None:
        current.trace().ran_here = True
        await slow(lab)

    watcher = Watcher()
    judged(runs, watcher)
    assert watcher.asked[0][1]


def test_a_program_of_the_learners_that_is_ended_missed_its_time_and_ran_here(tmp_path: Path) -> None:
    program = tmp_path / "deploy"
    program.write_text("#!/bin/sh\nsleep $1\n")
    program.chmod(0o755)

    async def deploys(lab: Any) -> None:
        work = Work(tmp_path, "lab-12", "localhost:5001", {})
        done = await work.command("deploy", "20", within=0.2)
        expect(done.observed(done.code == 0, "./deploy: exit code 0")).because("")

    watcher = Watcher()
    assert judged(deploys, watcher).verdict is Verdict.ERROR
    (((begun, ended),), programs) = watcher.asked[0]
    assert programs and 0.2 <= ended - begun < 5
