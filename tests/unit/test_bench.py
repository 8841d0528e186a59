"""What `scripts/bench` decides without a cluster: names and places of figures, what came from the cache whichever
engine tells it, which engines are measured, and what is brought back."""

from __future__ import annotations

import contextlib
import importlib
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.cluster.record import Cluster
from mlops_lab.engine.docker import Docker
from mlops_lab.kit import metadata_store
from mlops_lab.measure.pods.containers import Total
from mlops_lab.measure.pods.cpu_time import Count
from mlops_lab.measure.services.rest import RefusedRequest
from mlops_lab.platform.installed import Installed
from mlops_lab.platform.releases import releases

(PIPELINES,) = releases(["pipelines"])
STEPS = ("prepare", "train", "evaluate")
SPEC = {
    "root": {"dag": {"tasks": {name: {} for name in STEPS}}},
    "deploymentSpec": {"executors": {f"exec-{name}": {"container": {"command": ["sh", name]}} for name in STEPS}},
}


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(project() / "scripts"))


@pytest.fixture
def engines() -> Any:
    return importlib.import_module("bench_engines")


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = importlib.import_module("bench_platform")
    monkeypatch.setattr(found, "time", SimpleNamespace(sleep=lambda _: None, monotonic=iter(range(1000)).__next__))
    return found


def test_engines_stand_side_by_side_whenever_they_were_measured(engines: Any, tmp_path: Path) -> None:
    figures = importlib.import_module("bench_figures")
    figures.write(
        engines.named({"memory": (150.0, "MiB", "at most 220"), "API": (9.0, "ms", "")}, "embedded"), tmp_path
    )
    figures.write({"lab list": (0.1, "s", "")}, tmp_path)
    figures.write(engines.named({"memory": (800.0, "MiB", ""), "API": (40.0, "ms", "")}, "kubeflow"), tmp_path)
    known = json.loads((tmp_path / "bench.json").read_text())
    assert list(known) == [
        "memory, engine embedded", "memory, engine kubeflow",
        "API, engine embedded", "API, engine kubeflow", "lab list",
    ]  # fmt: skip
    assert known["memory, engine embedded"] | {"at": "", "machine": ""} == {
        "value": 150.0, "unit": "MiB", "goal": "at most 220", "at": "", "machine": "",
    }  # fmt: skip
    page = (tmp_path / "bench.md").read_text()
    assert page.index("| memory, engine embedded | 150 MiB | at most 220 |") < page.index("| memory, engine kubeflow |")


def test_no_figure_was_lost_or_moved_by_that() -> None:
    figures = importlib.import_module("bench_figures")
    known = json.loads((project() / "docs" / "bench.json").read_text())
    assert figures.side_by_side(known) == known and list(figures.side_by_side(known)) == list(known)


def made_up_runs(platform: Any, pipelines: Any) -> Any:
    found = object.__new__(platform.Runs)
    found._spec, found._pipelines = SPEC, pipelines
    found._pages = SimpleNamespace(address=lambda: "http://pages")
    return found


class Pipelines:
    """An engine's API with one run, over when it is asked for the second time."""

    def __init__(self, tasks: list[dict[str, Any]] | None, state: str = "SUCCEEDED") -> None:
        self.tasks, self.state, self.asked, self.started = tasks, state, 0, []  # type: ignore[var-annotated]

    def ask(self, method: str, path: str) -> dict[str, Any]:
        assert (method, path) == ("GET", "runs/run-1/artifacts")
        if self.tasks is None:
            raise RefusedRequest("no such address", 404, "")
        return {"artifacts": []}

    def start(self, spec: Any, arguments: dict[str, Any], *, experiment: str) -> str:
        self.started.append((spec, arguments))
        return "run-1"

    def run(self, number: str) -> dict[str, Any]:
        self.asked += 1
        state = self.state if self.asked > 1 else "RUNNING"
        return {"state": state, "run_details": {"task_details": self.tasks or []}}

    @staticmethod
    def over(run: dict[str, Any]) -> bool:
        return bool(run["state"] != "RUNNING")


def told(cached: dict[str, bool]) -> list[dict[str, Any]]:
    return [{"display_name": name, "state": "SUCCEEDED", "cached": each} for name, each in cached.items()]


ALL, NONE = dict.fromkeys(STEPS, True), dict.fromkeys(STEPS, False)


@pytest.mark.parametrize(
    ("seen", "cached", "fault"),
    [
        (NONE, False, ""),
        (ALL, True, ""),
        ({**NONE, "prepare": True}, False, "came from the cache: prepare; expected: none"),
        ({**ALL, "train": False}, True, "came from the cache: prepare, evaluate; expected: all"),
    ],
)
@pytest.mark.parametrize("real", [False, True])
def test_a_run_counts_if_all_or_none_of_its_steps_came_from_the_cache(
    platform: Any, monkeypatch: pytest.MonkeyPatch, seen: dict[str, bool], cached: bool, fault: str, real: bool
) -> None:
    stored = [{**each, "name": each["display_name"]} for each in told(seen)]
    monkeypatch.setattr(metadata_store, "record", lambda *_: {"steps": stored})
    runs = made_up_runs(platform, Pipelines(None if real else told(seen)))
    if fault:
        with pytest.raises(SystemExit, match=fault):
            runs._run(7, cached)
    else:
        assert runs._run(7, cached) > 0


def test_a_run_that_failed_is_no_measurement(platform: Any) -> None:
    with pytest.raises(SystemExit, match="ended FAILED"):
        made_up_runs(platform, Pipelines(told(NONE), "FAILED"))._run(7, cached=False)


@pytest.mark.parametrize(
    ("trouble", "fault"),
    [(LabError("lost", ""), False), (RefusedRequest("busy", 503, ""), False), (RefusedRequest("gone", 404, ""), True)],
)
def test_an_answer_that_was_lost_on_its_way_is_asked_for_again(
    platform: Any, monkeypatch: pytest.MonkeyPatch, trouble: LabError, fault: bool
) -> None:
    api = Pipelines(told(NONE))
    answers, asked = [trouble], api.run
    monkeypatch.setattr(api, "run", lambda number: asked(number) if not answers else throw(answers.pop()))
    with pytest.raises(RefusedRequest, match="gone") if fault else contextlib.nullcontext():
        assert made_up_runs(platform, api)._run(7, cached=False) > 0


def throw(trouble: LabError) -> NoReturn:
    raise trouble


def test_kubeflows_steps_are_asked_for_until_all_are_told(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(**states: str) -> dict[str, Any]:
        return {"steps": [{"name": name, "state": state, "cached": True} for name, state in states.items()]}

    answers = [
        steps(prepare="SUCCEEDED"),
        steps(prepare="SUCCEEDED", train="SUCCEEDED", evaluate="RUNNING"),
        steps(prepare="SUCCEEDED", train="SUCCEEDED", evaluate="SUCCEEDED"),
    ]
    monkeypatch.setattr(metadata_store, "record", lambda *_: answers.pop(0))
    assert made_up_runs(platform, Pipelines(None))._steps("run-1") == ALL
    assert not answers
    monkeypatch.setattr(metadata_store, "record", lambda *_: steps(prepare="SUCCEEDED"))
    with pytest.raises(SystemExit, match="told only"):
        made_up_runs(platform, Pipelines(None))._steps("run-1")


def test_runs_at_once_differ_and_those_that_failed_are_counted(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "_seed", lambda: 100)
    api = Pipelines(told(NONE))
    took, good = made_up_runs(platform, api).at_once(3, within=500)
    assert took > 0 and good == 3
    assert len({json.dumps(spec) for spec, _ in api.started}) == 3
    assert len({arguments["first_day"] for _, arguments in api.started}) == 3
    assert made_up_runs(platform, Pipelines(told(NONE), "FAILED")).at_once(3, within=500)[1] == 0
    with pytest.raises(SystemExit, match="came from it: train"):
        made_up_runs(platform, Pipelines(told({**NONE, "train": True}))).at_once(3, within=500)


def test_each_steps_program_is_marked_and_the_pipeline_stays(platform: Any) -> None:
    before = json.dumps(SPEC)
    made = platform.marked(SPEC, 5)
    commands = [each["container"]["command"] for each in made["deploymentSpec"]["executors"].values()]
    assert commands == [["sh", f"{name}\n# 5\n"] for name in STEPS]
    assert json.dumps(SPEC) == before


def test_the_published_engine_is_measured_where_it_can_be_had(engines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for before in ("", "small", "kubeflow"):
        assert engines.wanted(PIPELINES, "", before, False) == ["embedded", "kubeflow"]
    assert capsys.readouterr().out == ""
    assert engines.wanted(PIPELINES, "no registry answers", "small", True) == ["embedded"]
    assert capsys.readouterr().out == "engines: embedded alone, since no registry answers\n"
    assert engines.wanted(PIPELINES, "no registry answers", "small", False) == []
    assert capsys.readouterr().out.startswith("engines: left out, since no registry answers; ")
    with pytest.raises(SystemExit, match="kubeflow is installed and could not come back"):
        engines.wanted(PIPELINES, "no registry answers", "kubeflow", True)


@pytest.mark.parametrize(
    ("before", "others", "words", "lost"),
    [
        ("small", {}, ("up", "--engine", "embedded"), False),
        ("kubeflow", {"tracking": "full"}, ("up", "--engine", "kubeflow"), False),
        (
            "full",
            {"tracking": "full", "monitoring": "full.grafana", "logging": "full"},
            ("up", "--engine", "embedded", "--profile", "full"),
            False,
        ),
        ("full", {"tracking": "full"}, ("up", "--engine", "embedded"), True),  # it would bring the third part, too
        ("full", {"tracking": "full", "monitoring": "small"}, ("up", "--engine", "embedded"), True),
    ],
)
def test_what_was_there_is_brought_back(
    engines: Any, before: str, others: dict[str, str], words: tuple[str, ...], lost: bool
) -> None:
    found, said = engines.restoring(PIPELINES, before, others)
    assert found == words and ("lab up --profile full" in said) == lost


@pytest.mark.parametrize("breaks", ["", "embedded", "kubeflow"])
def test_what_was_measured_is_kept_and_what_was_there_comes_back(
    engines: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], breaks: str
) -> None:
    def measured(site: Any, name: str, solution: Path) -> Any:
        yield {"memory": (1.0, "MiB", "")}
        if name == breaks:
            raise SystemExit(f"{name} broke")
        yield {"API": (2.0, "ms", "")}

    monkeypatch.setattr(engines.record, "current", lambda: Cluster("kind-x", "localhost:5001", "small"))
    monkeypatch.setattr(engines, "program", lambda _: Path("helm"))
    monkeypatch.setattr(engines, "ensure", lambda _: Docker({}))
    monkeypatch.setattr(engines, "target", lambda timeout: SimpleNamespace(kube=None))
    there = {"pipelines": Installed("deployed", "kubeflow"), "tracking": Installed("deployed", "full")}
    monkeypatch.setattr(engines, "installed", lambda _: there)
    monkeypatch.setattr(engines.choice, "unavailable", lambda *_: "")
    monkeypatch.setattr(engines, "_measured", measured)
    back: list[Any] = []
    monkeypatch.setattr(engines, "_back", lambda site, *rest: back.append(rest))
    written: dict[str, Any] = {}
    with pytest.raises(SystemExit) if breaks else contextlib.nullcontext():
        engines.engines(lambda *_: 1.0, written.update, Path("pipeline.py"), asked=True)
    names = ["memory, engine embedded", "API, engine embedded", "memory, engine kubeflow", "API, engine kubeflow"]
    assert list(written) == names[: {"": 4, "embedded": 1, "kubeflow": 3}[breaks]]
    assert back == [("kubeflow", {"tracking": "full"})]
    # What follows may fail, too: what broke is said before.
    assert not breaks or f"engine {breaks}: {breaks} broke" in capsys.readouterr().out


def test_what_was_there_comes_back_when_the_runs_that_are_left_have_ended(
    engines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[Any] = [None, ["one"], []]
    monkeypatch.setattr(engines.runs, "at_work", lambda *_, **__: left.pop(0))
    monkeypatch.setattr(engines, "time", SimpleNamespace(sleep=lambda _: None, monotonic=time.monotonic))
    asked: list[Any] = []
    site = engines.Site(PIPELINES, lambda *words: asked.append(words), None, None, None, None, engines.Progress())
    engines._back(site, "kubeflow", {})
    assert asked == [("up", "--engine", "kubeflow")] and not left


@pytest.mark.parametrize(
    ("at_work", "fault"), [(None, "its API does not answer"), (["one"], "runs are at work: one"), ([], "")]
)
def test_nothing_is_removed_while_runs_are_at_work(
    engines: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at_work: list[str] | None, fault: str
) -> None:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path))
    monkeypatch.setattr(engines.runs, "at_work", lambda *_: at_work)
    removed: list[str] = []
    waits = SimpleNamespace(wait_all=lambda *_, **__: (True, []))
    helm = SimpleNamespace(uninstall=removed.append)
    site = engines.Site(PIPELINES, None, waits, None, helm, None, engines.Progress())
    if fault:
        with pytest.raises(SystemExit, match=fault):
            engines._remove(site)
    else:
        engines._remove(site)
    assert removed == ([] if fault else ["mlops-lab-pipelines"])


def test_idle_cpu_is_by_each_containers_own_time(engines: Any) -> None:
    def count(**seen: tuple[float, float]) -> Count:
        return Count({name: Total(*each, name) for name, each in seen.items()}, frozenset(seen), ())

    first, last = count(a=(100.0, 5.0), b=(104.0, 1.0)), count(a=(160.0, 8.0), b=(154.0, 2.0))
    assert engines.cores(first, last) == pytest.approx(3 / 60 + 1 / 50)
    with pytest.raises(SystemExit, match="not idle"):
        engines.cores(first, count(a=(160.0, 8.0)))
