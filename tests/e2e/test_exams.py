"""Whole sittings on the live cluster: played by the tasks' own solutions one has all points, with nothing done none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlops_lab.cluster import second
from mlops_lab.cluster.names import NAMESPACE
from mlops_lab.exam.handing_in import hand_in
from mlops_lab.exam.sheet import Sheet
from mlops_lab.exam.sitting import Exams
from mlops_lab.exam.state import Sitting, workspace
from mlops_lab.kube.client import Kube
from mlops_lab.labs.namespaces import MANAGED_BY
from mlops_lab.labs.target import target
from mlops_lab.labs.variants import solutions
from mlops_lab.proof import leftovers
from mlops_lab.proof.outage import paused_api_server
from mlops_lab.proof.tasks import work
from mlops_lab.tasks.clusters import place_of
from mlops_lab.tasks.standing import found, outside
from mlops_lab.tasks.task import EXAMS, MAIN, Task, named, tasks
from tests.candidate import candidate
from tests.e2e.conftest import docker
from tests.made_up_exams import made_up_task

# The sittings of all exams ask for these.
PARTS = ("tracking", "monitoring", "pipelines")
pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(3600), pytest.mark.parts(*PARTS)]
SEED = 16
# Of a whole sitting, on two cores.
BEGUN_WITHIN, GRADED_WITHIN = 90.0, 240.0
# Namespaces that nobody takes away, in which a task may have left something.
SHARED = ("default", "kube-system", "kube-public", NAMESPACE)
GONE_WITHIN = 60.0  # s more, for volumes
OUTAGE = 3.0  # s, beside the five until it is seen; ten cost the controllers their leases
ASKS = '''
from mlops_lab.checks import check
from mlops_lab.tasks.drawing import drawn
from .draw import Drawn

D = drawn(Drawn, __file__)

@check(points=1)
async def asks(lab) -> None:
    """The API server answers."""
    await lab.objects.all("Pod")
'''


@pytest.fixture
def exams(cluster: Kube, tmp_path: Path) -> Iterator[Exams]:
    """A candidate of the test's own; an exam that a failure has left goes."""
    with candidate(tmp_path / "home"):
        made = Exams(say=print)
        yield made
        if made.store.open():
            made.stop(leave=True)


def solve(exams: Exams, sitting: Sitting) -> None:
    """Do what each task's first solution does, as a candidate would."""
    for seat in sitting.seats:
        rendered = exams.store.rendered(sitting, seat)
        work(place_of(rendered.task), rendered, solutions(rendered)[0], workspace(seat))


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


def around(cluster: Kube) -> set[str]:
    """What is in no namespace, marks on nodes, and what is in namespaces that all share."""
    shared = {f"{space}: {name}" for space in SHARED for name in leftovers.inside(cluster, space)}
    return shared | set(leftovers.around(cluster, ""))


def left(cluster: Kube, before: set[str], sitting: Sitting) -> list[str]:
    """What a sitting has left; its volumes go a moment later than all else."""
    spaces = {seat.namespace for seat in sitting.seats}

    def look() -> list[str]:
        volumes = [
            each["metadata"]["name"]
            for each in cluster.list("PersistentVolume")
            if (each["spec"].get("claimRef") or {}).get("namespace") in spaces
        ]
        return sorted(around(cluster) - before) + volumes

    until(lambda: not look(), GONE_WITHIN)
    return look()


def until(condition: Callable[[], object], within: float) -> bool:
    """Wait until it holds; does it?"""
    end = time.monotonic() + within
    while not (holds := condition()) and time.monotonic() < end:
        time.sleep(1)
    return bool(holds)


@pytest.mark.parametrize("exam", EXAMS)
def test_a_sitting_has_all_points_solved_and_none_untouched_and_leaves_nothing(
    exam: str, exams: Exams, cluster: Kube
) -> None:
    before = around(cluster)
    sitting = exams.start(exam, tasks(), seed=SEED)
    made = [each for seat in sitting.seats for each in outside(exams.store.rendered(sitting, seat).folder)]
    own = {item["metadata"]["name"]: item for item in cluster.list("Namespace")}
    labels = [own[seat.namespace]["metadata"]["labels"] for seat in sitting.seats if seat.namespace in own]
    assert all(each["app.kubernetes.io/managed-by"] == MANAGED_BY for each in labels)

    solve(exams, sitting)
    sheet, grading = graded(exams)
    assert lost(sheet) == []
    assert (sheet.score, sheet.possible) == (100, 100)
    assert not [each for each in made if found(cluster, *each)]
    assert left(cluster, before, sitting) == []

    began = time.monotonic()
    again = exams.start(exam, tasks(), seed=SEED)  # all that it needs is there now
    took = time.monotonic() - began
    print(f"{exam}: {len(sitting.seats)} tasks, begun in {took:.0f} s, graded in {grading:.0f} s")
    assert [(each.task, each.seed, each.weight) for each in again.seats] == [
        (each.task, each.seed, each.weight) for each in sitting.seats
    ]
    sheet, _ = graded(exams)
    assert (sheet.earned, sheet.passed) == (0, False)
    assert not [each for task in sheet.tasks for each in task.checks if each.verdict == "error"]
    assert left(cluster, before, again) == []
    assert took < BEGUN_WITHIN
    assert grading < GRADED_WITHIN


def one_task() -> Task:
    """A task that stands on the cluster alone."""
    plain = [each for each in tasks() if each.about.cluster == MAIN and not (each.about.needs or each.about.addons)]
    return next(each for each in plain if "cka" in each.about.exams)


def test_an_outage_in_the_middle_of_a_sitting_does_not_count(exams: Exams) -> None:
    task, said = one_task(), list[str]()
    exams.say = said.append
    exams.start("cka", [task], only=[task.name])
    first, began = exams.look(), time.monotonic()
    assert (first.trouble, first.given) == ("", 0)
    with paused_api_server(target().control_plane):
        down = exams.look()
        assert down.trouble and "the clock stands" in said[-1]
        time.sleep(OUTAGE)
    assert until(lambda: not exams.look().trouble, within=60)
    last, passed = exams.look(), time.monotonic() - began
    clock = last.sitting.clock
    assert clock.given >= OUTAGE
    assert any("are given back" in line for line in said)
    assert first.left - last.left == pytest.approx(passed - clock.given, abs=1)
    sheet, _ = graded(exams)
    assert sheet.given_back >= OUTAGE
    assert sheet.used <= task.about.minutes * 60 - last.left + 5


def test_a_broken_second_cluster_stops_no_command_is_the_candidates_and_goes(exams: Exams, tmp_path: Path) -> None:
    bank = tmp_path / "bank"
    folder = made_up_task(bank, "ask-for-pods", {"cka": "troubleshooting"})
    (folder / "checker/__init__.py").write_text(ASKS)
    with (folder / "task.toml").open("a") as file:
        file.write('cluster = "nodes"\n')
    sitting = exams.start("cka", tasks(bank), only=["ask-for-pods"])
    (seat,) = sitting.seats
    there = second.found()
    assert there
    docker("exec", there.nodes[0], "mv", "/etc/kubernetes/manifests/kube-apiserver.yaml", "/root/")
    assert until(lambda: exams.stage.broken(named("ask-for-pods", bank)), within=90)
    (workspace(seat) / "mine").touch()
    assert exams.look().trouble == ""
    assert exams.resume().phase == "running"
    assert (workspace(seat) / "mine").exists(), "nothing was made anew"
    sheet, _ = graded(exams)
    (check,) = sheet.tasks[0].checks
    assert (check.verdict, sheet.possible) == ("fail", 100)
    assert "does not answer after what was done to it" in check.why
    assert second.found() is None
    assert not docker("ps", "-aq", "--filter", "label=io.x-k8s.kind.cluster=mlops-lab-exam")
