"""The Job's program: what it lays and applies, what its checks look through, what it says, and when it gives back."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import Completed
from mlops_lab.checks.lab import Lab
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.classroom import packing
from mlops_lab.classroom.gradable import table
from mlops_lab.classroom.grader import grading, outcome, rooms, stage
from mlops_lab.classroom.grader.apart.place import Place, Ran
from mlops_lab.classroom.grader.asking import Server, Stale
from mlops_lab.classroom.grader.grading import Alive, Grader
from mlops_lab.classroom.grader.kubelets import Direct
from mlops_lab.classroom.grader.task import Task
from mlops_lab.kube.client import Kube
from mlops_lab.kube.elsewhere import Elsewhere
from mlops_lab.labs import variants
from mlops_lab.labs.catalog import exercises, resolve
from mlops_lab.labs.workspace import fill

FILES = [each for each in exercises() if table()[each.number].grading == "files"]
TASK = Task(
    submission=7, tries=2, learner="ada", lab="04", sha256="0", seed=5, sandbox="g-7-2-lab-04", apart="g-7-2-apart",
    klass="mlops-lab-class", server="https://s:8444", registry="registry.test", image="registry.test/grader:1", dns={},
)  # fmt: skip
KUBE = cast(Kube, SimpleNamespace(context="", kubeconfig=None, timeout=1, api_client=None, _discovery=Path()))
PLACE = Place(KUBE, "g-7-2-apart", "image")


# The stage


@pytest.mark.parametrize("exercise", FILES, ids=lambda each: each.number)
def test_what_is_applied_is_what_lab_verify_applies(
    exercise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed: list[Any] = []

    def run(words: Any, **_: Any) -> Completed:
        typed.append([str(each) for each in words[2:]])
        return Completed(0, "", "")

    monkeypatch.setattr(variants, "run", run)
    for number, solution in enumerate(variants.solutions(exercise)):
        folder = tmp_path / str(number)
        variants.lay_out(solution, folder)
        typed.clear()
        variants.put_to_work(folder)
        assert stage.applied(folder) == (typed[0] if typed else [])


def test_what_no_archive_has_is_laid_beside_the_learners_files(tmp_path: Path) -> None:
    hidden = 0
    for exercise in [*FILES, resolve("03")]:  # the one with a hidden file, which no class grades
        folder, again = tmp_path / exercise.number, tmp_path / f"{exercise.number}-again"
        fill(folder, exercise.folder / "start")
        (folder / "own.txt").write_text("own")
        stage.lay(packing.pack(folder).content, exercise, again, "localhost:5001", "the kubeconfig")
        (again / ".lab" / "kubeconfig").unlink()
        (again / ".lab").rmdir()
        before, after = ({str(each.relative_to(top)): each.read_bytes() for each in top.rglob("*") if each.is_file()}
                         for top in (folder, again))  # fmt: skip
        assert before == after
        hidden += sum(name.startswith(".") for name in before)
    assert hidden  # there is such a lab


def test_a_file_that_the_learner_has_taken_out_stays_out(tmp_path: Path) -> None:
    exercise = resolve("04")
    fill(tmp_path / "w", exercise.folder / "start")
    gone = next(each for each in (tmp_path / "w").iterdir() if each.is_file())
    gone.unlink()
    (tmp_path / "w" / "own.yaml").write_text("a: 1")
    stage.lay(packing.pack(tmp_path / "w").content, exercise, tmp_path / "x", "localhost:5001", "")
    assert not (tmp_path / "x" / gone.name).exists() and (tmp_path / "x" / "own.yaml").exists()


def test_images_have_the_registrys_name_of_this_cluster(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "a.yaml").write_text("image: localhost:5001/flight-delay:v1")
    (tmp_path / "w" / "model.bin").write_bytes(b"\xff\xfelocalhost:5001/")
    stage.lay(packing.pack(tmp_path / "w").content, resolve("04"), tmp_path / "x", "registry.test/labs", "")
    assert (tmp_path / "x" / "a.yaml").read_text() == "image: registry.test/labs/flight-delay:v1"
    assert (tmp_path / "x" / "model.bin").read_bytes() == b"\xff\xfelocalhost:5001/"


@pytest.mark.parametrize("content", [b"", b"x" * 10240, b"\0" * 10240])
def test_what_is_no_archive_is_refused_and_leaves_nothing(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(packing.Refused):
        stage.lay(content, resolve("04"), tmp_path / "x", "localhost:5001", "")
    assert not (tmp_path / "x").exists()


# The rooms


def test_each_room_is_the_one_that_lab_check_has_or_one_made_of_it(tmp_path: Path) -> None:
    made = rooms.lab_of(KUBE, "04", "g-7-2-lab-04", tmp_path, "r", {}, PLACE, 5, "mlops-lab-class")
    usual = Lab.on(KUBE, "lab-04", "04", tmp_path, "r")
    for field in fields(Lab):
        assert isinstance(getattr(made, field.name), type(getattr(usual, field.name))), field.name
    assert made.seed == 5 and made.mistake == ""
    for room in (made.objects, made.nodes, made.usage, made.traffic, made.machine):
        assert room and isinstance(room._kube, Direct), "figures of nodes come from kubelets"


def test_the_platform_is_reached_by_its_services_and_no_image_is_tagged() -> None:
    import asyncio

    platform = rooms.InsidePlatform(KUBE, "g-7-2-lab-04", "registry.test", {})
    assert asyncio.run(platform.address("mlflow")).startswith("http://mlflow.")
    assert asyncio.run(platform.tagged("v2", "drawn")) == "registry.test/flight-delay:v2"
    platform.close()


def test_the_checkers_own_pods_are_made_in_the_third_place() -> None:
    asked: list[Any] = []

    class Resource:
        namespaced = True

        def server_side_apply(self, **given: Any) -> None:
            asked.append(given)

        def get(self, **given: Any) -> Any:
            asked.append(given)
            return SimpleNamespace(data=b'{"items": [], "kind": "PodList", "apiVersion": "v1"}')

    class Plain(Kube):
        def _resource(self, kind: str, api_version: str | None) -> Any:
            return Resource()

    class Moved(Elsewhere, Plain):
        pass

    kube = Moved(KUBE, "mlops-lab-system", "g-7-2-apart")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "mlops-lab-system"}}
    kube.apply([pod])
    kube.list("Pod", "mlops-lab-system")
    kube.list("Pod", "another")
    assert asked[0]["namespace"] == "g-7-2-apart" and asked[0]["body"]["metadata"]["namespace"] == "g-7-2-apart"
    assert pod["metadata"]["namespace"] == "mlops-lab-system"
    assert [each["namespace"] for each in asked[1:]] == ["g-7-2-apart", "another"]


def test_cpu_that_programs_use_in_the_third_place_is_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops_lab.measure.cluster.node_cpu import used

    def pod(namespace: str, seconds: float) -> dict[str, Any]:
        name = {"namespace": namespace, "name": "p", "uid": namespace}
        return {"podRef": name, "cpu": {"usageCoreNanoSeconds": seconds * 1e9}}

    def said(*_: Any) -> Any:
        node = {"cpu": {"time": "2026-01-01T00:00:00Z", "usageCoreNanoSeconds": 9e9}}
        return {"node": node, "pods": [pod("g-7-2-apart", 5), pod("g-8-1-lab-04", 2), pod("g-7-2-lab-04", 1)]}

    monkeypatch.setattr(Kube, "raw", said)
    monkeypatch.setattr(Direct, "raw", said)
    plain = used(Kube(None, "", None, Path()), "n", "g-7-2-lab-04")
    counted = used(rooms.Counted(KUBE, "mlops-lab-class", "g-7-2-apart", "g-7-2-lab-04"), "n", "g-7-2-lab-04")
    assert plain and counted
    assert set(plain.strange) == {"g-7-2-apart", "g-8-1-lab-04"} and set(counted.strange) == {"g-8-1-lab-04"}


# What is said


def result(check: str = "a", verdict: Verdict = Verdict.PASS, points: int = 10, **more: Any) -> Result:
    return Result(check, "It works", verdict, points, **more)


def test_an_outcome_adds_up_and_is_bounded() -> None:
    many = [
        result(), result("b", Verdict.FAIL, 5, seen="x" * 10**6, expected="\0\ud800", why="w", seed=9),
        result("c", Verdict.ERROR, 2, why="a node is down", evidence=("e" * 10**5,) * 1000),
    ]  # fmt: skip
    said = outcome.outcome(many, "hash", 1.23456)
    assert (said["points"], said["possible"], said["seed"], said["seconds"]) == (10, 17, 9, 1.235)
    assert [each["earned"] for each in said["checks"]] == [10, 0, 0]
    assert [each["verdict"] for each in said["report"]] == ["pass", "fail", "error"]
    assert said["checks"][1]["expected"] == "??" and said["checks"][2]["seen"] == "a node is down"
    assert len(str(said)) < 40_000 and str(said).encode()


def test_the_content_of_a_lab_is_what_a_grader_has_of_it(tmp_path: Path) -> None:
    for name in ("checker", "start", "solution"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    (tmp_path / "lab.toml").write_text("title")
    before = outcome.content_of(tmp_path)
    for name in ("README.md", "proof.json", "solution/file"):
        (tmp_path / name).write_text("another")
    assert outcome.content_of(tmp_path) == before
    (tmp_path / "checker" / "file").write_text("another")
    assert outcome.content_of(tmp_path) != before


def test_what_kubectl_refused_is_told_where_a_check_failed() -> None:
    refused = Ran(1, "one\nerror: it is forbidden\n", 1.0)
    assert grading._with(result(verdict=Verdict.FAIL), refused).evidence[-1] == "kubectl apply: error: it is forbidden"
    assert grading._with(result(), refused).evidence == ()
    assert grading._with(result(verdict=Verdict.FAIL), Ran(0, "applied", 1.0)).evidence == ()


class Told:
    """The server as a grader tells it."""

    def __init__(self, **raises: Exception) -> None:
        self.raises, self.said = raises, list[Any]()

    def archive(self, submission: int, sha256: str) -> bytes:
        return self._done("archive", b"")

    def result(self, submission: int, said: Any) -> str:
        return self._done("result", "graded", said)

    def back(self, submission: int, why: str, tries: int, *, over: bool = False) -> None:
        self._done("back", None, (why, tries, over))

    def looked(self, submission: int, content: bytes) -> Any:
        return self._done("looked", hashlib.sha256(content).hexdigest(), content)

    def alive(self, submission: int) -> None:
        self._done("alive", None)

    def _done(self, name: str, gives: Any, *more: Any) -> Any:
        self.said.append((name, *more))
        if name in self.raises:
            raise self.raises[name]
        return gives


def graded(told: Told, monkeypatch: pytest.MonkeyPatch, results: Callable[[], list[Result]]) -> int:
    grader = Grader(KUBE, cast(Server, told), TASK, "https://api", "CA")
    monkeypatch.setattr(stage, "lay", lambda content, exercise, folder, *_: (folder / ".lab").mkdir(parents=True)
                        or (folder / ".lab" / "kubeconfig").write_text(""))  # fmt: skip
    monkeypatch.setattr(stage, "begin", lambda *_: None)
    monkeypatch.setattr(stage, "put_to_work", lambda *_: None)
    monkeypatch.setattr(Grader, "_kubeconfig", lambda *_: "")
    monkeypatch.setattr(grading.running, "run", lambda *_, **__: results())
    return grading.run(grader, cast(Server, told))


def test_a_result_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    assert graded(told, monkeypatch, lambda: [result()]) == 0
    assert [each[0] for each in told.said] == ["archive", "result"]
    assert told.said[1][1]["lab_content"] == outcome.content_of(resolve("04").folder)


def raises(what: BaseException) -> Callable[[], list[Result]]:
    def run() -> list[Result]:
        raise what

    return run


@pytest.mark.parametrize(
    ("results", "why"),
    [
        (raises(LabError("a node is down", "wait")), "a node is down"),
        (raises(RuntimeError("a bug")), "RuntimeError: a bug"),
        (raises(grading.running.Interrupted([])), "ended"),
        (raises(KeyboardInterrupt()), "ended"),
        (lambda: [result(verdict=Verdict.WAITING)], "no verdict"),
    ],
    ids=["environment", "bug", "interrupted", "ended", "late"],
)
def test_what_is_no_result_goes_back(
    results: Callable[[], list[Result]], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    assert graded(told, monkeypatch, results) == 0
    assert [each[0] for each in told.said] == ["archive", "back"] and why in told.said[-1][1][0]
    assert told.said[-1][1][1:] == (2, False)


def test_a_result_that_nobody_takes_is_the_dispatchers_to_give_back(monkeypatch: pytest.MonkeyPatch) -> None:
    away = LabError("away", "")
    assert graded(Told(result=away, back=away), monkeypatch, lambda: [result()]) == 1
    told = Told(result=Stale("another's", ""))
    assert graded(told, monkeypatch, lambda: [result()]) == 0
    assert [each[0] for each in told.said] == ["archive", "result"]


def test_a_grader_that_has_lost_its_submission_ends() -> None:
    lost = threading.Event()
    with Alive(cast(Server, Told(alive=Stale("another's", ""))), 7, lost.set, every=0.01):
        assert lost.wait(5)
    told = Told(alive=LabError("away", ""))
    with Alive(cast(Server, told), 7, lambda: pytest.fail("it has not"), every=0.01):
        while len(told.said) < 3:
            threading.Event().wait(0.01)
