"""A whole sitting with made-up tasks and a made-up stage: begun, interrupted, handed in, and what is left of it."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from mlops_lab.base import durable
from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.checks.verdicts import Verdict
from mlops_lab.exam import handing_in, practice
from mlops_lab.exam.clock import Clock, Now, now
from mlops_lab.exam.sheet import Sheet
from mlops_lab.exam.stage import Clusters
from mlops_lab.exam.state import Store, workspace
from mlops_lab.exam.view import View
from mlops_lab.labs.running import Interrupted
from mlops_lab.tasks.clusters import KINDS
from mlops_lab.tasks.rendering import Rendered
from mlops_lab.tasks.task import NODES, Task
from tests.made_up_exams import MINUTES, Table, broken_kind, small_bank, table_in


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> list[Task]:
    return small_bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture
def table(bank: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    return table_in(tmp_path, bank, monkeypatch)


def test_begun_every_task_stands_with_a_workspace_of_its_own(table: Table) -> None:
    sitting = table.start()
    assert sitting.phase == "running"
    assert {seat.namespace for seat in sitting.seats} == table.stage.namespaces
    assert all(seat.stands for seat in sitting.seats)
    assert all((workspace(seat) / "notes.txt").is_file() for seat in sitting.seats)
    assert table.exams.text(sitting, sitting.seats[0]).startswith("# The ")
    assert table.exams.look().left == MINUTES * 60


def test_solved_it_has_all_points_and_nothing_is_left(table: Table) -> None:
    sitting = table.start()
    table.solve(sitting)
    sheet = table.hand_in()
    assert (sheet.score, sheet.passed, sheet.possible) == (100, True, 100)
    assert not table.stage.namespaces
    assert table.exams.store.load(1).phase == "ended"
    assert handing_in.sheet_of(Store()) == sheet
    assert not list((workspace(sitting.seats[0]).parent).iterdir())
    kept = [path for path in workspace(sitting.seats[0]).parent.parent.iterdir() if path.name.startswith("exam.")]
    assert (kept[0] / sitting.seats[0].slug / "answer").is_file()


def test_with_nothing_done_it_has_none(table: Table) -> None:
    table.start()
    sheet = table.hand_in()
    assert (sheet.score, sheet.passed, sheet.earned) == (0, False, 0)
    lost = sheet.tasks[0].checks[0]
    assert lost.verdict == "fail"
    assert all((lost.expected, lost.seen, lost.why))


def test_a_part_of_a_task_is_a_part_of_its_weight(table: Table) -> None:
    sitting = table.start()
    table.solve(sitting, 1, more=False)
    sheet = table.hand_in()
    assert sheet.tasks[0].earned == round(sitting.seats[0].weight * 2 / 3, 2)
    assert sheet.earned == sheet.tasks[0].earned == sum(each.earned for each in sheet.domains)
    assert sum(each.possible for each in sheet.domains) == 100


def test_an_error_is_tried_again_then_left_out(table: Table) -> None:
    sitting = table.start()
    table.solve(sitting)
    first, second = sitting.seats[:2]
    table.stage.errors = {f"{first.task}/second": 2, f"{second.task}/first": 99}
    sheet = table.hand_in()
    assert [each.verdict for each in sheet.tasks[0].checks] == ["pass", "pass"]
    assert sheet.tasks[1].checks[0].verdict == "error"
    assert sheet.tasks[1].possible == sheet.tasks[1].earned == round(second.weight / 3, 2)
    assert sheet.score == 100
    assert sheet.possible == pytest.approx(100 - second.weight * 2 / 3, abs=0.01)


def test_what_has_passed_once_blocks_nothing_when_it_is_run_again(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that is tried again brings along what it needs, which may be disturbed by the first try."""
    sitting = table.start()
    table.solve(sitting)
    seat, check = sitting.seats[0], table.stage.check
    table.stage.errors = {f"{seat.task}/second": 1}

    def disturbed(rendered: Any, *given: Any) -> Any:
        results = check(rendered, *given)
        if rendered.name == seat.task and table.stage.checked.count(seat.task) == 2:
            results[0] = replace(results[0], verdict=Verdict.FAIL)
            results[1] = replace(results[1], verdict=Verdict.BLOCKED)
        return results

    monkeypatch.setattr(table.stage, "check", disturbed)
    sheet = table.hand_in()
    assert table.stage.checked.count(seat.task) == 3
    assert [each.verdict for each in sheet.tasks[0].checks] == ["pass", "pass"]


def test_a_deleted_namespace_fails_that_task_alone(table: Table) -> None:
    sitting = table.start()
    table.solve(sitting)
    table.stage.namespaces.discard(sitting.seats[2].namespace)
    sheet = table.hand_in()
    assert [each.verdict for each in sheet.tasks[2].checks] == ["fail", "fail"]
    assert sitting.seats[2].namespace in sheet.tasks[2].checks[0].expected
    assert sheet.earned == 100 - sitting.seats[2].weight


def test_an_exam_while_one_runs_is_refused_in_a_line(table: Table) -> None:
    table.start()
    with pytest.raises(UsageError, match=r"exam 1 \(cka\) is under way, 0:24:00 were left") as raised:
        table.start()
    assert "lab exam resume" in raised.value.hint


def test_handed_in_twice(table: Table) -> None:
    table.start()
    table.hand_in()
    with pytest.raises(UsageError, match="no exam is under way; exam 1 is graded"):
        table.hand_in()


def test_a_start_that_breaks_off_is_gone_on_with_and_the_clock_runs_only_then(table: Table) -> None:
    table.stage.refuses = {"storage-0"}
    with pytest.raises(LabError, match="storage-0 is refused"):
        table.start()
    with pytest.raises(UsageError, match="is being made"):
        table.exams.look()
    table.time.pass_(1000)
    table.stage.refuses = set()
    sitting = table.exams.resume()
    assert len(table.stage.namespaces) == len(sitting.seats)
    assert table.exams.look().left == MINUTES * 60


def test_what_a_killed_command_leaves_is_read_again(table: Table) -> None:
    """Each command begins with what is on the disk."""
    sitting = table.start()
    table.exams.flag(sitting, 2)
    table.exams.note(sitting, 2, "look again")
    table.exams.show(sitting, 2)
    again = table.exams.look().sitting
    assert (again.seats[1].flagged, again.seats[1].note, again.current) == (True, "look again", 2)
    assert not table.exams.flag(again, 2).flagged
    with pytest.raises(UsageError, match="there is no task 99"):
        table.exams.flag(again, 99)


def test_on_another_cluster_all_is_made_anew_and_the_work_on_the_old_one_is_not_graded_as_nothing(table: Table) -> None:
    sitting = table.start()
    table.stage.id, table.stage.namespaces = "another", set()
    with pytest.raises(LabError, match="the cluster on which the exam stood is gone"):
        table.hand_in()
    table.time.pass_(60)
    resumed = table.exams.resume()
    assert len(table.stage.namespaces) == len(sitting.seats)
    assert table.exams.look().left == MINUTES * 60 - 60
    assert resumed.cluster == "another"


def test_resume_makes_what_was_deleted_and_leaves_the_rest(table: Table) -> None:
    sitting = table.start()
    (workspace(sitting.seats[0]) / "notes.txt").write_text("mine")
    table.stage.namespaces.discard(sitting.seats[1].namespace)
    table.exams.resume()
    assert sitting.seats[1].namespace in table.stage.namespaces
    assert (workspace(sitting.seats[0]) / "notes.txt").read_text() == "mine"


def test_on_another_cluster_a_resume_is_advised_only_where_there_can_be_one(table: Table) -> None:
    table.start()
    table.stage.id = "another"
    advised = {}
    for when in ("time left", "time over"):
        with pytest.raises(LabError, match="the cluster on which the exam stood is gone") as raised:
            table.hand_in()
        advised[when] = raised.value.hint
        table.time.pass_(MINUTES * 60)
    with table.exams.store.change(1) as sitting:
        sitting.phase = "grading"
    with pytest.raises(LabError, match="the cluster on which the exam stood is gone") as raised:
        table.hand_in()
    advised["handed in"] = raised.value.hint
    assert {when: "lab exam resume" in hint for when, hint in advised.items()} == {
        "time left": True, "time over": False, "handed in": False,
    }  # fmt: skip
    assert all("lab exam stop" in hint for hint in advised.values())


@pytest.mark.parametrize("how", ["it ends well", "it ends in an error", "it is interrupted"])
@pytest.mark.parametrize("looked", [True, False])
def test_the_time_that_a_resume_takes_does_not_count(
    table: Table, monkeypatch: pytest.MonkeyPatch, how: str, looked: bool
) -> None:
    """Nor that of making the clusters, and whoever looks at the clock meanwhile."""
    sitting = table.start()
    table.time.pass_(60)
    table.stage.namespaces.discard(sitting.seats[1].namespace)
    begin = table.stage.begin

    def made(tasks: Any) -> None:
        table.time.pass_(300)
        if looked:
            table.exams.look()

    def begun(*given: Any) -> None:
        table.time.pass_(40)
        if how == "it is interrupted":
            raise KeyboardInterrupt
        begin(*given)

    monkeypatch.setattr(table.stage, "make", made)
    monkeypatch.setattr(table.stage, "begin", begun)
    table.stage.refuses = {sitting.seats[1].task} if how == "it ends in an error" else set()
    with contextlib.suppress(LabError, KeyboardInterrupt):
        assert table.exams.resume().clock.left == MINUTES * 60 - 60
    assert table.exams.look().left == MINUTES * 60 - 60
    table.time.pass_(10)
    look = table.exams.look()
    assert (look.left, look.sitting.clock.given) == (MINUTES * 60 - 70, 300 if table.stage.refuses else 340)


def test_a_resume_that_an_outage_ends_lets_the_clock_stand(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    table.start()

    def down(tasks: Any) -> None:
        table.time.pass_(300)
        table.stage.down = "the API server does not answer"
        raise LabError(table.stage.down, "see: lab status")

    monkeypatch.setattr(table.stage, "make", down)
    with pytest.raises(LabError):
        table.exams.resume()
    table.time.pass_(300)
    assert table.exams.look().left == MINUTES * 60


def test_the_time_that_a_resume_takes_does_not_count_where_nothing_was_lacking_but_a_cluster(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.start()
    monkeypatch.setattr(table.stage, "make", lambda tasks: table.time.pass_(300))
    assert table.exams.resume().clock.left == MINUTES * 60
    assert table.exams.look().left == MINUTES * 60


def test_resume_goes_on_beside_a_second_cluster_whose_api_server_is_broken(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just this may be the task."""
    sitting = table.start()
    table.describe(sitting, 2, 'cluster = "nodes"')
    monkeypatch.setitem(KINDS, NODES, broken_kind())
    real, there = Clusters(), table.stage.there

    def looked(rendered: Rendered) -> bool:
        return real.there(rendered) if rendered.task.about.cluster == NODES else there(rendered)

    monkeypatch.setattr(table.stage, "there", looked)
    (workspace(sitting.seats[1]) / "notes.txt").write_text("mine")
    table.stage.namespaces.discard(sitting.seats[2].namespace)
    assert table.exams.resume().phase == "running"
    assert sitting.seats[2].namespace in table.stage.namespaces
    assert (workspace(sitting.seats[1]) / "notes.txt").read_text() == "mine"


def test_sleep_counts_and_a_clock_set_back_gives_nothing(table: Table) -> None:
    table.start()
    table.time.pass_(600)
    assert table.exams.look().left == MINUTES * 60 - 600
    table.time.wall -= 3600  # the same boot: the kernel's own count goes on
    table.time.since += 60
    assert table.exams.look().left == MINUTES * 60 - 660
    table.time.boot, table.time.since = "another", 1.0
    table.time.wall -= 3600
    assert table.exams.look().left == MINUTES * 60 - 660
    table.time.pass_(60)
    assert table.exams.look().left == MINUTES * 60 - 720


def test_an_outage_does_not_count_and_that_is_said(table: Table) -> None:
    table.start()
    table.time.pass_(100)
    table.stage.down = "the API server does not answer"
    look = table.exams.look()
    assert (look.left, look.trouble) == (MINUTES * 60 - 100, "the API server does not answer")
    assert "the clock stands" in table.said[-1]
    table.time.pass_(500)
    table.stage.down = ""
    look = table.exams.look()
    assert (look.left, look.given) == (MINUTES * 60 - 100, 500)
    assert "0:08:20 are given back" in table.said[-1]
    table.time.pass_(10)
    assert table.exams.look().left == MINUTES * 60 - 110


def test_graded_after_its_time_the_sheet_says_how_late(table: Table) -> None:
    table.start()
    table.time.pass_(MINUTES * 60 + 90)
    assert table.exams.look().left == -90
    sheet = table.hand_in()
    assert (sheet.late, sheet.used) == (90, MINUTES * 60)


def test_while_the_cluster_does_not_answer_nothing_is_graded_and_it_can_be_done_again(table: Table) -> None:
    table.solve(table.start())
    table.stage.down = "the API server does not answer"
    with pytest.raises(LabError, match="does not answer"):
        table.hand_in()
    table.stage.down = ""
    assert table.hand_in().score == 100


def test_without_any_verdict_nothing_is_graded(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    sitting = table.start()
    table.solve(sitting)
    table.stage.errors = {f"{seat.task}/{name}": 9 for seat in sitting.seats for name in ("first", "second")}
    with pytest.raises(LabError, match="only 0 % of the exam could be graded"):
        table.hand_in()
    table.stage.errors = {}
    assert table.hand_in().score == 100


def test_a_full_disk_costs_nothing(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    sitting = table.start()
    table.solve(sitting)
    write, shown = durable.write, list[Sheet]()

    def full(file: Path, text: str, **more: Any) -> None:
        if "sheet" in file.name or file.parent.name == "results":
            raise LabError(f"{file} cannot be written: No space left on device", "check free disk space")
        write(file, text, **more)

    monkeypatch.setattr(durable, "write", full)
    with pytest.raises(LabError, match="No space left"):
        handing_in.hand_in(table.exams, shown.append)
    assert shown[0].score == 100  # it was seen all the same
    assert table.stage.namespaces  # and nothing is taken away before it is kept
    monkeypatch.setattr(durable, "write", write)
    assert table.hand_in().score == 100
    assert not table.stage.namespaces


def test_a_sheet_that_can_not_be_shown_is_kept_and_the_exam_can_be_ended(table: Table) -> None:
    """Such as on a pipe that is closed, or in a locale without its characters."""
    table.solve(table.start())

    def closed(sheet: Sheet) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        handing_in.hand_in(table.exams, closed)
    assert handing_in.sheet_of(Store(), 1).score == 100
    handing_in.hand_in(table.exams, closed)
    assert table.exams.store.load(1).phase == "ended"
    assert not table.stage.namespaces


def test_a_grading_that_was_killed_goes_on_and_grades_nothing_twice(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = table.start()
    table.solve(sitting)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(handing_in, "page", interrupted)
        table.hand_in()
    with pytest.raises(UsageError, match="handed in, and not graded yet"):
        table.exams.look()
    (workspace(sitting.seats[0]) / "answer").unlink()  # too late
    table.time.pass_(MINUTES * 120)
    sheet = table.hand_in()
    assert (sheet.score, sheet.late, sheet.used) == (100, 0, 0)
    assert len(table.stage.checked) == len(sitting.seats)


def test_a_grading_that_was_interrupted_early_gives_no_time_that_the_sheet_does_not_say(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = table.start()
    table.time.pass_(60)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(table.stage, "check", interrupted)
        table.hand_in()
    table.time.pass_(MINUTES * 60)
    table.solve(sitting)
    sheet = table.hand_in()
    assert (sheet.late, sheet.used) == (60, MINUTES * 60)


def test_what_does_not_go_is_said_and_the_next_call_continues(table: Table) -> None:
    table.start()
    table.stage.refuses = {"storage-0"}
    with pytest.raises(LabError, match=r"not all of the exam could be taken away: task .: storage-0 does not go"):
        table.hand_in()
    assert len(table.stage.namespaces) == 1
    with pytest.raises(UsageError, match="graded, and not cleared away yet"):
        table.start()
    table.stage.refuses = set()
    table.exams.stop()
    assert table.exams.store.load(1).phase == "ended"
    assert not table.stage.namespaces
    assert handing_in.sheet_of(Store()).score == 0


def test_what_stands_on_a_cluster_of_the_exams_own_goes_with_it_however_broken(table: Table) -> None:
    sitting = table.start()
    table.describe(sitting, 2, 'cluster = "nodes"')
    table.stage.refuses = {sitting.seats[1].task}
    table.exams.stop()
    assert table.exams.store.load(1).phase == "stopped"
    assert table.stage.namespaces == {sitting.seats[1].namespace}
    assert sorted(table.stage.ended) == sorted(seat.task for seat in sitting.seats)


def test_where_the_cluster_is_another_one_the_exams_own_goes_all_the_same(table: Table) -> None:
    sitting = table.start()
    table.describe(sitting, 2, 'cluster = "nodes"')
    table.stage.id = "another"
    table.exams.stop()
    assert table.stage.ended == [sitting.seats[1].task]


def test_what_never_goes_may_be_left_and_is_said(table: Table) -> None:
    sitting = table.start()
    table.solve(sitting, 1)
    table.stage.refuses = {"storage-0"}
    with pytest.raises(LabError) as raised:
        table.exams.stop()
    kept = Path(raised.value.detail.removeprefix("your files are in "))
    assert (kept / workspace(sitting.seats[0]).name / "answer").is_file()
    assert "lab exam stop --leave" in raised.value.hint
    assert table.stage.ended == [], "the next try may need it"
    given_up = "exam 1 .* is given up, and not cleared away yet"
    for what in (table.exams.resume, table.exams.look, table.hand_in, table.start):
        with pytest.raises(UsageError, match=given_up) as raised:
            what()
        assert raised.value.hint == "go on with that: lab exam stop"
    table.exams.stop(leave=True)
    assert "left there: task" in table.said[-1]
    assert "storage-0" in table.stage.ended
    assert table.exams.store.load(1).phase == "stopped"


def test_an_exam_whose_cluster_does_not_answer_may_be_left_there(table: Table) -> None:
    """One that is gone for good, such as a user's own."""
    sitting = table.start()
    table.describe(sitting, 2, 'cluster = "nodes"')
    table.stage.down = "the API server does not answer"
    with pytest.raises(LabError, match="does not answer") as raised:
        table.exams.stop()
    assert "lab exam stop --leave" in raised.value.hint
    kept = table.exams.stop(leave=True)
    assert kept is not None
    assert (kept / sitting.seats[0].slug / "notes.txt").is_file()
    assert (
        "left there: all that is on the cluster, which does not answer (the API server does not answer)"
        in table.said[-1]
    )
    assert table.stage.ended == [sitting.seats[1].task], "what is an exam's own goes"
    assert table.exams.store.load(1).phase == "stopped"


@pytest.mark.parametrize("cluster", ["one", "another"])
def test_an_add_on_or_a_cluster_of_the_exams_own_that_does_not_go_may_be_left(
    table: Table, monkeypatch: pytest.MonkeyPatch, cluster: str
) -> None:
    sitting = table.start()
    (workspace(sitting.seats[0]) / "mine").touch()
    table.stage.id = cluster

    def stays(tasks: Any, **more: bool) -> None:
        raise LabError("kubectl did not end within 95 s", "see: lab status", "$ kubectl\nthe namespace is Terminating")

    monkeypatch.setattr(table.stage, "end", stays)
    with pytest.raises(LabError, match="not all of the exam could be taken away: kubectl did not end") as raised:
        table.exams.stop()
    assert "lab exam stop --leave" in raised.value.hint
    (workspace(sitting.seats[0]) / "more").mkdir(parents=True, exist_ok=True)
    (workspace(sitting.seats[0]) / "more" / "mine").touch()
    assert table.exams.stop(leave=True) is not None
    assert "left there: kubectl did not end within 95 s (the namespace is Terminating)" in table.said[-1]
    assert table.exams.store.load(1).phase == "stopped"


@pytest.mark.parametrize("cluster", ["one", "another"])
def test_files_that_can_not_be_removed_may_be_left_and_their_copy_is_said(
    table: Table, monkeypatch: pytest.MonkeyPatch, cluster: str
) -> None:
    """Such as files of root."""
    folder = workspace(table.start().seats[0])
    (folder / "mine").touch()
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", unremovable(shutil.rmtree, folder))
        table.stage.id = cluster
        with pytest.raises(LabError, match=r"not all of it can be removed: .*not permitted") as raised:
            table.exams.stop()
        assert f"sudo rm -rf {folder}" in raised.value.message
        assert "lab exam stop --leave" in raised.value.hint
        kept = table.exams.stop(leave=True)
        assert kept is not None
        assert (kept / folder.name / "mine").is_file()
        assert f"the copy of {folder.parent} is in {kept}" in table.said[-1]
        assert table.exams.store.load(1).phase == "stopped"
        assert list(folder.parent.iterdir()) == [folder]
        with pytest.raises(LabError, match="not all of it can be removed") as raised:
            table.start()
        assert f"sudo rm -rf {folder}" in raised.value.hint
    assert table.start().number == 2


def test_workspaces_that_can_not_be_copied_may_be_left(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = workspace(table.start().seats[0])

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copytree", full)
    with pytest.raises(LabError, match="No space left on device"):
        table.exams.stop()
    assert table.exams.stop(leave=True) is None
    assert (folder / "notes.txt").is_file()
    assert table.exams.store.load(1).phase == "stopped"


def test_a_task_whose_folder_is_lost_may_be_left(table: Table) -> None:
    sitting = table.start()
    shutil.rmtree(table.exams.store.rendered(sitting, sitting.seats[0]).folder)
    with pytest.raises(LabError, match=r"task 1: .*there is no such file"):
        table.exams.stop()
    assert table.stage.namespaces == {sitting.seats[0].namespace}
    assert table.stage.ended == ["all of its own"], "the next try may need the others' add-ons"
    table.exams.stop(leave=True)
    assert table.exams.store.load(1).phase == "stopped"
    assert table.stage.ended[-2:] == ["all of its own", "all add-ons"], "the task may have had them"


def test_with_a_task_whose_folder_is_lost_a_cluster_of_the_exams_own_goes_beside_another_one_too(table: Table) -> None:
    sitting = table.start()
    shutil.rmtree(table.exams.store.rendered(sitting, sitting.seats[0]).folder)
    table.stage.id = "another"
    table.exams.stop()
    assert table.stage.ended == ["all of its own"]


def test_a_cluster_of_the_exams_own_goes_with_all_that_was_broken_on_it(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = table.start()
    table.describe(sitting, 2, 'cluster = "nodes"')
    ended: list[list[str]] = []
    monkeypatch.setattr(table.stage, "end", lambda tasks, **more: ended.append([task.name for task in tasks]))
    table.stage.refuses = {sitting.seat(1).task, sitting.seat(2).task}  # what is broken there can't be taken back
    with pytest.raises(LabError, match=f"taken away: task 1: {sitting.seat(1).task} does not go"):
        table.exams.stop()
    assert sitting.seat(2).task in ended[0]
    assert sitting.seat(1).task not in ended[0]
    table.stage.refuses -= {sitting.seat(1).task}
    table.exams.stop()
    assert set(ended[-1]) == {seat.task for seat in sitting.seats}


def test_given_up_it_is_not_graded_and_all_goes(table: Table) -> None:
    sitting = table.start()
    (workspace(sitting.seats[0]) / "mine").touch()
    kept = table.exams.stop()
    assert kept is not None
    assert (kept / sitting.seats[0].slug / "mine").is_file()
    assert not table.stage.namespaces
    with pytest.raises(UsageError, match="exam 1 was given up; it has no sheet"):
        handing_in.sheet_of(Store(), 1)
    assert table.start().number == 2


def test_given_up_although_its_cluster_is_gone(table: Table) -> None:
    table.start()
    table.stage.id = ""
    table.exams.stop()
    assert table.exams.store.load(1).phase == "stopped"


def test_only_while_practising_are_there_checks_hints_and_resets(table: Table) -> None:
    sitting = table.start()
    for what in (
        lambda: practice.check(table.exams, sitting, 1, []),
        lambda: practice.hint(table.exams, sitting, 1),
        lambda: practice.reset(table.exams, sitting, 1),
    ):
        with pytest.raises(UsageError, match="before its end"):
            what()


def test_once_it_is_handed_in_nothing_is_practised_and_no_clock_goes_on(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = table.start(practice=True)
    known = practice.checks(table.exams, before, 1)
    with monkeypatch.context() as patched, pytest.raises(LabError, match="the disk is full"):
        patched.setattr(handing_in, "sheet", Mock(side_effect=LabError("the disk is full", "make room")))
        table.hand_in()
    sitting, table.stage.checked = table.exams.store.load(1), []
    table.time.pass_(60)
    for what in (
        lambda: practice.check(table.exams, sitting, 1, known),
        lambda: practice.check(table.exams, before, 1, known),  # handed in since it was read
        lambda: practice.hint(table.exams, sitting, 1),
        lambda: practice.reset(table.exams, sitting, 1),
        lambda: View(1, table.exams).check(1),
    ):
        with pytest.raises(UsageError, match="is handed in, and not graded yet") as refused:
            what()
        assert "lab exam submit" in refused.value.hint
    assert (table.exams.store.load(1), table.stage.checked) == (sitting, [])
    table.hand_in()
    with pytest.raises(UsageError, match="is over"):
        View(1, table.exams).check(1)


def test_practising(table: Table) -> None:
    sitting = table.start(practice=True)
    table.solve(sitting, 1, more=False)
    known = practice.checks(table.exams, sitting, 1)
    results = practice.check(table.exams, sitting, 1, known)
    assert [result.verdict for result in results] == ["pass", "fail"]
    assert table.exams.look().sitting.seats[0].checked == (2, 3)
    assert practice.hint(table.exams, sitting, 1) == ["Hint 1."]
    assert practice.hint(table.exams, sitting, 1) == ["Hint 1.", "Hint 2."]
    table.stage.refuses = {sitting.seats[0].task}
    with pytest.raises(LabError, match="does not go"):
        practice.reset(table.exams, sitting, 1)
    kept = Path(table.said[-1].removeprefix("your files of task 1 are in "))
    assert (kept / "answer").is_file(), "it is said before anything can go wrong"
    table.stage.refuses = set()
    seat = practice.reset(table.exams, sitting, 1)
    assert not (workspace(seat) / "answer").exists()
    assert table.exams.look().sitting.seats[0].checked is None
    assert table.hand_in().tasks[0].hints == 2


def test_the_time_of_checks_in_error_is_given_back(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    sitting = table.start(practice=True)
    check = table.stage.check

    def slow(*given: Any) -> Any:
        table.time.pass_(90)
        return check(*given)

    monkeypatch.setattr(table.stage, "check", slow)
    known = practice.checks(table.exams, sitting, 1)
    practice.check(table.exams, sitting, 1, known)
    assert table.exams.look().left == MINUTES * 60 - 90
    table.stage.errors = {f"{sitting.seats[0].task}/first": 1}
    practice.check(table.exams, sitting, 1, known)
    assert table.exams.look().left == MINUTES * 60 - 90
    assert "0:01:30 are given back" in table.said[-1]


def test_the_time_of_checks_in_error_is_given_back_also_where_the_rest_is_interrupted(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = table.start(practice=True)
    table.stage.errors = {f"{sitting.seats[0].task}/first": 1}
    known, check = practice.checks(table.exams, sitting, 1), table.stage.check

    def slow(*given: Any) -> Any:
        table.time.pass_(90)
        raise Interrupted([*check(*given)[:1], replace(check(*given)[1], verdict=Verdict.WAITING)])

    monkeypatch.setattr(table.stage, "check", slow)
    with pytest.raises(Interrupted):
        practice.check(table.exams, sitting, 1, known)
    look = table.exams.look()
    assert (look.left, look.sitting.seats[0].checked) == (MINUTES * 60, None)
    assert "0:01:30 are given back" in table.said[-1]
    with pytest.raises(Interrupted):
        practice.check(table.exams, sitting, 1, known)
    assert table.exams.look().left == MINUTES * 60 - 90, "none ended in an error"


def test_while_the_clock_stands_the_time_of_checks_in_error_is_given_back_once(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = table.start(practice=True)
    known, check = practice.checks(table.exams, sitting, 1), table.stage.check

    def slow(*given: Any) -> Any:
        table.time.pass_(90)
        return check(*given)

    monkeypatch.setattr(table.stage, "check", slow)
    monkeypatch.setattr(table.stage, "there", lambda rendered: True)
    table.time.pass_(600)
    table.stage.down = "the API server does not answer"
    table.exams.look()
    practice.check(table.exams, sitting, 1, known)
    assert "0:01:30 are given back" in table.said[-1]
    table.time.pass_(500)
    practice.check(table.exams, sitting, 1, known)
    table.stage.down = ""
    look = table.exams.look()
    assert (look.left, look.sitting.clock.given) == (MINUTES * 60 - 600, 680)
    table.time.pass_(10)
    assert table.exams.look().left == MINUTES * 60 - 610


def test_long_work_is_done_by_one_command_at_a_time(table: Table) -> None:
    table.start()
    with table.exams.store.work():
        for what in (table.exams.resume, table.exams.stop, table.hand_in):
            with pytest.raises(LabError, match="another `lab` command is using the exam"):
                what()


def test_two_windows_lose_nothing_of_each_other(table: Table) -> None:
    sitting = table.start()
    with ThreadPoolExecutor(8) as pool:
        for turn in range(40):
            pool.submit(table.exams.note, sitting, turn % 5 + 1, f"from turn {turn}")
            pool.submit(table.exams.flag, sitting, turn % 5 + 1)
            pool.submit(table.exams.look)
    seats = table.exams.look().sitting.seats
    assert all(seat.note.startswith("from turn") for seat in seats)
    assert not any(seat.flagged for seat in seats)  # each was flagged eight times


def test_a_state_that_is_damaged_is_said_with_what_to_do(table: Table) -> None:
    table.start()
    (table.exams.store.folder(1) / "sitting.json").write_text("{")
    with pytest.raises(LabError, match="the state of exam 1 is damaged") as raised:
        table.exams.look()
    assert "mv " in raised.value.hint
    folder = table.exams.store.folder(1)
    folder.rename(f"{folder}.damaged")
    assert table.exams.store.open() is None


def test_a_sheet_that_is_gone_is_said(table: Table) -> None:
    table.start()
    table.hand_in()
    (table.exams.store.folder(1) / "sheet.json").unlink()
    with pytest.raises(UsageError, match="exam 1 was graded, and its sheet is gone"):
        handing_in.sheet_of(Store(), 1)


def test_a_note_that_is_not_utf_8_is_refused_and_nothing_is_lost(table: Table) -> None:
    sitting = table.start()
    table.exams.note(sitting, 2, "größer")
    with pytest.raises(UsageError, match="not UTF-8") as raised:
        table.exams.note(sitting, 2, b"gr\xf6\xdfer".decode(errors="surrogateescape"))
    assert "lab exam note 2" in raised.value.hint
    assert table.exams.look().sitting.seats[1].note == "größer"


def test_what_an_exam_has_left_whose_file_was_deleted_counts_for_no_other(table: Table) -> None:
    sitting = table.start()
    table.solve(sitting)
    assert table.hand_in().score == 100
    store = table.exams.store
    (store.folder(1) / "sitting.json").unlink()
    assert table.start().number == 2
    assert table.hand_in().score == 0
    shutil.rmtree(store.folder(2))
    assert (store.numbers(), table.start().number) == ([], 2), "nothing of it is left"


def test_there_was_no_such_exam(table: Table) -> None:
    with pytest.raises(UsageError, match="there was no exam 9"):
        handing_in.sheet_of(Store(), 9)
    with pytest.raises(UsageError, match="no exam was graded yet"):
        handing_in.sheet_of(Store())


def unremovable(rmtree: Callable[..., None], folder: Path) -> Callable[..., None]:
    """`shutil.rmtree`, which does not remove one folder."""

    def removed(path: Path, *given: Any, **more: Any) -> None:
        if path != folder:
            rmtree(path, *given, **more)
        elif not more.get("ignore_errors"):
            raise PermissionError(1, "Operation not permitted")

    return removed


def interrupted(*given: Any) -> str:
    raise KeyboardInterrupt


def test_tasks_that_claim_the_same_are_graded_one_after_the_other_and_others_beside_them(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = table.start()
    for number in (1, 3, 4):
        table.describe(sitting, number, 'claims = ["worker"]')
    claiming = {sitting.seat(number).task for number in (1, 3, 4)}
    check, at_work, together = table.stage.check, set[str](), list[set[str]]()

    def slow(rendered: Any, *given: Any) -> Any:
        at_work.add(rendered.name)
        together.append(set(at_work))
        time.sleep(0.05)
        at_work.discard(rendered.name)
        return check(rendered, *given)

    monkeypatch.setattr(table.stage, "check", slow)
    table.hand_in()
    assert max(len(each & claiming) for each in together) == 1
    assert max(len(each) for each in together) > 1


@pytest.mark.parametrize(("down", "verdict"), [("its API server does not answer", "fail"), ("", "error")])
def test_what_the_candidate_has_broken_of_a_cluster_to_break_is_a_failure_and_not_an_error(
    table: Table, monkeypatch: pytest.MonkeyPatch, down: str, verdict: str
) -> None:
    sitting = table.start()
    table.describe(sitting, 2, 'cluster = "nodes"')
    table.stage.errors = {f"{sitting.seats[1].task}/{name}": 9 for name in ("first", "second")}
    monkeypatch.setattr(table.stage, "broken", lambda task: down)
    sheet = table.hand_in()
    assert {each.verdict for each in sheet.tasks[1].checks} == {verdict}
    assert sheet.possible == 100 - (0 if down else sitting.seats[1].weight)


@pytest.mark.parametrize("when", ["before it is handed in", "while it is graded"])
def test_a_second_cluster_that_a_restart_of_the_engine_has_stopped_is_started_and_graded(
    table: Table, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    sitting = table.start()
    table.solve(sitting)
    table.describe(sitting, 2, 'cluster = "nodes"')
    check = table.stage.check

    def restarted(*given: Any) -> Any:
        table.stage.still = table.stage.still or not table.stage.checked
        return check(*given)

    if when == "while it is graded":
        monkeypatch.setattr(table.stage, "check", restarted)
    table.stage.still = when == "before it is handed in"
    monkeypatch.setattr(table.stage, "broken", lambda task: "its API server does not answer")
    assert table.hand_in().score == 100


def test_while_a_stopped_second_cluster_does_not_start_nothing_is_graded(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.solve(table.start())

    def still(tasks: Any) -> None:
        raise LabError("nodes do not start", "try again")

    with monkeypatch.context() as patch, pytest.raises(LabError, match="nodes do not start"):
        patch.setattr(table.stage, "wake", still)
        table.hand_in()
    assert table.hand_in().score == 100


def test_where_the_kernel_tells_no_time_the_walls_counts() -> None:
    clock = Clock(100)
    clock.begin(Now(1000))
    clock.look(Now(1010))
    assert clock.left == 90
    clock.look(Now(500))
    assert clock.left == 90
    clock.look(Now(505))
    assert clock.left == 85
    clock.give_back(1000)
    assert (clock.left, clock.given) == (100, 15)


def test_now_is_of_this_boot() -> None:
    before, after = now(), now()
    assert after.wall >= before.wall
    assert after.boot == before.boot
    assert after.since >= before.since
