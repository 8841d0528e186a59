"""The learner's records: what is remembered, also with several commands at once, and what a broken file becomes."""

from __future__ import annotations

import contextlib
import multiprocessing
import shlex
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.hints import hints
from mlops_lab.learner.hints import next_hint, solution
from mlops_lab.learner.records import Progress, Records

HINTS = "# Hints\n\n## 1\nLook there.\n\n## 2 what\nLook for that.\n\n## 3\nWrite this.\n"


def result(verdict: Verdict, points: int = 2) -> Result:
    return Result("a", "A.", verdict, points)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "state/records.sqlite")


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    folder = tmp_path / "10-scale"
    for name in ("kustomize", "manifests"):
        (folder / "solution" / name).mkdir(parents=True)
        (folder / "solution" / name / "model.yaml").write_text(name)
    (folder / "hints.md").write_text(HINTS)
    return Exercise(folder, "10", "scale")


def test_a_lab_goes_from_new_to_passed_and_keeps_its_best(records: Records, tmp_path: Path) -> None:
    assert records.progress() == {}
    records.start("10", tmp_path)
    assert records.progress()["10"] == Progress("started")
    records.attempt("10", [result(Verdict.PASS, 3), result(Verdict.FAIL)], whole=True)
    assert records.progress()["10"] == Progress("tried", 3, 5, 1)
    records.attempt("10", [result(Verdict.PASS, 3), result(Verdict.PASS)], whole=True)
    records.attempt("10", [result(Verdict.ERROR, 3), result(Verdict.FAIL)], whole=True)
    assert records.progress()["10"] == Progress("passed", 5, 5, 3)
    assert records.passed("10")
    assert [each.points for each in records.attempts()] == [3, 5, 0]


@pytest.mark.parametrize(
    ("attempts", "best", "possible"),
    [
        ([(13, 13), (11, 12)], 13, 13),  # the lab's points have changed since
        ([(13, 13), (12, 12)], 13, 13),
        ([(6, 13), (11, 12)], 11, 12),
        ([(7, 13), (7, 12)], 7, 12),
        ([(0, 13), (0, 12)], 0, 12),
        ([(9, 9), (10, 12)], 9, 9),
        ([(0, 0), (0, 12)], 0, 12),
    ],
)
def test_the_best_attempt_says_what_its_points_are_out_of(
    records: Records, attempts: list[tuple[int, int]], best: int, possible: int
) -> None:
    for earned, out_of in attempts:
        results = [result(Verdict.PASS, earned), result(Verdict.FAIL, out_of - earned)]
        records.attempt("10", [each for each in results if each.points], whole=True)
    assert records.progress()["10"].best == best and records.progress()["10"].possible == possible


def test_a_part_of_the_checks_never_passes_a_lab(records: Records) -> None:
    records.attempt("10", [result(Verdict.PASS)], whole=False)
    assert records.progress()["10"] == Progress("tried", None, None, 1)
    records.attempt("10", [], whole=True)
    assert not records.passed("10")


def test_hints_come_one_by_one_and_are_remembered(records: Records, exercise: Exercise) -> None:
    assert next_hint(exercise, records) == ["Look there."]
    again = Records(records.file)
    assert next_hint(exercise, again) == ["Look there.", "Look for that."]
    assert len(next_hint(exercise, again)) == 3
    assert len(next_hint(exercise, again)) == 3
    assert again.progress()["10"].hints == 3


@pytest.mark.parametrize(
    "text", ["", "## 1\na\n## 2\nb\n", "## 1\n\n## 2\nb\n## 3\nc\n", "## 1\na\n## 2\nb\n## 4\nc\n"]
)
def test_hints_that_are_not_three_tiers_are_the_labs_fault(exercise: Exercise, text: str) -> None:
    (exercise.folder / "hints.md").write_text(text)
    with pytest.raises(LabError, match="## 1, ## 2 and ## 3"):
        hints(exercise)
    (exercise.folder / "hints.md").unlink()
    with pytest.raises(LabError, match="there is no such file"):
        hints(exercise)


def test_a_solution_stays_shut_until_a_pass(records: Records, exercise: Exercise) -> None:
    with pytest.raises(LabError, match="its solution is not shown") as caught:
        solution(exercise, records, reveal=False)
    assert "--reveal" in caught.value.hint
    assert records.progress() == {}
    records.attempt("10", [result(Verdict.PASS)], whole=True)
    assert list(solution(exercise, records, reveal=False)) == ["kustomize", "manifests"]
    assert not records.progress()["10"].revealed


def test_a_revealed_solution_is_kept_in_the_record_even_after_a_pass(records: Records, exercise: Exercise) -> None:
    shown = solution(exercise, records, reveal=True, name="manifests")
    assert shown == {"manifests": {"model.yaml": "manifests"}}
    records.attempt("10", [result(Verdict.PASS)], whole=True)
    solution(exercise, records, reveal=True)
    assert records.progress()["10"].revealed
    assert records.progress()["10"].state == "passed"


def test_an_unknown_solution_reveals_nothing(records: Records, exercise: Exercise) -> None:
    with pytest.raises(LabError, match="no solution 'helm'") as caught:
        solution(exercise, records, reveal=True, name="helm")
    assert "kustomize, manifests" in caught.value.hint
    assert not records.file.exists() or not records.progress()


def _write(file: Path, times: int) -> None:
    records = Records(file)
    for _ in range(times):
        records.attempt("10", [result(Verdict.PASS)], whole=True)
        records.take_hint("10", 10_000)


def test_two_processes_lose_nothing(records: Records) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(records.file, 25)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert (records.progress()["10"].attempts, records.progress()["10"].hints) == (50, 50)


def test_the_first_commands_may_come_at_once(records: Records) -> None:
    """SQLite does not wait by itself where one connection writes and another makes the file one of write-ahead mode."""
    records.file.parent.mkdir()
    with contextlib.closing(sqlite3.connect(records.file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("CREATE TABLE first (id)")
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.5, other.execute, ["COMMIT"]).start()
        records.attempt("10", [result(Verdict.PASS)], whole=True)
    assert len(records.attempts()) == 1


def test_who_waits_in_vain_for_another_command_is_not_told_to_move_the_records_away(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_lab.learner.records._PATIENCE", 0.3)
    records.ready()
    with contextlib.closing(sqlite3.connect(records.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LabError, match="database is locked") as caught:
            records.ready()
    assert "another `lab` command" in caught.value.hint and "mv" not in caught.value.hint


def test_what_is_advised_works_in_a_folder_with_spaces(tmp_path: Path) -> None:
    file = tmp_path / "Ada L/records.sqlite"
    file.parent.mkdir()
    file.write_text("not a database, but a diary" * 100)
    with pytest.raises(LabError) as caught:
        Records(file).progress()
    command = caught.value.hint[caught.value.hint.index("mv ") :].partition(")")[0]
    assert shlex.split(command) == ["mv", str(file), f"{file}.damaged"]


@pytest.mark.parametrize("ask", [Records.progress, Records.attempts])
def test_a_folder_that_is_closed_to_us_is_said(
    records: Records, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Records], object]
) -> None:
    def closed(*given: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", closed)
    with pytest.raises(LabError, match=r"can't be read or written: .*Permission denied"):
        ask(records)


def test_a_file_that_is_no_database_is_the_environments_fault_and_is_left(records: Records) -> None:
    records.file.parent.mkdir()
    records.file.write_text("not a database, but a diary" * 100)
    with pytest.raises(LabError, match="can't be read or written"):
        records.progress()
    assert records.file.read_text().startswith("not a database")
