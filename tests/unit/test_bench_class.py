"""What `scripts/bench --only class` decides without a cluster, and the sizing table that is made of its figures."""

from __future__ import annotations

import contextlib
import importlib
import json
import queue
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import project
from mlops_lab.classroom import packing
from mlops_lab.classroom.operator import names, requests
from mlops_lab.classroom.operator.requests import State
from mlops_lab.classroom.roster import Learner
from mlops_lab.classroom.teacher.place import NAMESPACE, Told
from tests.unit.cluster_in_memory import ClusterInMemory

_PARTS = ("class", "class_grading", "class_many", "kwok", "sizing", "figures", "memory")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(project() / "scripts"))
    found = {name: importlib.import_module(f"bench_{name}") for name in _PARTS}
    return SimpleNamespace(**{"klass" if name == "class" else name: each for name, each in found.items()})


# The sizing table


def measured(bench: Any, **other: float) -> dict[str, dict[str, Any]]:
    sizing = bench.sizing
    values = {
        sizing.IDLE: 10.0, sizing.OWN: 500.0, sizing.PLAIN: 200.0, sizing.BEYOND: 20.0, sizing.GRADED: 45.0,
        sizing.OWN_MANY: 600.0, sizing.PLATFORM: 2.0, **other,
    }  # fmt: skip
    return {name: {"value": value} for name, value in values.items()}


def test_the_table_adds_up_what_was_measured(bench: Any) -> None:
    lines = bench.sizing.section(measured(bench))
    (row,) = (line for line in lines if line.startswith("| 30 |"))
    idle = 2048 + 600 + 30 * 10
    assert row == f"| 30 | {idle / 1024:.1f} GiB | {(idle + 15 * 220) / 1024:.1f} GiB | 45 min |"
    assert [line.split()[1] for line in lines if line.startswith("| ")][1:] == ["10", "30", "100", "300"]


def test_what_a_place_takes_is_the_charts_quota(bench: Any) -> None:
    values = yaml.safe_load((project() / "charts" / "classroom" / "values.yaml").read_text())
    most = f"{values['learners']['quota']['requests.memory'].removesuffix('Gi')} GiB at most (`learners.quota`)"
    assert most in bench.sizing.section(measured(bench))[-1]
    assert most in " ".join((project() / "docs" / "class-sizing.md").read_text().split())


@pytest.mark.parametrize("lacking", ["IDLE", "PLAIN", "BEYOND", "GRADED", "PLATFORM"])
def test_without_one_of_its_figures_there_is_no_table(bench: Any, lacking: str) -> None:
    name = getattr(bench.sizing, lacking)
    known = measured(bench)
    del known[name]
    lines = bench.sizing.section(known)
    assert f"- {name}" in lines and not any(line.startswith("|") for line in lines)


def test_the_page_is_what_the_figures_make_and_the_documents_have_none_of_their_own(bench: Any) -> None:
    known = json.loads((project() / "docs" / "bench.json").read_text())
    assert (project() / "docs" / "bench.md").read_text() == "\n".join(bench.figures.page(known)) + "\n"
    text = (project() / "docs" / "class-sizing.md").read_text()
    assert "bench.md#sizing-of-a-class" in text and "| learners |" not in text
    few, most, labs = bench.klass.FEW, bench.klass.FEW + bench.klass.MORE, list(bench.class_grading.KINDS)
    assert f"enrols {few} and then {most} learners" in text and f"labs {', '.join(labs[:-1])} and {labs[-1]};" in text
    assert f"enrols {bench.sizing.MANY} learners" in text and bench.klass.COPIES == 8 and "eight times" in text


# Which class may be measured


class At:
    """A class on a cluster."""

    def __init__(self, *learners: str, kind: bool = True, told: Told | None = None) -> None:
        self._learners, self._told = learners, told or Told()
        self.cluster = SimpleNamespace(is_kind=kind)

    def roster(self) -> list[Learner]:
        return [Learner(each) for each in self._learners]

    def told(self) -> Told:
        return self._told


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (At("bench-000", "ada"), "learners of its own, such as ada"),
        (At("bench-000", kind=False), "lab up has not made"),
    ],
)
def test_a_class_with_others_in_it_or_elsewhere_is_left_alone(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at: At, says: str
) -> None:
    monkeypatch.setattr(bench.klass.places, "of", lambda: at)
    with pytest.raises(SystemExit, match=says):
        bench.klass.site(None, tmp_path)


def test_without_a_class_it_says_where_the_commands_are(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def none() -> None:
        raise LabError("there is no class in kind-x", "make one")

    monkeypatch.setattr(bench.klass.places, "of", none)
    with pytest.raises(SystemExit, match=r"there is no class in kind-x\n  next: docs/class-sizing.md"):
        bench.klass.site(None, tmp_path)
    with pytest.raises(SystemExit, match=r"no namespaces on this class's cluster\n  next: docs/class-sizing.md"):
        bench.klass.shared(SimpleNamespace(place=At()))


def test_a_class_that_does_not_grade_is_said_before_anything_is_done(bench: Any, tmp_path: Path) -> None:
    found = bench.klass.Site(None, At("bench-000"), ClusterInMemory(), tmp_path)
    with pytest.raises(SystemExit, match="no submission is graded in this class"):
        next(bench.class_grading.grading(found, None, None))


# Learners who begin, and what is left of them


class Cluster(ClusterInMemory):
    """A cluster with an operator that answers at once; `refuses_lab` is why it makes none."""

    refuses_lab = ""

    def patch(self, kind: str, name: str, patch: Any, namespace: Any = None, api_version: Any = None) -> Any:
        found = super().patch(kind, name, patch, namespace, api_version)
        self.answer(name)
        return found

    def create(self, item: Any) -> Any:
        found = super().create(item)
        if found and item["kind"] == "ConfigMap":
            self.answer(item["metadata"]["name"])
        return found

    def delete(self, kind: str, name: str, namespace: Any = None) -> None:
        if self.find(kind, name, namespace):
            self.take_away(kind, name, namespace or "")

    def answer(self, name: str) -> None:
        item = self.find("ConfigMap", name, NAMESPACE)
        assert item
        learner, asked = names.label(item, names.LEARNER), requests.read(item).labs
        refused = State(requests.REFUSED, self.refuses_lab)
        states = {
            f"lab-{lab}": refused if self.refuses_lab else State(requests.READY, "", f"l-{learner}-lab-{lab}", 0.5)
            for lab in asked
        }
        item["metadata"]["annotations"] = {names.STATUS: requests.spelled(states)}
        self.put(item)
        for lab in asked:
            self.put({"kind": "Namespace", "metadata": {"name": f"l-{learner}-lab-{lab}"}})
        for space in self.named("Namespace"):
            if space.startswith(f"l-{learner}-") and space.rpartition("-")[2] not in asked:
                self.take_away("Namespace", space)


class Commands:
    """`lab`."""

    def __init__(self) -> None:
        self.rosters: list[list[str]] = []

    def __call__(self, *words: Any, within: float) -> None:
        if words[:2] == ("class", "up"):
            self.rosters.append(Path(words[3]).read_text().split()[1:])


@pytest.fixture
def site(bench: Any, tmp_path: Path) -> Any:
    told = Told(values={"cluster": {"address": "https://127.0.0.1:6443"}})
    return bench.klass.Site(Commands(), At("bench-000", told=told), Cluster(), tmp_path)


def test_learners_begin_all_at_once(bench: Any, site: Any) -> None:
    bench.klass.begin(site, ["bench-000", "bench-001"], "04")
    assert site.kube.named("Namespace") == ["l-bench-000-lab-04", "l-bench-001-lab-04"]


def test_who_is_never_ready_is_said(bench: Any, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.klass, "BEGUN", 0.0)
    monkeypatch.setattr(site.kube, "answer", lambda name: None)
    with pytest.raises(LabError, match="0 of 1 are ready"):
        bench.klass.begin(site, ["bench-000"], "04")


def test_a_lab_that_is_refused_is_no_measurement(bench: Any, site: Any) -> None:
    site.kube.refuses_lab = "learners do not share it"
    with pytest.raises(SystemExit, match="lab 04 can't be begun: learners do not share it"):
        bench.klass.begin(site, ["bench-000"], "04")


@pytest.mark.parametrize("breaks", [False, True])
def test_whatever_happens_all_is_as_before(bench: Any, site: Any, breaks: bool) -> None:
    site.kube.put({"kind": "Namespace", "metadata": {"name": "l-ada-lab-04"}})
    site.kube.put({"kind": "Namespace", "metadata": {"name": "bench-plain-0"}})  # of a run that was killed
    try:
        with bench.klass.as_before(site):
            assert site.kube.named("Namespace") == ["l-ada-lab-04"]
            bench.klass.enrol(site, bench.klass.learners(3))
            bench.klass.begin(site, ["bench-001"], "04")
            assert "l-bench-001-lab-04" in site.kube.named("Namespace")
            if breaks:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert breaks
    assert site.kube.named("Namespace") == ["l-ada-lab-04"] and not site.kube.named("ConfigMap", NAMESPACE)
    assert site.lab.rosters == [["bench-000", "bench-001", "bench-002"], ["bench-000"]]


def test_memory_is_what_grew_divided_by_those_who_came(bench: Any, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = iter([1.0, 2.0, 2.0, 3.0, 2.5, 4.0])  # GiB
    monkeypatch.setattr(bench.memory, "idle", lambda rest: next(levels))
    monkeypatch.setattr(bench.klass, "own", lambda kube: 321.0)
    monkeypatch.setattr(bench.klass, "solution", lambda lab: [])
    monkeypatch.setattr(bench.klass, "_serve", lambda kube, spaces, objects: None)
    first, second = bench.klass.memory(site)
    sizing, copies = bench.sizing, bench.klass.COPIES
    assert first == {
        sizing.IDLE: (1024 / bench.klass.MORE, "MiB", "at most 20"), sizing.OWN: (321.0, "MiB", "at most 700"),
    }  # fmt: skip
    assert second[sizing.PLAIN][0] == 1024 / copies and second[sizing.BEYOND][0] == pytest.approx(512 / copies)
    assert not [each for each in site.kube.named("Namespace") if each.startswith("bench-plain")]


# Grading


def test_the_ratio_is_to_the_plain_checks_one_after_the_other(bench: Any) -> None:
    grading = bench.class_grading
    found = grading.figures(grading.Graded(1800.0, 29), {"04": 50.0, "10": 90.0, "16": 10.0})
    sizing = bench.sizing
    assert found[sizing.GRADED][0] == 30 and found[sizing.RATIO] == (1.2, "", "at most 1.2")
    assert found[sizing.PASSED] == (29, "submissions", "30") and grading.EACH * len(grading.KINDS) == 30


def test_the_labs_of_three_kinds_are_graded_by_their_files_and_one_is_alone(bench: Any) -> None:
    from mlops_lab.classroom.gradable import table
    from mlops_lab.labs.catalog import about, resolve

    kinds = bench.class_grading.KINDS
    assert {table()[lab].grading for lab in kinds} == {"files"}
    assert {lab for lab in kinds if about(resolve(lab)).quiet} == {
        lab for lab, kind in kinds.items() if kind == "alone"
    }


def test_each_submission_is_another_and_holds_the_solution(bench: Any) -> None:
    one, other = (bench.class_grading.archive("04", mark) for mark in ("a", "b"))
    files = {each.path: each.content for each in packing.files(one)}
    assert "build" in {each.path for each in packing.files(bench.class_grading.archive("16", "a"))}, "a program"
    assert one != other and files["measured.txt"] == b"a\n" and any(path.endswith(".yaml") for path in files)


def test_a_plain_check_has_the_solution_alone_and_the_labs_own_kubeconfig(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Any] = []

    @contextlib.contextmanager
    def started(lab: str) -> Iterator[Any]:
        for name in (".lab/kubeconfig", "notes/README.md", "model.yaml"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("of the start")
        yield {"MLOPS_LAB_WORKSPACE": "here"}, (), tmp_path

    monkeypatch.setattr(bench.class_grading.variants, "put_to_work", asked.append)
    took = bench.class_grading.plainly("04", started, lambda *words, **more: asked.append((words, more["env"])))
    assert 0 <= took < 20 and asked == [tmp_path, (("check", "04"), {"MLOPS_LAB_WORKSPACE": "here"})]
    assert (tmp_path / ".lab" / "kubeconfig").read_text() == "of the start" and not (tmp_path / "notes").exists()
    assert "kind: Deployment" in (tmp_path / "model.yaml").read_text()


NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)


class Answers:
    """The server, of which each submission is graded at its second look; `becomes` says what it then is."""

    def __init__(self, becomes: Callable[[int], dict[str, Any]]) -> None:
        self.becomes, self.looked = becomes, dict[int, int]()

    def text(self, method: str, path: str, body: bytes = b"", token: str = "") -> bytes:
        number = int(path.rpartition("/")[2])
        assert (method, token) == ("GET", f"token-{number}")
        self.looked[number] = self.looked.get(number, 0) + 1
        state = self.becomes(number) if self.looked[number] > 1 else {"state": "grading"}
        return msgspec.json.encode({"submission": number, "lab": "04", "at": NOW + timedelta(seconds=number), **state})


def passed(number: int, points: int = 10) -> dict[str, Any]:
    return {"state": "graded", "result": {"points": points, "possible": 10, "at": NOW + timedelta(minutes=number)}}


def given(bench: Any, *numbers: int) -> dict[int, Any]:
    handed = bench.class_grading.Handed
    return {each: (f"token-{each}", handed(each, "04", NOW + timedelta(seconds=each))) for each in numbers}


def test_the_time_is_the_servers_from_the_first_to_the_last(bench: Any) -> None:
    server = Answers(lambda number: passed(number, 10 if number == 3 else 7))
    found = bench.class_grading.graded(
        lambda: contextlib.nullcontext(server), given(bench, 1, 2, 3), lambda seconds: None
    )
    assert found == bench.class_grading.Graded(3 * 60 - 1, 1)


def test_what_could_not_be_graded_or_is_too_late_is_no_measurement(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Answers(lambda number: {"state": "failed", "why": "its node died"})
    with pytest.raises(SystemExit, match="submission 1 of lab 04 could not be graded: its node died"):
        bench.class_grading.graded(lambda: contextlib.nullcontext(failed), given(bench, 1), lambda seconds: None)
    monkeypatch.setattr(bench.class_grading, "WITHIN", 0.0)
    with pytest.raises(SystemExit, match="1 of 1 submissions are not graded"):
        bench.class_grading.graded(
            lambda: contextlib.nullcontext(Answers(passed)), given(bench, 1), lambda seconds: None
        )


def test_a_server_that_is_away_is_asked_again(bench: Any) -> None:
    server, away = Answers(passed), [LabError("it does not answer", "", transient=True)]
    asked = server.text

    def text(*words: Any, **more: Any) -> bytes:
        if away:
            raise away.pop()
        return asked(*words, **more)

    server.text = text  # type: ignore[method-assign]
    assert (
        bench.class_grading.graded(lambda: contextlib.nullcontext(server), given(bench, 1), lambda seconds: None).passed
        == 1
    )


# Many learners


def test_the_slowest_namespace_counts_and_the_others_are_there_by_then(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[list[str]] = []
    clock = [0.0]

    def begin(who: Any) -> None:
        begun.append(list(who))
        clock[0] += 60.0 if len(who) > 1 else float(who[0][-1])

    monkeypatch.setattr(bench.class_many, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    ids = bench.klass.learners(25)
    found = bench.class_many.operators(begin, ids)
    assert begun == [ids[:15], *([each] for each in ids[15:])]
    assert found == {
        "a class of 25: 15 namespaces asked for at once, until the last is ready": (60.0, "s", ""),
        "a class of 25: the operator's time for one namespace, the slowest of 10": (9.0, "s", "at most 2"),
    }


@pytest.mark.parametrize("shows", [True, False])
def test_a_result_counts_once_the_map_shows_it(bench: Any, monkeypatch: pytest.MonkeyPatch, shows: bool) -> None:
    events: queue.Queue[Any] = queue.Queue()
    state = {"ada": "being graded", "bo": "being graded"}

    def tell(learner: str) -> None:
        state[learner] = "stuck" if shows else state[learner]
        events.put({"kind": "result", "learner": learner, "lab": "05"})

    def get(path: str) -> bytes:
        rows = [f'<tr><a href="/learners/{name}">{name}</a><td>{each}</td></tr>' for name, each in state.items()]
        return "".join(rows).encode()

    monkeypatch.setattr(bench.class_many, "SOON", 0)
    pages: Any = SimpleNamespace(get=get, live=lambda: contextlib.nullcontext(events))
    timed = lambda: bench.class_many.shown(pages, ["ada", "bo"], "05", lambda learner, lab: learner, tell)  # noqa: E731
    if shows:
        assert len(timed()) == 2
    else:
        with pytest.raises(SystemExit, match="ada"):
            timed()


def test_the_dispatcher_comes_back(bench: Any) -> None:
    kube = ClusterInMemory()
    kube.put(
        {"kind": "Deployment", "metadata": {"name": "dispatcher", "namespace": NAMESPACE}, "spec": {"replicas": 2}}
    )

    def count() -> int:
        return int(kube.get("Deployment", "dispatcher", NAMESPACE)["spec"]["replicas"])

    with pytest.raises(KeyboardInterrupt), bench.class_many.dispatcher_away(kube):
        assert count() == 0
        raise KeyboardInterrupt
    assert count() == 2
    with bench.class_many.dispatcher_away(ClusterInMemory()):
        pass  # a class that grades nothing


def test_kwok_plays_its_own_nodes_alone_and_listens_nowhere(bench: Any) -> None:
    words = [str(each) for each in bench.kwok.words(Path("kwok"), Path("stages.yaml"), Path("config"))]
    assert f"{bench.kwok.LABEL}=true" in words and not {"--manage-all-nodes", "--server-address"} & set(words)
    node = bench.kwok.node(1)
    assert node["metadata"]["labels"][bench.kwok.LABEL] == "true"
    assert [each["effect"] for each in node["spec"]["taints"]] == ["NoSchedule"]


def test_simulated_pods_are_the_labs_and_the_scheduler_leaves_them_alone(bench: Any) -> None:
    made = bench.kwok.pod("simulated-0", bench.class_many.template_of(bench.klass.objects_of(bench.class_many.LAB)))
    assert made["spec"]["schedulerName"] == bench.kwok.SCHEDULER != "default-scheduler"
    assert "nodeName" not in made["spec"] and "tolerations" not in made["spec"]
    assert made["metadata"]["labels"][bench.kwok.LABEL] == "true" and made["spec"]["containers"]
    # A grace of nothing is refused beside a preStop hook that sleeps.
    assert made["spec"]["terminationGracePeriodSeconds"] == 0 and "preStop" not in str(made["spec"])


def test_all_nodes_have_to_be_ready(bench: Any) -> None:
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    count = bench.kwok.NODES
    assert bench.kwok._all_ready([ready] * count) is True
    assert bench.kwok._all_ready([ready] * (count - 1)) is None and bench.kwok._all_ready([ready, {}] * count) is None


# The parts


@pytest.fixture
def itself(bench: Any) -> Any:
    """`scripts/bench`."""
    from importlib.machinery import SourceFileLoader

    loader = SourceFileLoader("bench_itself", str(project() / "scripts" / "bench"))
    found = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_itself", loader))  # type: ignore[arg-type]
    loader.exec_module(found)
    return found


def test_nothing_of_lab_up_against_kind_stays(itself: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from mlops_lab.engine import start
    from mlops_lab.images.recipes import kind

    config, temporary, used = tmp_path / "kind" / "config.yaml", tmp_path / "temporary", []
    for folder in (config.parent, temporary):
        folder.mkdir()
    config.write_text("nodes: 3")
    monkeypatch.setattr("mlops_lab.base.paths.cache", lambda: tmp_path)
    monkeypatch.setattr(start, "ensure", lambda _: None)
    monkeypatch.setattr(kind, "path", lambda _: tmp_path / "kind")
    monkeypatch.setattr(itself.tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(itself.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout="node:1\n"))
    monkeypatch.setattr(itself, "run", lambda *_, **__: (2.0, "1000000"))
    monkeypatch.setattr(itself, "median", lambda *_: 1.0)
    monkeypatch.setattr(itself, "plain_kind", lambda own, *_: (used.append(own.read_text()), (1.0, 2.0))[1])
    assert itself.warm(2)["warm lab up as a ratio to plain kind until all nodes are Ready"][0] == 1
    assert used == ["nodes: 3"] * 2 and not list(temporary.iterdir())


def test_no_class_is_measured_unless_it_is_asked_for(itself: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("drift", "warm", "memory", "commands", "checks", "watch", "full", "loop", "nodes", "exams", "desk",
                 "engines"):  # fmt: skip
        monkeypatch.setattr(itself, name, lambda *_, name=name, **__: done.append(name))
    monkeypatch.setattr(itself, "classes", lambda part: done.append(f"class {part}"))
    for words, wanted in (
        ([], False), (["--only", "class"], ["class "]),
        (["--only", "class-many", "--only", "drift"], ["drift", "class many"]),
    ):  # fmt: skip
        done.clear()
        monkeypatch.setattr(itself.sys, "argv", ["bench", *words])
        itself.main()
        assert done == wanted if wanted else (len(done) > 10 and not any(each.startswith("class") for each in done))
