"""What a class grades with is brought: the image in the registry, Kueue; and how the grader stands is told."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import Completed
from mlops_lab.base.progress import Progress
from mlops_lab.classroom.teacher import grading, place
from mlops_lab.classroom.teacher.place import NAMESPACE, Told
from mlops_lab.cluster import kind, kueue, record, registry
from mlops_lab.cluster.record import Cluster
from mlops_lab.engine import start
from mlops_lab.images.recipes import grader
from mlops_lab.images.steps import Step
from tests.unit.classroom.conftest import Run
from tests.unit.classroom.teaching import InMemory, Served

DIGEST, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
LOCAL, TEAM = "localhost:5001/grader:1", "registry.example/class/grader:1"


class Engine:
    """An engine: which images it has, what a registry of the teacher's has, and what it was told."""

    def __init__(self) -> None:
        self.images: dict[str, list[str]] = {}
        self.there = {TEAM: DIGEST}
        self.log: list[str] = []

    def inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        return {"RepoDigests": self.images[name]} if name in self.images else None

    def run(self, *args: str, within: float = 60, check: bool = True, hint: str = "") -> Completed:
        self.log.append(" ".join(args))
        if args[0] == "pull" and args[1] not in self.there:
            raise LabError("docker pull failed", "look", "manifest unknown")
        if args[0] == "pull":
            own = f"{args[1].rpartition(':')[0]}@{self.there[args[1]]}"
            self.images[args[1]] = [f"docker.io/other/grader@{OTHER}", own]
        if args[0] == "rmi":
            del self.images[args[1]]
        return Completed(0, "", "")


@pytest.fixture
def engine(kubectl: InMemory, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine that brings whatever is asked for, a registry, and a Kueue that is noted."""
    found, pushed = Engine(), dict[str, str]()

    def bring(names: list[str], *args: Any) -> dict[str, Step]:
        found.log.append(f"bring {' '.join(names)}")
        return {name: Step(name, lambda work: None, (), image=name) for name in names}

    def serve(docker: Any, name: str, step: Step) -> bool:
        if name in pushed:
            return False
        pushed[name] = step.key
        found.log.append(f"serve {name}")
        return True

    monkeypatch.setattr(start, "ensure", lambda say: found)
    monkeypatch.setattr(grading, "bring", bring)
    monkeypatch.setattr(registry, "serve", serve)
    monkeypatch.setattr(kind, "forget_images", lambda docker, refs: found.log.append(f"forget {refs[0]}"))
    monkeypatch.setattr(registry, "digest", lambda name: DIGEST if name in pushed else "")
    monkeypatch.setattr(kueue, "up", lambda progress, cluster, by: found.log.append(f"kueue in {cluster.context}"))
    return found


def ready(**values: Any) -> dict[str, Any]:
    return grading.ready(place.at(), Told(values=values), Progress())


def test_all_that_grades_comes_at_once_and_the_chart_is_told_of_it(engine: Engine) -> None:
    assert ready() == {"enabled": True, "digest": DIGEST, "parts": [], "monitoring": False}
    (brought,) = [line for line in engine.log if line.startswith("bring")]
    assert set(brought.split()[1:]) == {*place.RELEASE.images, *grading.BROUGHT} and grader.NAME in brought
    assert engine.log[1:] == ["serve grader:1", f"forget {LOCAL}", "kueue in kind-mlops-lab"]
    engine.log.clear()
    assert ready()["digest"] == DIGEST and "serve grader:1" not in engine.log


def test_a_class_that_only_collects_needs_no_engine(kubectl: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(start, "ensure")
    assert ready(grader={"enabled": False}) == {"enabled": False}


def test_a_registry_that_has_lost_the_image_is_said(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "digest", lambda name: "")
    with pytest.raises(LabError, match="registry does not have grader:1"):
        ready()


def test_submissions_use_the_parts_that_are_there_unless_learners_share_them(engine: Engine, kubectl: InMemory) -> None:
    for part, status in (("tracking", "deployed"), ("pipelines", "failed"), ("monitoring", "deployed")):
        space = f"mlops-lab-{part}"
        labels = {"owner": "helm", "name": space, "status": status, "version": "1"}
        kubectl.put("Secret", f"sh.helm.release.v1.{space}.v1", space, metadata={"labels": labels})
    assert ready()["parts"] == ["tracking"] and ready()["monitoring"]
    assert ready(cluster={"address": "https://c:6443"})["parts"] == []


def test_on_a_cluster_of_ones_own_the_registry_is_asked_through_the_engine(engine: Engine) -> None:
    record.remember(Cluster("team", "registry.example/class"))
    assert ready()["digest"] == DIGEST and engine.images == {}
    assert engine.log[-1] == "kueue in team" and not [line for line in engine.log if "serve" in line]
    engine.images[TEAM] = []  # the teacher's own stays
    ready()
    assert TEAM in engine.images


def test_on_a_cluster_of_ones_own_without_the_image_it_says_how_to_push_it_or_to_do_without(engine: Engine) -> None:
    record.remember(Cluster("team", "registry.example/class"))
    engine.there.clear()
    with pytest.raises(LabError, match=re.escape(TEAM)) as refused:
        ready()
    assert "lab images push registry.example/class" in refused.value.hint and "--no-grading" in refused.value.hint
    assert not [line for line in engine.log if line.startswith("kueue")], "nothing is made in the cluster"


def test_on_a_cluster_of_ones_own_a_digest_that_the_teacher_says_is_not_asked_for(engine: Engine) -> None:
    record.remember(Cluster("team", "registry.example/class"))
    assert ready(grader={"digest": OTHER})["digest"] == OTHER
    assert not [line for line in engine.log if line.startswith("pull")]


def test_without_an_engine_it_says_how_to_do_without_where_none_was_needed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ensure(say: object) -> None:
        raise LabError("no engine answers", "start one")

    monkeypatch.setattr(start, "ensure", ensure)
    with pytest.raises(LabError) as refused:
        ready()
    assert refused.value.hint == "start one"
    record.remember(Cluster("team", "registry.example/class"))
    with pytest.raises(LabError, match="no engine answers") as refused:
        ready()
    assert refused.value.hint.startswith("start one; ") and "--no-grading" in refused.value.hint


# How it stands


def stands(teach: Run) -> tuple[int, str]:
    code, out, _ = teach("status")
    return code, next(line for line in out.splitlines() if line[5:].startswith("grader "))


def test_status_says_what_is_at_work_and_what_waits_for_its_turn(kubectl: InMemory, served: Served, teach: Run) -> None:
    labels = {"mlops-lab/grading": NAMESPACE}
    for name, suspend, ends in (("g-1-1", False, ""), ("g-2-1", True, ""), ("g-3-1", False, "Complete")):
        status = {"conditions": [{"type": ends, "status": "True"}]} if ends else {}
        kubectl.put("Job", name, grading.JOBS, metadata={"labels": labels}, spec={"suspend": suspend}, status=status)
    code, line = stands(teach)
    assert code == 0 and line.startswith("ok ") and line.endswith("1 Jobs at work, 1 wait for their turn")


@pytest.mark.parametrize("wrong", ["none", "Kueue", "Kueue's pod", "dispatcher's image", "Job's image"])
def test_status_says_why_nothing_is_graded(wrong: str, kubectl: InMemory, served: Served, teach: Run) -> None:
    waits = {"containerStatuses": [{"image": LOCAL, "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}
    if wrong == "none":
        del kubectl.items["deployment", NAMESPACE, "dispatcher"]
    if wrong == "Kueue":
        del kubectl.items["namespace", "", "kueue-system"]
    if wrong == "Kueue's pod":
        kubectl.items["deployment", "kueue-system", "kueue"]["status"]["availableReplicas"] = 0
    if wrong == "dispatcher's image":
        labels = {"app.kubernetes.io/component": "grader"}
        kubectl.put("Pod", "dispatcher-1", metadata={"labels": labels}, status=waits)
    if wrong == "Job's image":
        kubectl.put("Pod", "g-1-1-x", grading.JOBS, status=waits)
    says = {"none": "there is none", "Kueue": "Kueue is missing", "Kueue's pod": "Kueue is not ready: kueue"}
    code, line = stands(teach)
    assert code == 3 and line.startswith("FAIL") and says.get(wrong, f"the image {LOCAL} can't be had") in line


def test_a_class_that_only_collects_is_well(kubectl: InMemory, served: Served, teach: Run) -> None:
    place.at().tell(Told(values={"grader": {"enabled": False}}))
    del kubectl.items["deployment", NAMESPACE, "dispatcher"]
    code, line = stands(teach)
    assert code == 0 and line.startswith("ok ") and "what is handed in waits" in line
