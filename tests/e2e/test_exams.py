"""Whole sittings on the live cluster: played by the tasks' own solutions one has all points, with nothing done none."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from mlops_lab.base.paths import state
from mlops_lab.exam.handing_in import hand_in
from mlops_lab.exam.sheet import Sheet
from mlops_lab.exam.sitting import Exams
from mlops_lab.exam.state import Sitting, workspace
from mlops_lab.kube.client import Kube
from mlops_lab.labs import images
from mlops_lab.labs.namespaces import MANAGED_BY
from mlops_lab.labs.variants import lay_out, solutions
from mlops_lab.labs.workspace import put_kubeconfig
from mlops_lab.tasks.clusters import place_of
from mlops_lab.tasks.script import answer
from mlops_lab.tasks.standing import found, outside
from mlops_lab.tasks.task import EXAMS, tasks

# The sittings of all exams ask for these.
PARTS = ("tracking", "monitoring", "pipelines")
pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(3600), pytest.mark.parts(*PARTS)]
SEED = 16
# Of a whole sitting, on two cores.
BEGUN_WITHIN, GRADED_WITHIN = 90.0, 240.0


@pytest.fixture
def exams(cluster: Kube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exams:
    """A candidate of the test's own."""
    here = state() / "clusters"
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLOPS_LAB_WORKSPACE", str(tmp_path / "work"))
    shutil.copytree(here, state() / "clusters")
    return Exams(say=print)


def solve(exams: Exams, sitting: Sitting) -> None:
    """Do what each task's first solution does, as a candidate would."""
    for seat in sitting.seats:
        rendered, folder = exams.store.rendered(sitting, seat), workspace(seat)
        place, way = place_of(rendered.task), solutions(rendered)[0]
        images.bring(way.images)
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        lay_out(way, folder, place.registry)
        put_kubeconfig(folder, place.kube, rendered.namespace)
        answer(place, folder)


def graded(exams: Exams) -> tuple[Sheet, float]:
    """Hand it in; the sheet, and the seconds until it was there."""
    shown: list[tuple[Sheet, float]] = []
    began = time.monotonic()
    hand_in(exams, lambda sheet: shown.append((sheet, time.monotonic() - began)))
    return shown[0]


def lost(sheet: Sheet) -> list[str]:
    return [
        f"{task.task} {each.check}: {each.verdict}: expected {each.expected}; saw {each.seen}: {each.why}"
        for task in sheet.tasks
        for each in task.checks
        if each.verdict != "pass"
    ]


@pytest.mark.parametrize("exam", EXAMS)
def test_a_sitting_has_all_points_solved_and_none_untouched_and_leaves_nothing(
    exam: str, exams: Exams, cluster: Kube
) -> None:
    before = {item["metadata"]["name"] for item in cluster.list("Namespace")}
    began = time.monotonic()
    sitting = exams.start(exam, tasks(), seed=SEED)
    took = time.monotonic() - began
    made = [each for seat in sitting.seats for each in outside(exams.store.rendered(sitting, seat).folder)]
    own = {item["metadata"]["name"]: item for item in cluster.list("Namespace")}
    labels = [own[seat.namespace]["metadata"]["labels"] for seat in sitting.seats if seat.namespace in own]
    assert all(each["app.kubernetes.io/managed-by"] == MANAGED_BY for each in labels)

    solve(exams, sitting)
    sheet, grading = graded(exams)
    print(f"{exam}: {len(sitting.seats)} tasks, begun in {took:.0f} s, graded in {grading:.0f} s")
    assert lost(sheet) == []
    assert (sheet.score, sheet.possible) == (100, 100)
    assert not [each for each in made if found(cluster, *each)]
    assert {item["metadata"]["name"] for item in cluster.list("Namespace")} <= before
    assert took < BEGUN_WITHIN
    assert grading < GRADED_WITHIN

    exams.start(exam, tasks(), seed=SEED + 1)
    sheet, _ = graded(exams)
    assert (sheet.earned, sheet.passed) == (0, False)
    assert not [each for task in sheet.tasks for each in task.checks if each.verdict == "error"]
