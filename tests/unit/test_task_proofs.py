"""What is kept of a task's proof: it holds as long as the task is as it was, and the page shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import NotFound
from mlops_lab.proof import page, proofs
from mlops_lab.proof import tasks as proof
from mlops_lab.proof.content import content_of
from mlops_lab.proof.ledger import DISHONEST, HONEST
from mlops_lab.tasks.place import Place
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


def volume(claim: str, phase: str, policy: str = "Retain", namespace: str = "prove-a-good") -> Any:
    reference = {"namespace": namespace, "name": claim}
    return {"metadata": {"name": f"pvc-{claim}-{phase}"}, "status": {"phase": phase},
            "spec": {"claimRef": reference, "persistentVolumeReclaimPolicy": policy}}  # fmt: skip


class Seen(Kube):
    """A cluster with these volumes."""

    def __init__(self, *volumes: Any) -> None:
        self.volumes = volumes

    def list(self, kind: str, *_: Any, **__: Any) -> Any:
        return list(self.volumes)

    def get(self, kind: str, name: str, *_: Any, **__: Any) -> Any:
        raise NotFound("none", "")


def stage_on(task: Task, tmp_path: Path, kube: Kube, **more: Any) -> proof.TaskStage:
    stage = proof.TaskStage.__new__(proof.TaskStage)
    stage._task, stage._seed, stage._turn, stage._folder = task, proof.SEED, 0, tmp_path / "stage"
    stage._place, stage.rendered = Place(kube, "", **more), stage._render()
    return stage


@pytest.fixture
def seen(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Kube], list[str]]:
    """What is seen outside of the namespace on a cluster on which others work, too."""

    def look(kube: Kube) -> list[str]:
        stage = stage_on(task, tmp_path, kube)
        thing = stage.rendered.drawn["thing"]
        around = ["nodes/worker", "nodes/worker cordoned", f"nodes/worker label team={thing}", "clusterroles/others",
                  f"clusterroles/{thing}-reader", "namespaces/others", "persistentvolumes/pvc-1",
                  f"{thing}classes/others", "ingressclasses/traefik",
                  "customresourcedefinitions/listenersets.gateway"]  # fmt: skip
        monkeypatch.setattr(proof.leftovers, "around", lambda *_: around)
        monkeypatch.setattr(proof.leftovers, "inside", lambda *_: [])
        monkeypatch.setattr(proof.parts, "traces", lambda *_: [])
        return [each.replace(thing, "THING") for each in stage.objects()]

    return look


def test_beside_others_what_bears_a_drawn_name_is_the_tasks(seen: Callable[[Kube], list[str]]) -> None:
    assert seen(Seen()) == ["nodes/worker label team=THING", "clusterroles/THING-reader"]


def test_a_short_word_that_was_drawn_is_no_part_of_anothers_name(task: Task, tmp_path: Path) -> None:
    stage = stage_on(task, tmp_path, Seen())
    stage.rendered = replace(stage.rendered, drawn={"app": "ember-list", "fault": "class", "plural": "kestrels"})
    anothers = ["customresourcedefinitions/listenersets.gateway", "gatewayclasses/traefik", "ingressclasses/traefik"]
    assert not [each for each in anothers if stage._is_ours(each)]
    assert stage._is_ours("clusterroles/ember") and stage._is_ours("customresourcedefinitions/kestrels.lab")
    assert stage._is_ours(f"namespaces/{stage.rendered.namespace}-more")


def test_on_a_cluster_that_may_be_broken_all_is_the_tasks(task: Task, tmp_path: Path) -> None:
    """A node that was left cordoned bears no name that was drawn."""
    assert not stage_on(task, tmp_path, Seen())._is_ours("nodes/worker cordoned")
    assert stage_on(task, tmp_path, Seen(), breakable=True)._is_ours("nodes/worker cordoned")


def test_volumes_that_outlive_the_tasks_claims_are_seen_though_their_names_are_made_up(
    seen: Callable[[Kube], list[str]],
) -> None:
    volumes = (
        volume("data", "Released"), volume("data", "Released"), volume("lost", "Failed", "Delete"),
        volume("used", "Bound"), volume("going", "Released", "Delete"), volume("data", "Released", namespace="others"),
    )  # fmt: skip
    assert [each for each in seen(Seen(*volumes)) if each.startswith("persistentvolumes")] == [
        "persistentvolumes of claim data, Released: 2", "persistentvolumes of claim lost, Failed: 1",
    ]  # fmt: skip


def test_the_page_has_a_row_for_each_task(task: Task, tmp_path: Path) -> None:
    assert "| good | never | - | - |" in page.page([], page.bank(tmp_path))
    keep(task, tmp_path, HONEST)
    assert "| good | 2026-11-27 10:00 | 2.0 s |" in page.page([], page.bank(tmp_path))
