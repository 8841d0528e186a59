"""A namespace that is graded in place: who may change anything meanwhile, and that it is given back in every case."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.classroom import gradable
from mlops_lab.classroom.operator import names, spaces
from mlops_lab.classroom.operator.requests import Lab
from mlops_lab.labs.catalog import exercises
from tests.unit.cluster_in_memory import Object
from tests.unit.test_class_operator import ADA, BEGIN, BOB, NS, SETTINGS, World, world_of

SPACE, GRADER = "l-ada-lab-23", "g-7-1"
WORKS, LOOKS = f"{NS}-learner", f"{NS}-learner-looks"
RELEASE = [{"kind": "ServiceAccount", "name": "release"}]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(spaces, "_HEARD_WITHIN", 0.05)
    monkeypatch.setattr(spaces, "_AGAIN", 0.001)
    yield


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return begun(monkeypatch)


def begun(monkeypatch: pytest.MonkeyPatch) -> World:
    """Ada has begun lab 23, whose seed lets an account in the namespace change a Deployment."""
    world = world_of(SETTINGS, monkeypatch)
    world.ask("ada", lab_23=Lab())
    world.turn()
    meta = {"name": "release", "namespace": SPACE}
    world.kube.put({"kind": "RoleBinding", "metadata": meta, "roleRef": {"name": "release"}, "subjects": RELEASE})
    world.turn()
    return world


def right(name: str = GRADER, space: str = SPACE, since: str = "2026-06-01T12:00:00Z") -> Object:
    """What the dispatcher makes."""
    labels = {"mlops-lab/class": NS, "mlops-lab/grading": NS, "mlops-lab/learner": "ada", "mlops-lab/lab": "23"}
    meta = {"name": name, "namespace": space, "labels": labels, "creationTimestamp": since}
    role = {"name": f"{NS}-grader-in-place"}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta, "roleRef": role}


def role(world: World) -> str:
    """What ada may do."""
    entry = world.kube.find("RoleBinding", "class-learner", SPACE)
    return str(entry["roleRef"]["name"]) if entry else ""


def held(world: World) -> str:
    return names.annotation(world.kube.find("Namespace", SPACE), names.HELD)


def of_the_lab(world: World) -> Any:
    return world.kube.get("RoleBinding", "release", SPACE)["subjects"]


def test_a_namespace_says_whether_it_can_be_graded_in_place(world: World) -> None:
    world.ask("ada", lab_04=Lab(), lab_23=Lab())
    world.turn()
    found = {name: names.label(world.kube.get("Namespace", name), names.GRADED) for name in (SPACE, "l-ada-lab-04")}
    assert found == {SPACE: "in-place", "l-ada-lab-04": ""}


def test_while_it_is_graded_its_learner_looks_and_nobody_else_changes_anything(world: World) -> None:
    assert (role(world), held(world), of_the_lab(world)) == (WORKS, "", RELEASE)
    uid = world.kube.put(right())["metadata"]["uid"]
    writes = world.turn()
    assert (role(world), held(world), of_the_lab(world)) == (LOOKS, f"{GRADER}/{uid}", [])
    last = [each for each in writes if SPACE in each and "ConfigMap" not in each][-1]
    assert last == f"patch Namespace {SPACE}", "it is told once all is done"
    state = world.states()["lab-23"]
    assert state.state == "ready" and "being graded" in state.why
    assert world.turn() == [], "as long as it lasts nothing is written"


def test_all_of_it_is_given_back_when_it_has_ended(world: World) -> None:
    world.kube.put(right())
    world.turn()
    world.kube.take_away("RoleBinding", GRADER, SPACE)
    world.turn()
    assert (role(world), held(world), of_the_lab(world)) == (WORKS, "", RELEASE)
    assert world.states()["lab-23"].why == "" and world.turn() == []


def test_a_grader_that_never_ends_is_ended(world: World) -> None:
    """Its dispatcher and its Job are gone, or grading was switched off."""
    world.kube.put(right())
    world.turn()
    world.now = BEGIN + timedelta(seconds=SETTINGS.hold_seconds - 1)
    world.turn()
    assert role(world) == LOOKS
    world.now = BEGIN + timedelta(seconds=SETTINGS.hold_seconds)
    world.turn()
    assert role(world) == WORKS and held(world) == "" and world.kube.find("RoleBinding", GRADER, SPACE) is None


def test_another_grader_is_another_hold(world: World) -> None:
    world.kube.put(right())
    world.turn()
    first = held(world)
    world.kube.take_away("RoleBinding", GRADER, SPACE)
    world.kube.put(right())
    world.turn()
    assert held(world).startswith(f"{GRADER}/") and held(world) != first


def test_of_two_graders_the_one_that_holds_it_goes_on_and_the_other_waits(world: World) -> None:
    """The first was given up, and is still putting back what it has changed."""
    world.kube.put(right("g-7-2"))
    world.turn()
    first = held(world)
    for other in ("g-7-1", "g-7-3"):
        world.kube.put(right(other))
        world.turn()
        assert held(world) == first
    world.kube.take_away("RoleBinding", "g-7-2", SPACE)
    world.turn()
    assert held(world).startswith("g-7-1/") and role(world) == LOOKS


def test_what_was_seen_of_the_learners_right_may_be_old(world: World) -> None:
    """An earlier turn has just given it back, and its watch has not told yet."""
    world.kube.put(right())
    world.turn()
    looking = world.kube.get("RoleBinding", "class-learner", SPACE)
    world.kube.take_away("RoleBinding", GRADER, SPACE)
    world.turn()
    world.kube.put(right("g-7-2"))
    world.seen.take("MODIFIED", looking)
    world.turn()
    assert held(world).startswith("g-7-2/") and role(world) != WORKS


def cut_off(monkeypatch: pytest.MonkeyPatch, ends: Callable[[World], None]) -> Iterator[tuple[int, World]]:
    """Worlds in which the turn after `ends` was cut off at each of its writes, and another one came."""
    whole = begun(monkeypatch)
    ends(whole)
    for at in range(len(whole.turn())):
        world = begun(monkeypatch)
        ends(world)
        left = iter(range(at + 1))
        world.kube.refuses = lambda _, left=left, at=at: 500 if next(left, None) == at else 0  # type: ignore[misc]
        with contextlib.suppress(LabError):
            world.turn()
        world.kube.refuses = lambda _: 0
        yield at, world


def test_a_turn_that_is_cut_off_gives_back_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0
    for at, world in cut_off(monkeypatch, lambda world: world.kube.put(right())):
        assert not held(world).startswith(GRADER) or (role(world) == LOOKS and of_the_lab(world) == []), at
        world.kube.take_away("RoleBinding", GRADER, SPACE)
        world.turn()
        assert (role(world), held(world), of_the_lab(world)) == (WORKS, "", RELEASE), at
        tried += 1
    assert tried > 4

    def ended(world: World) -> None:
        world.kube.put(right())
        world.turn()
        world.kube.take_away("RoleBinding", GRADER, SPACE)

    for at, world in cut_off(monkeypatch, ended):
        world.turn()
        assert (role(world), held(world), of_the_lab(world)) == (WORKS, "", RELEASE), at


def test_an_operator_that_was_away_meanwhile_does_what_is_left(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    world.kube.put(right())
    world.turn()
    world.kube.take_away("RoleBinding", GRADER, SPACE)
    for kind in ("Namespace", "RoleBinding", "ConfigMap", "ServiceAccount"):
        world.seen.replace(kind, lambda kind=kind: world.kube.list(kind))  # type: ignore[misc]
    world.turn()
    assert role(world) == WORKS and of_the_lab(world) == RELEASE


def test_who_takes_part_no_longer_is_graded_too_and_stays_out(world: World) -> None:
    world.enrol(BOB)
    world.turn()
    world.kube.put(right())
    world.turn()
    assert held(world).startswith(GRADER) and role(world) == ""
    world.kube.take_away("RoleBinding", GRADER, SPACE)
    world.enrol(ADA)
    world.turn()
    assert (role(world), held(world), of_the_lab(world)) == (WORKS, "", RELEASE)


def test_a_right_in_a_namespace_that_is_not_graded_in_place_holds_nothing(world: World) -> None:
    world.ask("ada", lab_04=Lab(), lab_23=Lab())
    world.turn()
    world.kube.put(right(space="l-ada-lab-04"))
    world.turn()
    entry = world.kube.get("RoleBinding", "class-learner", "l-ada-lab-04")
    assert entry["roleRef"]["name"] == WORKS and role(world) == WORKS


def test_labs_whose_pods_have_rights_reach_the_api_server_while_they_begin() -> None:
    import yaml

    asks = set()
    for exercise in exercises():
        seed = exercise.folder / "start" / "seed.yaml"
        text = seed.read_text() if seed.is_file() and gradable.table()[exercise.number].shared else ""
        if any(each["kind"] == "RoleBinding" for each in yaml.safe_load_all(text) if each):
            asks.add(exercise.number)
    assert "23" in asks and all(gradable.table()[each].api for each in asks)
