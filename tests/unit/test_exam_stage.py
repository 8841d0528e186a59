"""The stage of real exams, on clusters that a test makes up: what a candidate may break is no trouble of the stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.cluster import second
from mlops_lab.cluster.holder import EXAM
from mlops_lab.cluster.record import Cluster
from mlops_lab.exam.stage import Clusters
from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import Refused, Unreachable
from mlops_lab.tasks import clusters, standing
from mlops_lab.tasks.clusters import ADDONS, KINDS, Addon, Kind, nodes_place
from mlops_lab.tasks.place import Place
from mlops_lab.tasks.rendering import Rendered, render
from mlops_lab.tasks.task import MAIN, NODES, named
from tests.made_up_exams import Silent, broken_kind, made_up_task


class Kept(Kube):
    """A connection to a cluster that has this one namespace."""

    def __init__(self, name: str, **meta: str) -> None:
        self.name, self.meta = name, meta

    def find(self, kind: str, name: str, *_: Any, **__: Any) -> Any:
        return {"metadata": {"name": name, **self.meta}} if name == self.name else None

    def version(self) -> str:
        return "v1"


@pytest.fixture
def rendered(tmp_path: Path) -> dict[str, Rendered]:
    """A task on each kind of cluster, by the kind."""
    found = {}
    for kind in (MAIN, NODES):
        file = made_up_task(tmp_path / "bank", f"on-{kind}", {"cka": "storage"}) / "task.toml"
        file.write_text(f'{file.read_text()}cluster = "{kind}"\n')
        found[kind] = render(named(f"on-{kind}", tmp_path / "bank"), 1, "amber", tmp_path / kind / f"on-{kind}")
    return found


def test_a_task_is_there_as_long_as_its_namespace_is(
    rendered: dict[str, Rendered], monkeypatch: pytest.MonkeyPatch
) -> None:
    for kube, there in ((Kept("amber"), True), (Kept("beryl"), False), (Kept("amber", deletionTimestamp="x"), False)):
        place = Place(kube, "")
        monkeypatch.setitem(KINDS, MAIN, Kind(lambda place=place: place, lambda: None))  # type: ignore[misc, arg-type, return-value]
        assert Clusters().there(rendered[MAIN]) is there


def test_all_parts_that_an_exams_tasks_lack_are_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = []
    for need in ("tracking", "pipelines", "monitoring", "tracking"):
        name = f"one-of-{need}-{len(tasks)}"
        file = made_up_task(tmp_path / "bank", name, {"mlops": "serving-and-scaling"}) / "task.toml"
        file.write_text(f'{file.read_text()}needs = ["{need}"]\n')
        tasks.append(named(name, tmp_path / "bank"))
    monkeypatch.setitem(KINDS, MAIN, Kind(lambda: Place(Kept("mlops-lab-monitoring"), ""), lambda: None))  # type: ignore[arg-type, return-value]
    with pytest.raises(LabError, match="need tracking and pipelines, which this cluster") as caught:
        Clusters().installed(tasks)
    assert caught.value.hint == "install it: lab up --with tracking,pipelines"
    Clusters().installed(tasks[2:3])


def test_where_an_api_server_may_be_broken_its_silence_is_no_trouble(
    rendered: dict[str, Rendered], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, NODES, broken_kind())
    monkeypatch.setitem(KINDS, MAIN, Kind(lambda: Place(Silent(), ""), lambda: Place(Silent(), "")))
    assert Clusters().there(rendered[NODES]) is True
    with pytest.raises(LabError, match="does not answer"):
        Clusters().there(rendered[MAIN])


def test_what_is_wrong_with_the_first_cluster_is_said_and_of_one_that_may_be_broken_nothing(
    rendered: dict[str, Rendered], monkeypatch: pytest.MonkeyPatch
) -> None:
    unwell = Kept("amber")
    condition = {"type": "Ready", "status": "Unknown"}
    nodes = [{"metadata": {"name": "lab-worker"}, "spec": {}, "status": {"conditions": [condition]}}]
    monkeypatch.setattr(unwell, "list", lambda kind, *_, **__: nodes if kind == "Node" else [], raising=False)
    for kind in (MAIN, NODES):
        monkeypatch.setitem(KINDS, kind, Kind(lambda: Place(unwell, ""), lambda: Place(unwell, ""), own=kind == NODES))
    assert "node lab-worker is not Ready" in Clusters().problems(rendered[MAIN])
    assert Clusters().problems(rendered[NODES]) == ""
    silent = Place(Silent("the API server does not answer"), "")
    monkeypatch.setitem(KINDS, MAIN, Kind(lambda: silent, lambda: silent))
    assert "the API server does not answer" in Clusters().problems(rendered[MAIN])


def test_a_second_cluster_that_does_not_answer_or_is_gone_is_broken_and_the_first_never(
    rendered: dict[str, Rendered], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> Place:
        raise LabError("the exam's second cluster is not there", "make it again: lab exam resume")

    assert Clusters().broken(rendered[MAIN].task) == ""
    monkeypatch.setitem(KINDS, NODES, broken_kind())
    assert "does not answer" in Clusters().broken(rendered[NODES].task)
    monkeypatch.setitem(KINDS, NODES, Kind(gone, gone, own=True))
    assert Clusters().broken(rendered[NODES].task) == "the exam's second cluster is not there"
    monkeypatch.setitem(KINDS, NODES, Kind(lambda: Place(Kept("amber"), ""), gone, own=True))
    assert Clusters().broken(rendered[NODES].task) == ""


def test_a_second_cluster_whose_nodes_stand_still_is_started_and_not_broken(
    rendered: dict[str, Rendered], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart of the engine stops them, and `lab up` starts the first one alone."""
    started: list[str] = []
    place = Place(Silent(), "", breakable=True)

    def make() -> Place:
        started.append(NODES)
        return place

    there = second.Second(Path("kubeconfig"), "kind-second", ("second-control-plane",))
    monkeypatch.setitem(KINDS, NODES, Kind(lambda: place, make, own=True))
    monkeypatch.setattr(second, "found", lambda holder: there)
    monkeypatch.setattr(second, "stopped", list)
    every = [each.task for each in rendered.values()]
    Clusters().wake(every)
    assert started == []
    assert "does not answer" in Clusters().broken(rendered[NODES].task)
    monkeypatch.setattr(second, "stopped", lambda: ["second-control-plane"])
    assert Clusters().broken(rendered[NODES].task) == ""
    Clusters().wake([rendered[MAIN].task])
    assert started == []
    Clusters().wake(every)
    assert started == [NODES]
    monkeypatch.setattr(second, "found", lambda holder: None)
    Clusters().wake(every)
    assert started == [NODES], "one that is gone is not made anew"


def test_each_exam_has_a_second_cluster_of_its_own_and_all_have_the_first(
    rendered: dict[str, Rendered], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A desk goes on from exam to exam, and so does its stage."""
    made: list[str] = []

    def find(kind: str) -> Place:
        made.append(kind)
        return Place(Kept("amber" if made.count(kind) == 1 else "beryl"), "", breakable=kind == NODES)

    for kind in (MAIN, NODES):
        monkeypatch.setitem(KINDS, kind, Kind(lambda kind=kind: find(kind), lambda kind=kind: find(kind),  # type: ignore[misc]
                                              own=kind == NODES))  # fmt: skip
    stage = Clusters()
    stage.make([each.task for each in rendered.values()])
    assert stage.there(rendered[MAIN]), "the one that was made"
    assert not stage.there(rendered[NODES]), "found anew"
    assert made == [MAIN, NODES, NODES]
    assert (stage.goes(rendered[MAIN].task), stage.goes(rendered[NODES].task)) == (False, True)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Unreachable("StorageClass amber: the API server does not answer (ReadTimeoutError)", "lab status"), False),
        (Refused("StorageClass amber: etcdserver: request timed out", "try again", 500), False),
        (LabError("Kind amber: several API groups have that kind", "ask for it with its apiVersion"), True),
    ],
)
def test_of_an_api_server_that_is_slow_nobody_takes_it_that_an_object_is_not_there(
    answer: LabError, told: bool
) -> None:
    """It would stay behind when its task goes, and the next exam would draw its name."""

    class Slow(Kept):
        def find(self, kind: str, name: str, *_: Any, **__: Any) -> Any:
            raise answer

    if told:
        assert not standing.found(Slow(""), "Kind", "amber")
    else:
        with pytest.raises(LabError):
            standing.found(Slow(""), "StorageClass", "amber")


def test_what_does_not_go_keeps_nothing_else_from_going(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = made_up_task(tmp_path / "bank", "with-both", {"cka": "storage"}) / "task.toml"
    file.write_text(f'{file.read_text()}cluster = "{NODES}"\naddons = ["traefik"]\n')
    gone: list[str] = []

    def stays() -> None:
        gone.append("asked")
        raise LabError("Traefik's namespace does not go", "see: lab status")

    monkeypatch.setitem(ADDONS, "traefik", Addon(lambda: None, stays))
    monkeypatch.setitem(KINDS, NODES, Kind(lambda: None, lambda: None, lambda: gone.append("cluster"), own=True))  # type: ignore[arg-type, return-value]
    with pytest.raises(LabError, match="Traefik's namespace does not go"):
        Clusters().end([named("with-both", tmp_path / "bank")])
    assert gone == ["asked", "cluster"]


def test_for_tasks_that_are_lost_the_clusters_go_that_are_an_exams_own(monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[str] = []
    for kind in (MAIN, NODES):
        ending = Kind(lambda: None, lambda: None, lambda kind=kind: gone.append(kind), own=kind == NODES)  # type: ignore[misc, arg-type, return-value]
        monkeypatch.setitem(KINDS, kind, ending)
    Clusters().end([])
    assert gone == []
    Clusters().end([], lost=True)
    assert gone == [NODES]


@pytest.mark.parametrize("nodes", ["small", ""])
def test_for_tasks_that_are_lost_the_add_ons_go_where_there_may_be_some(
    nodes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is put into a cluster of the user's, which is not even asked."""
    gone: list[str] = []
    monkeypatch.setitem(ADDONS, "traefik", Addon(lambda: None, lambda: gone.append("traefik")))
    monkeypatch.setattr(clusters, "current", lambda: Cluster("of-this-name", "localhost:5001", nodes))
    Clusters().end([], addons=True)
    assert gone == (["traefik"] if nodes else [])


def test_the_second_cluster_of_a_lab_is_no_exams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exam's may have been deleted, and a lab has one since: nothing of a task is to be broken there."""
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path))
    asked: list[Any] = []
    monkeypatch.setattr(second, "found", lambda holder=None: asked.append(holder))
    with pytest.raises(LabError, match="the exam's second cluster is not there"):
        nodes_place()
    assert asked == [EXAM]


def test_of_an_engine_that_does_not_answer_nobody_says_that_the_second_cluster_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a resume advised, which could not make it."""
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path))
    for module in (second, clusters):
        monkeypatch.setattr(module, "answering", lambda: None)
    with pytest.raises(LabError, match="the exam's second cluster is not there"):
        nodes_place()
    second.kubeconfig_file().parent.mkdir(parents=True)
    second.kubeconfig_file().touch()
    with pytest.raises(LabError, match="the engine that runs the exam's second cluster does not answer") as raised:
        nodes_place()
    assert "lab status" in raised.value.hint
