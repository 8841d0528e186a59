"""What `scripts/bench` decides of exams without a cluster: which sitting, what is kept, and that nothing is left."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.paths import cache, project, state
from mlops_lab.checks.verdicts import Verdict
from mlops_lab.cli import exam_now
from mlops_lab.exam import handing_in
from mlops_lab.exam.clock import Clock
from mlops_lab.exam.sitting import Exams
from mlops_lab.exam.state import Sitting, Store, workspace
from mlops_lab.tasks.task import NODES, Task, named, tasks
from tests.candidate import candidate
from tests.made_up_exams import MadeUpStage, made_up_bank, made_up_task

FIRST = "lab exam start, warm, until the first task is shown"
MEMORY = "memory of a whole sitting, beyond the idle cluster"
GRADING = "grading of a whole sitting that is solved"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The module, with a candidate whose records are empty, and memory that is 1 GiB more each time."""
    monkeypatch.syspath_prepend(str(project() / "scripts"))
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "theirs"))
    found = importlib.import_module("bench_exams")
    measured = iter(range(1, 100))
    monkeypatch.setattr(found.bench_memory, "idle", lambda rest=0, of="": float(next(measured)))
    monkeypatch.setattr(found, "answering", lambda: None)
    return found


@pytest.fixture
def bank(tmp_path: Path) -> list[Task]:
    made_up_bank(tmp_path / "bank")
    return tasks(tmp_path / "bank")


class Commands:
    """`lab`, on a stage that is made up.

    Attributes:
        told: the words of each call.
        breaks: words at which it fails.
    """

    def __init__(self, bench: Any, bank: list[Task]) -> None:
        self.bench, self.bank, self.stage = bench, bank, MadeUpStage()
        self.told: list[str] = []
        self.breaks = ""
        self.at_home: list[Path] = []

    @property
    def exams(self) -> Exams:
        return Exams(self.stage)

    def __call__(self, *words: str, within: float = 0, env: dict[str, str] | None = None) -> tuple[float, str]:
        said = " ".join(words)
        self.told.append(said)
        self.at_home.append(state())
        if self.breaks and said.startswith(self.breaks):
            self.breaks = ""
            raise SystemExit(f"lab {said} failed")
        if words[:2] == ("exam", "start"):
            self.exams.start(words[2], self.bank, minutes=45, seed=int(words[4]))
        elif words[:2] == ("exam", "stop"):
            self.exams.stop()
        return 40.0, ""

    def solve(self, sitting: Sitting) -> None:
        for seat in sitting.seats:
            drawn = json.loads((self.exams.store.rendered(sitting, seat).folder / "checker/drawn.json").read_text())
            (workspace(seat) / "answer").write_text(drawn["thing"])
            (workspace(seat) / "more").touch()

    def graded(self, words: Any, env: Any) -> float:
        self.told.append("exam submit")
        if self.breaks == "exam submit":
            raise KeyboardInterrupt
        handing_in.hand_in(self.exams, lambda sheet: None)
        return 100.0


@pytest.fixture
def lab(bench: Any, bank: list[Task], monkeypatch: pytest.MonkeyPatch) -> Commands:
    found = Commands(bench, bank)
    monkeypatch.setattr(bench, "tasks", lambda: bank)
    monkeypatch.setattr(bench.drawing, "MINUTES", 45)
    monkeypatch.setattr(bench, "TASKS", 1)
    monkeypatch.setattr(bench, "solve", found.solve)
    monkeypatch.setattr(bench, "graded", found.graded)
    return found


def test_a_sitting_is_begun_warm_measured_graded_and_gone(lab: Commands, tmp_path: Path) -> None:
    written: dict[str, Any] = {}
    (tmp_path / "theirs/state/clusters").mkdir(parents=True)
    (tmp_path / "theirs/state/clusters/kind-mlops-lab.json").write_text("{}")
    lab.bench.measure(lab, written.update, tmp_path / "home", False)
    assert lab.told == ["up", "exam start cka --seed 0", "exam stop --yes", "exam start cka --seed 0", "exam submit"]
    assert written == {
        FIRST: (40.0, "s", "at most 60"), MEMORY: (1.0, "GiB", ""), GRADING: (100.0, "s", "at most 240"),
    }  # fmt: skip
    assert not lab.stage.namespaces
    assert lab.at_home[1] == tmp_path / "home/state", "with records of its own"
    assert (tmp_path / "home/state/clusters/kind-mlops-lab.json").is_file(), "on the cluster that is there"
    assert state() == tmp_path / "theirs/state" and Store().numbers() == []
    assert (tmp_path / "home/cache").resolve() == cache(), "what is built is not built again"


def test_an_exam_that_is_under_way_is_refused_and_not_ended(lab: Commands, tmp_path: Path) -> None:
    Store().save(Sitting(1, "cka", 3, 45, "x", Clock(2700.0), phase="running"))
    with pytest.raises(SystemExit, match=r"nothing was measured: exam 1 \(cka\) is under way"):
        lab.bench.measure(lab, print, tmp_path / "home", False)
    assert lab.told == [] and Store().load(1).phase == "running"


@pytest.mark.parametrize(("breaks", "kept"), [("exam start", []), ("exam stop", []), ("exam submit", [FIRST, MEMORY])])
def test_whatever_breaks_what_was_measured_is_kept_and_nothing_is_left(
    lab: Commands, tmp_path: Path, breaks: str, kept: list[str]
) -> None:
    written: dict[str, Any] = {}
    lab.breaks = breaks
    with pytest.raises((SystemExit, KeyboardInterrupt)):
        lab.bench.measure(lab, written.update, tmp_path / "home", False)
    assert list(written) == kept
    assert not lab.stage.namespaces


def test_what_a_run_that_was_killed_has_left_goes_first(lab: Commands, tmp_path: Path) -> None:
    with candidate(tmp_path / "home"):
        lab.exams.start("cka", lab.bank, minutes=45, seed=9)
    left = set(lab.stage.namespaces)
    lab.bench.measure(lab, lambda figures: None, tmp_path / "home", False)
    assert left and lab.told[:3] == ["up", "exam stop --yes", "exam start cka --seed 0"]
    assert not lab.stage.namespaces


def test_a_sitting_with_the_second_cluster_is_begun_and_its_memory_measured(
    lab: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: dict[str, Any] = {}
    monkeypatch.setattr(lab.bench, "drawn", lambda bank, second: ("cka", 5) if second else None)
    lab.bench.measure(lab, written.update, tmp_path / "home", True)
    assert lab.told[-1] == "exam stop --yes" and not lab.stage.namespaces
    assert [(value, unit, goal) for value, unit, goal in written.values()] == [
        (40.0, "s", "at most 90"), (1.0, "GiB", ""), (3.0, "GiB", "at most 0.9"),
    ]  # fmt: skip
    assert all("second cluster" in name for name in written)


def test_a_second_cluster_that_somebody_has_is_left_alone(
    lab: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = lab.bench.kind.Node("mlops-lab-exam-worker", running=True, ours=True, image="i")
    monkeypatch.setattr(lab.bench, "drawn", lambda bank, second: ("cka", 5))
    monkeypatch.setattr(lab.bench, "answering", object)
    monkeypatch.setattr(lab.bench.kind, "nodes", lambda docker, of: [node])
    with pytest.raises(SystemExit, match=r"somebody has the second cluster \(mlops-lab-exam-worker\)"):
        lab.bench.measure(lab, print, tmp_path / "home", True)
    assert lab.told == ["up"]


def test_a_sitting_with_the_second_cluster_is_one_of_whose_tasks_stands_there(
    bench: Any, bank: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench.drawing, "MINUTES", 45)
    monkeypatch.setattr(bench, "TASKS", 1)
    assert bench.drawn(bank, False) == ("cka", 0)
    assert bench.drawn(bank, True) is None
    extra = made_up_task(tmp_path / "bank", "a-broken-node", {"cka": "troubleshooting"}, 6, 6) / "task.toml"
    extra.write_text(f'{extra.read_text()}cluster = "nodes"\n')
    more = tasks(tmp_path / "bank")

    def on_nodes(seed: int) -> bool:
        seats = bench.drawing.seats("cka", more, 45, seed)
        return any(named(seat.task, tmp_path / "bank").about.cluster == NODES for seat in seats)

    for second in (False, True):
        exam, seed = bench.drawn(more, second)
        assert exam == "cka" and on_nodes(seed) is second
        assert all(on_nodes(other) is not second for other in range(seed))


def test_of_the_sittings_one_has_so_many_tasks_as_the_goals_speak_of(
    bench: Any, bank: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    def seats(exam: str, bank: list[Task], minutes: int, seed: int) -> list[Any]:
        return [SimpleNamespace(task=each.name) for each in bank[: (3, 2, 5, 4)[seed % 4]]]

    monkeypatch.setattr(bench.drawing, "seats", seats)
    found = {}
    for size in (2, 4, 5, 99):
        monkeypatch.setattr(bench, "TASKS", size)
        found[size] = bench.drawn(bank, False)
    assert found == {2: ("cka", 0), 4: ("cka", 2), 5: ("cka", 2), 99: ("cka", 2)}


def test_no_sitting_is_drawn_that_the_cluster_alone_does_not_do_for(
    bench: Any, bank: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.drawing, "MINUTES", 45)
    for task in bank:
        file = task.folder / "task.toml"
        file.write_text(f'{file.read_text()}needs = ["tracking"]\n')
    assert bench.drawn(tasks(tmp_path / "bank"), False) is None


def test_what_a_proof_took_on_average_is_of_those_that_there_are(
    bench: Any, bank: list[Task], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.proofs(bank[:3]) == {}
    for seconds, task in zip((30.0, 90.0, 75.0), bank, strict=False):
        whole = {"at": "2026-11-28T01:23:58+00:00", "seconds": seconds, "steps": 8,
                 "content": dict.fromkeys(("folder", "checker", "platform", "engine"), "x")}  # fmt: skip
        (task.folder / "proof.json").write_text(json.dumps({"whole": whole}))
    assert bench.proofs(bank[:4]) == {"proof of a task, on average": (65.0, "s", "")}
    assert "3 of 4 have one" in capsys.readouterr().out
    assert bench.proofs(bank[:3])["proofs of all tasks, one after the other"] == (3.25, "min", "")


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("print('{shown} ...', flush=True); raise SystemExit(0)", ""),
        ("print('{shown} ...', flush=True); raise SystemExit(1)", ""),
        ("print('{shown} ...', flush=True); raise SystemExit(3)", r"not graded \(3\)"),
        ("print('the cluster does not answer'); raise SystemExit(0)", "the cluster does not answer"),
        ("import time; print('{shown}', flush=True); time.sleep(60)", r"not graded \(-9\)"),
    ],
)
def test_a_grading_is_timed_until_its_sheet_is_shown_and_bounded(bench: Any, script: str, fault: str) -> None:
    words = [sys.executable, "-c", script.format(shown=bench.SHOWN)]
    if not fault:
        assert 0 < bench.graded(words, {}, 30) < 30
        return
    with pytest.raises(SystemExit, match=fault):
        bench.graded(words, {}, 1)


def test_the_sheet_is_shown_when_submit_says_so(bench: Any) -> None:
    said = Path(exam_now.__file__).read_text()
    assert said.index("click.echo(shown(sheet))") < said.index(f'say("{bench.SHOWN}')


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.ERROR])
def test_a_grading_with_errors_is_none(
    lab: Commands, tmp_path: Path, verdict: Verdict, capsys: pytest.CaptureFixture[str]
) -> None:
    sitting = lab.exams.start("cka", lab.bank, minutes=45, seed=1)
    lab.solve(sitting)
    if verdict is Verdict.ERROR:
        lab.stage.errors = {f"{sitting.seats[0].task}/first": 9}
    else:
        (workspace(sitting.seats[0]) / "answer").write_text("another")
    handing_in.hand_in(lab.exams, lambda sheet: None)
    if verdict is Verdict.ERROR:
        with pytest.raises(SystemExit, match=f"ended in errors: {sitting.seats[0].task} first"):
            lab.bench.verdicts(1)
    else:
        lab.bench.verdicts(1)
    assert f"{sitting.seats[0].task} first: {verdict.value}" in capsys.readouterr().out


def test_this_processs_own_environment_comes_back(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLOPS_LAB_WORKSPACE", raising=False)
    with candidate(tmp_path / "home") as env:
        assert {name: os.environ[name] for name in env} == env
    assert "MLOPS_LAB_WORKSPACE" not in os.environ


def test_memory_is_told_in_gib(bench: Any) -> None:
    gib = bench.bench_memory.gib
    assert (gib("512MiB / 7GiB"), gib("1.5GiB / 7GiB"), gib("1048576KiB / 7GiB"), gib("0B / 0B")) == (0.5, 1.5, 1, 0)
    with pytest.raises(SystemExit, match="printed '-'"):
        gib("-")
