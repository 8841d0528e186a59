"""What is kept of a task's proof: it holds as long as the task is as it was, and the page shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_lab.proof import page, proofs
from mlops_lab.proof import tasks as proof
from mlops_lab.proof.content import content_of
from mlops_lab.proof.ledger import DISHONEST, HONEST
from mlops_lab.tasks.task import Task, named
from tests.made_up_exams import made_up_task


@pytest.fixture
def task(tmp_path: Path) -> Task:
    made_up_task(tmp_path / "exam", "good", {"cka": "storage"})
    return named("good", tmp_path / "exam")


def keep(task: Task, tmp_path: Path, outcome: str) -> None:
    stage = proof.TaskStage.__new__(proof.TaskStage)
    stage._task, stage._seed, stage._turn, stage._folder = task, proof.SEED, 0, tmp_path / "stage"
    content = content_of(stage._render())
    steps = {"start": {"outcome": outcome, "seconds": 2.0, "at": "2026-11-27T10:00:00+00:00"}}
    proofs.keep(proof.kept_of(task), steps, content, {proofs.WHOLE: ["start"]})


def test_a_proof_holds_until_the_task_changes(task: Task, tmp_path: Path) -> None:
    assert not proof.holds(task)
    keep(task, tmp_path, HONEST)
    assert proof.holds(task)
    with (task.folder / "README.md").open("a") as file:
        file.write("One more sentence.\n")
    assert not proof.holds(task)


def test_tasks_that_are_to_be_renewed_come_first(task: Task, tmp_path: Path) -> None:
    made_up_task(tmp_path / "exam", "late", {"cka": "storage"})
    late = named("late", tmp_path / "exam")
    keep(task, tmp_path, HONEST)
    never, proved = proof.fresh([task, late])
    assert (never.exercise.slug, str(never)) == ("late", "never proved")
    assert (proved.exercise.slug, proved.fresh) == ("good", True)
    with (task.folder / "checker/draw.py").open("a") as file:
        file.write("# other\n")
    assert "changed since: its folder" in str(proof.fresh([task])[0])


def test_what_turns_out_dishonest_is_proved_no_longer(task: Task, tmp_path: Path) -> None:
    keep(task, tmp_path, HONEST)
    keep(task, tmp_path, DISHONEST)
    assert not proof.holds(task)


def test_the_page_has_a_row_for_each_task(task: Task, tmp_path: Path) -> None:
    assert "| good | never | - | - |" in page.page([], page.bank(tmp_path))
    keep(task, tmp_path, HONEST)
    assert "| good | 2026-11-27 10:00 | 2.0 s |" in page.page([], page.bank(tmp_path))
