"""Grading on a cluster that is not well: it is waited for, and what could hardly be graded is no sheet."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base import waiting
from mlops_lab.base.errors import LabError
from mlops_lab.exam import grading, handing_in
from mlops_lab.exam.state import Store
from tests.made_up_exams import Table, small_bank, table_in


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    return table_in(tmp_path, small_bank(tmp_path / "bank"), monkeypatch)


class Waits:
    """Time that passes in waits only; a test says when the cluster gets well."""

    def __init__(self, table: Table) -> None:
        self.table, self.passed, self.well_after = table, 0.0, float("inf")

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
        if self.passed >= self.well_after:
            self.table.stage.ill = ""


@pytest.fixture
def waits(table: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waits]:
    found = Waits(table)
    monkeypatch.setattr(waiting, "time", found)
    yield found


def test_a_cluster_that_answers_and_is_not_well_yet_is_waited_for(table: Table, waits: Waits) -> None:
    sitting = table.start()
    table.solve(sitting)
    table.stage.ill, waits.well_after = "node lab-worker is not Ready", 20
    sheet = table.hand_in()
    assert (sheet.score, sheet.possible) == (100, 100)
    assert waits.passed == pytest.approx(20, abs=grading._ASK_EVERY)
    assert len(table.stage.checked) == 2 * len(sitting.seats)


def test_the_wait_for_a_cluster_that_stays_unwell_has_a_limit_for_all_tasks_together(
    table: Table, waits: Waits
) -> None:
    sitting = table.start()
    table.stage.ill = "node lab-worker is not Ready"
    with pytest.raises(LabError, match="0 % of the exam could be graded") as raised:
        table.hand_in()
    assert waits.passed <= grading.AGAIN * grading._WELL_WITHIN
    assert len(table.stage.checked) == len(sitting.seats) * (1 + grading.AGAIN)
    assert "a node is not Ready" in raised.value.detail


def test_of_an_exam_of_which_most_could_not_be_graded_there_is_no_sheet_and_nothing_is_taken_away(
    table: Table, waits: Waits
) -> None:
    """What was earned of a little of it says nothing, and the cluster may be unwell by what the candidate did."""
    sitting = table.start()
    little = min(sitting.seats, key=lambda seat: seat.weight)
    table.describe(sitting, little.number, 'cluster = "nodes"')
    table.solve(sitting)
    table.stage.ill = "Deployment kube-system/coredns has 0 of 2 pods available"
    with pytest.raises(LabError, match=f"{little.weight} % of the exam could be graded") as raised:
        table.hand_in()
    assert "lab exam submit --as-it-is" in raised.value.hint
    assert table.exams.store.load(1).phase == "grading"
    assert len(table.stage.namespaces) == len(sitting.seats)
    table.stage.ill = ""
    assert table.hand_in().score == 100


def test_kept_as_it_is_it_is_not_passed(table: Table, waits: Waits) -> None:
    sitting = table.start()
    little = min(sitting.seats, key=lambda seat: seat.weight)
    table.describe(sitting, little.number, 'cluster = "nodes"')
    table.solve(sitting)
    table.stage.ill = "Deployment kube-system/coredns has 0 of 2 pods available"
    sheet = table.hand_in(as_it_is=True)
    assert (sheet.score, sheet.possible, sheet.passed) == (100, little.weight, False)
    assert handing_in.sheet_of(Store(), 1) == sheet
    assert table.exams.store.load(1).phase == "ended"


def test_where_most_was_graded_what_was_not_is_left_out_as_before(table: Table, waits: Waits) -> None:
    sitting = table.start()
    table.solve(sitting)
    little = min(sitting.seats, key=lambda seat: seat.weight)
    table.stage.errors = {f"{little.task}/{name}": 9 for name in ("first", "second")}
    sheet = table.hand_in()
    assert (sheet.score, sheet.possible, sheet.passed) == (100, 100 - little.weight, True)
    assert waits.passed == 0


def test_interrupted_it_begins_no_other_task_and_says_what_it_waits_for(
    table: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sitting = table.start()
    for seat in sitting.seats:
        table.describe(sitting, seat.number, 'cluster = "nodes"')  # so one waits for the other
    check, begun = table.stage.check, threading.Event()

    def slow(*given: Any) -> Any:
        begun.set()
        time.sleep(1.5)
        return check(*given)

    class Interrupted(threading.Thread):
        def run(self) -> None:
            begun.wait(30)
            time.sleep(0.5)  # who starts the thread that grades waits for it by then
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # Ctrl-C

    monkeypatch.setattr(table.stage, "check", slow)
    capsys.readouterr()
    Interrupted().start()
    with pytest.raises(KeyboardInterrupt):
        table.hand_in()
    assert len(table.stage.checked) == 1
    assert "ending; what is being graded is graded to its end" in capsys.readouterr().err
    monkeypatch.setattr(table.stage, "check", check)
    assert table.hand_in().possible == 100
    assert len(table.stage.checked) == len(sitting.seats)
