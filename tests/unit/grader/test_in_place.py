"""A learner's own namespace, graded as it is: who has which right in it until when, and what is made sure of first."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.checks.verdicts import Result, Verdict
from mlops_lab.classroom import in_place
from mlops_lab.classroom.gradable import table
from mlops_lab.classroom.grader import as_it_is, grading, leaving, making
from mlops_lab.classroom.grader.as_it_is import NotGraded
from mlops_lab.classroom.grader.asking import Server
from mlops_lab.classroom.grader.grading import Grader
from mlops_lab.classroom.grader.settings import gradable
from mlops_lab.classroom.grader.task import Task
from mlops_lab.classroom.operator import names as operators
from mlops_lab.kube.client import Kube
from tests.unit.grader.world import JOBS, NS, SETTINGS, Cluster, Handed, Killed, Queue, World, dies_at
from tests.unit.grader.world import SETTINGS as PLAIN

HERE, APART, NAME = "l-ada-lab-20", "g-7-1-apart", "g-7-1"
SHARED = msgspec.structs.replace(SETTINGS, address="https://cluster.test:6443")
RIGHT = f"{NS}-grader-in-place"
IN_PLACE = [number for number, each in table().items() if each.grading == "cluster"]


# The dispatcher


@pytest.fixture(autouse=True)
def nothing_in_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise AssertionError("what a learner has in the platform is nobody's to remove")

    monkeypatch.setattr(leaving, "forget", refused)


def world(*handed: Handed) -> World:
    it = World(Queue(*(handed or (Handed(7, lab="20", namespace=HERE),))))
    for each in it.server.handed.values():
        it.kube.put(space(each.namespace, each.learner, each.lab))
        it.kube.put({"kind": "Deployment", "metadata": {"name": "book", "namespace": each.namespace}})
    it.kube.writes.clear()
    return it


def space(name: str = HERE, learner: str = "ada", lab: str = "20", **annotations: str) -> dict[str, Any]:
    labels = {"mlops-lab/class": NS, "mlops-lab/learner": learner, "mlops-lab/lab": lab, "mlops-lab/graded": "in-place"}
    return {"kind": "Namespace", "metadata": {"name": name, "labels": labels, "annotations": annotations}}


def rights(it: World) -> list[tuple[str, str]]:
    """The graders' rights in learners' namespaces."""
    found = [each["metadata"] for each in it.kube.list("RoleBinding") if each["roleRef"]["name"] == RIGHT]
    return [(each["namespace"], each["name"]) for each in found]


def test_labs_without_files_are_graded_where_learners_share_the_cluster_alone() -> None:
    assert {"20", "23"} == set(IN_PLACE) and set(IN_PLACE) <= set(gradable(SHARED))
    assert not set(IN_PLACE) & set(gradable(PLAIN))
    assert gradable(msgspec.structs.replace(SHARED, labs=["04", "20"])) == ["04", "20"]


def test_a_job_has_its_right_in_one_namespace_from_its_turn_to_its_end() -> None:
    it = world()
    dispatcher = it.dispatcher(SHARED)
    for _ in range(2):
        dispatcher.round()
    assert it.kube.get("Job", NAME, JOBS)["spec"]["suspend"] and rights(it) == [], "a learner works on until then"
    it.job(NAME)
    dispatcher.round()
    assert rights(it) == [(HERE, NAME)]
    bound = it.kube.get("RoleBinding", NAME, HERE)
    assert bound["subjects"] == [{"kind": "ServiceAccount", "name": NAME, "namespace": JOBS}]
    assert bound["metadata"]["labels"]["mlops-lab/class"] == NS, "by this the operator hears of it"
    it.server.graded(7, it.token(NAME))
    it.job(NAME, ends="Complete")
    for _ in range(3):
        dispatcher.round()
    assert rights(it) == [] and it.kube.list("Secret", JOBS) == []


def test_nothing_in_a_learners_namespace_is_made_or_removed_but_the_right() -> None:
    it = world()
    before = it.kube.get("Namespace", HERE), it.kube.get("Deployment", "book", HERE)
    dispatcher = it.dispatcher(SHARED)
    dispatcher.round()
    it.job(NAME)
    dispatcher.round()
    assert it.kube.named("Namespace") == [APART, HERE], "no sandbox is made"
    it.job(NAME, ends="Failed")
    for _ in range(3):
        dispatcher.round()
    assert (it.kube.get("Namespace", HERE), it.kube.get("Deployment", "book", HERE)) == before
    touched = [each for each in it.kube.writes if HERE in each]
    assert set(touched) == {f"apply RoleBinding {NAME} in {HERE}", f"delete RoleBinding {NAME} in {HERE}"}


@pytest.mark.parametrize("gone", ["before", "while it was graded"])
def test_a_namespace_that_is_not_there_any_more_holds_nothing_up(gone: str) -> None:
    it = world()
    dispatcher = it.dispatcher(SHARED)
    dispatcher.round()
    it.job(NAME)
    if gone == "before":
        it.kube.take_away("Namespace", HERE)
        it.kube.apply = missing(it.kube.apply)  # type: ignore[method-assign]
    dispatcher.round()
    if gone != "before":
        it.kube.take_away("Namespace", HERE)
    it.server.back(7, "it is no longer begun", 1, over=True)
    it.job(NAME, ends="Complete")
    for _ in range(3):
        dispatcher.round()
    assert it.kube.list("Secret", JOBS) == [] and it.kube.named("Namespace") == []


def missing(apply: Callable[..., None]) -> Callable[..., None]:
    from mlops_lab.kube.errors import NotFound

    def applied(objects: list[Any], namespace: str | None = None) -> None:
        for item in objects:
            if item["metadata"].get("namespace") == HERE:
                raise NotFound(f"namespaces {HERE}: not found", "")
        apply(objects, namespace)

    return applied


@pytest.mark.parametrize("phase", ["Running", "Pending"])
def test_a_right_stays_until_nothing_of_its_job_runs(phase: str) -> None:
    """What a check has changed it puts back when it is ended, too."""
    it = world()
    dispatcher = it.dispatcher(SHARED)
    dispatcher.round()
    it.job(NAME)
    dispatcher.round()
    labels = it.kube.get("RoleBinding", NAME, HERE)["metadata"]["labels"]
    pod = {"kind": "Pod", "metadata": {"name": "p", "namespace": JOBS, "labels": labels}, "status": {"phase": phase}}
    it.kube.put(pod)
    it.kube.put({**pod, "metadata": {**pod["metadata"], "name": "q", "labels": {**labels, "mlops-lab/try": "2"}}})
    it.server.back(7, "nothing was heard", 1)
    it.server.take("another", "sha256:abc", ["20"])
    it.time += 60
    for _ in range(3):
        dispatcher.round()
    assert rights(it) == [(HERE, NAME)] and it.kube.find("Job", NAME, JOBS) is None
    it.kube.take_away("Pod", "p", JOBS)
    dispatcher.round()
    assert rights(it) == []


def test_killed_at_any_write_no_right_is_left_and_each_is_graded_once() -> None:
    def lives(it: World) -> None:
        for job in it.kube.list("Job"):
            name = job["metadata"]["name"]
            if rights(it) and it.kube.find("Secret", name, JOBS):
                with contextlib.suppress(LabError):
                    it.server.graded(7, it.token(name))
                it.job(name, ends="Complete")
            elif it.kube.find("Secret", name, JOBS):
                it.job(name)

    whole = world()
    dispatcher = whole.dispatcher(SHARED)
    for _ in range(6):
        dispatcher.round()
        lives(whole)
    number = len(whole.kube.writes)
    assert whole.server.results == [7] and number > 10
    for at in range(number):
        it = world()
        it.kube.refuses = dies_at(at)
        with contextlib.suppress(Killed):
            first = it.dispatcher(SHARED)
            for _ in range(6):
                first.round()
                lives(it)
        other = it.dispatcher(SHARED, name="two")
        for _ in range(8):
            other.round()
            it.server.lose()
            lives(it)
            it.time += 200
        for _ in range(3):
            other.round()
        assert it.server.results == [7], at
        assert rights(it) == [] and it.kube.named("Namespace") == [HERE], at


def test_a_right_that_another_makes_too_late_is_swept_and_no_other_binding_is() -> None:
    it = world()
    task = making.task(SHARED, cast(Any, SimpleNamespace(**vars(Handed(7, lab="20", namespace=HERE)), submission=7,
                       number=1, sha256="0")), "s", [])  # fmt: skip
    it.kube.put(making.right(SHARED, msgspec.structs.replace(task, tries=1)))
    it.kube.put({"kind": "RoleBinding", "metadata": {"name": "class-learner", "namespace": HERE, "labels": {}},
                 "roleRef": {"name": f"{NS}-learner"}})  # fmt: skip
    it.server.handed[7].state = "graded"
    it.dispatcher(SHARED).round()
    assert it.kube.named("RoleBinding", HERE) == ["class-learner"]


# The Job: is it the namespace that was handed in, is it held, and what is in it?


ASKED = in_place.Asked(HERE, 2, 1, "2026-11-02T09:00:00.500000+00:00")
TASK = Task(
    submission=7, tries=1, learner="ada", lab="20", sha256="0", seed=5, sandbox=HERE, apart=APART, klass=NS,
    server="https://s:8444", registry="registry.test", image="registry.test/grader:1", dns={}, in_place=True,
)  # fmt: skip
HELD = {operators.ROUND: "2", operators.HELD: "g-7-1/uid-9"}


class Quick:
    """Time that passes at once, and what happens meanwhile."""

    def __init__(self, *happens: Callable[[], object]) -> None:
        self.happens, self.waited = list(happens), 0.0

    def __call__(self, seconds: float) -> None:
        self.waited += seconds
        if self.happens:
            self.happens.pop(0)()


class Pods(Cluster):
    """A cluster in which Deployments make their pods anew."""

    def __init__(self) -> None:
        super().__init__()
        self.graces: dict[str, int | None] = {}

    def delete(self, kind: str, name: str, namespace: str | None = None, grace: int | None = None, **_: Any) -> None:
        self.graces[name] = grace
        pod = self.get(kind, name, namespace)
        super().delete(kind, name, namespace)
        if pod["metadata"].get("ownerReferences"):
            self.put({**pod, "metadata": {**pod["metadata"], "name": f"{name}-anew"}, "made": "from the template"})


def cluster(**annotations: str) -> Pods:
    kube = Pods()
    kube.put(space(**{**HELD, **annotations}))
    kube.put({"kind": "Deployment", "metadata": {"name": "book", "namespace": HERE}, "spec": {"replicas": 1},
              "status": {"readyReplicas": 1}})  # fmt: skip
    return kube


def pod(name: str, maker: str = "", **more: Any) -> dict[str, Any]:
    owners = [{"kind": maker, "name": "x", "uid": "u", "controller": True}] if maker else []
    meta = {"name": name, "namespace": HERE, "ownerReferences": owners, **more.pop("meta", {})}
    return {"kind": "Pod", "metadata": meta, "spec": {}, **more}


def taken(kube: Pods, wait: Quick | None = None, content: bytes = in_place.encoded(ASKED)) -> as_it_is.Place:
    return as_it_is.take(cast(Kube, kube), TASK, content, wait or Quick())


def test_checks_begin_once_nobody_else_can_change_anything() -> None:
    kube = cluster(**{operators.HELD: "taking"})
    wait = Quick(lambda: None, lambda: kube.put(space(**HELD)))
    found = taken(kube, wait)
    assert found.held == "g-7-1/uid-9" and wait.waited >= 2 + as_it_is._HEARD, "all API servers have heard of it"


@pytest.mark.parametrize("held", ["", "taking", "g-7-2/uid-9", "g-71/uid-9"])
def test_without_a_hold_of_its_own_nothing_is_graded_and_no_pod_is_touched(held: str) -> None:
    kube = cluster(**{operators.HELD: held})
    kube.put(pod("book-1", "ReplicaSet"))
    with pytest.raises(LabError, match="does not hold") as none:
        taken(kube)
    assert not isinstance(none.value, NotGraded) and kube.named("Pod", HERE) == ["book-1"]


def test_pods_are_made_anew_and_with_them_ends_what_somebody_has_done_in_one() -> None:
    kube = cluster()
    kube.put(pod("book-1", "ReplicaSet", spec={"terminationGracePeriodSeconds": 3600}))
    kube.put(pod("says-so", "ReplicaSet", spec={"containers": ["another program"], "terminationGracePeriodSeconds": 1}))
    for kept in (pod("own"), pod("of-a-job", "Job"), pod("over", "ReplicaSet", status={"phase": "Failed"})):
        kube.put(kept)
    taken(kube)
    assert kube.named("Pod", HERE) == ["book-1-anew", "of-a-job", "over", "own", "says-so-anew"]
    assert kube.graces == {"book-1": 30, "says-so": 1}, "no pod takes an hour to go"


@pytest.mark.parametrize("maker", ["", "ReplicaSet", "Job"])
def test_a_pod_that_can_not_go_is_told_to_the_learner(maker: str) -> None:
    kube = cluster()
    kube.put(pod("stuck", maker, meta={"finalizers": ["own.example/stays"]}))
    with pytest.raises(NotGraded, match="pod stuck bears a finalizer"):
        taken(kube)
    kube.put(pod("stuck", "Job", meta={"finalizers": ["batch.kubernetes.io/job-tracking"]}))
    taken(kube)


def test_pods_that_do_not_go_are_no_result() -> None:
    kube = cluster()
    kube.put(pod("book-1", "ReplicaSet"))
    kube.delete = lambda *_, **__: None  # type: ignore[method-assign]
    with pytest.raises(LabError, match="do not go") as stuck:
        taken(kube)
    assert not isinstance(stuck.value, NotGraded)


def test_what_does_not_come_up_is_for_the_checks_to_say() -> None:
    kube = cluster()
    kube.put({"kind": "Deployment", "metadata": {"name": "book", "namespace": HERE}, "spec": {"replicas": 1}})
    wait = Quick()
    taken(kube, wait)
    assert wait.waited == pytest.approx(as_it_is._HEARD + as_it_is._UP_WITHIN)


def not_there(kube: Pods) -> None:
    kube.take_away("Namespace", HERE)


def going(kube: Pods) -> None:
    kube.put({**space(**HELD), "metadata": {**space(**HELD)["metadata"], "deletionTimestamp": "now"}})


def another_round(kube: Pods) -> None:
    kube.put(space(**HELD | {operators.ROUND: "3"}))


def made_later(kube: Pods) -> None:
    """Ended and begun again: the round is the same."""
    kube.put({**space(**HELD), "metadata": {**space(**HELD)["metadata"], "creationTimestamp": "2026-11-02T09:00:01Z"}})


@pytest.mark.parametrize(
    ("meanwhile", "says"),
    [(not_there, "no longer begun"), (going, "begun anew or ended after you had handed it in"),
     (another_round, "begun anew"), (made_later, "begun anew")],
)  # fmt: skip
def test_a_lab_that_was_ended_or_begun_anew_is_said_so_in_a_line(meanwhile: Callable[[Pods], None], says: str) -> None:
    kube = cluster()
    meanwhile(kube)
    with pytest.raises(NotGraded, match=says) as told:
        taken(kube)
    assert "hand in" in told.value.hint and "\n" not in f"{told.value.message}{told.value.hint}"


def test_somebody_elses_namespace_is_left_alone() -> None:
    for whose in ({"mlops-lab/class": "other"}, {"mlops-lab/learner": "bob"}, {"mlops-lab/lab": "23"}):
        kube = cluster()
        there = space(**HELD)
        there["metadata"]["labels"] |= whose
        kube.put(there)
        kube.put(pod("book-1", "ReplicaSet"))
        with pytest.raises(LabError, match="not this learner's"):
            taken(kube)
        assert kube.named("Pod", HERE) == ["book-1"]


def test_the_list_names_every_object_by_what_its_owner_wrote() -> None:
    kube = cluster()
    kube.put({"kind": "ConfigMap", "metadata": {"name": "a", "namespace": HERE}, "data": {"x": "1"}})
    kube.put({"kind": "Secret", "metadata": {"name": "s", "namespace": HERE}, "data": {"x": "MQ=="}})
    kube.put(pod("book-1", "ReplicaSet"))
    kube.put(pod("own"))
    first = taken(kube).looked
    assert set(first.objects) == {"ConfigMap/a", "Deployment/book", "Pod/own"} and first.asked == ASKED
    kube.put({"kind": "Deployment", "metadata": {"name": "book", "namespace": HERE, "generation": 7},
              "spec": {"replicas": 1}, "status": {"readyReplicas": 1, "observedGeneration": 7}})  # fmt: skip
    assert taken(kube).looked.objects == first.objects, "who is ready, and when it was written, is not the owner's"
    kube.put({"kind": "ConfigMap", "metadata": {"name": "a", "namespace": HERE}, "data": {"x": "2"}})
    changed = taken(kube).looked.objects
    assert {key for key in changed if changed[key] != first.objects[key]} == {"ConfigMap/a"}


def test_more_objects_than_a_list_takes_are_not_graded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_place, "MOST", 3)
    kube = cluster()
    for number in range(2):
        kube.put({"kind": "HorizontalPodAutoscaler", "metadata": {"name": f"h{number}", "namespace": HERE}})
    taken(kube)
    kube.put({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "h2", "namespace": HERE}})
    with pytest.raises(NotGraded, match="more than 3 objects"):
        taken(kube)


def test_a_second_try_knows_what_was_asked_for_though_the_first_has_put_its_list_there() -> None:
    kube = cluster()
    again = in_place.encoded(taken(kube).looked)
    assert taken(kube, content=again).looked.asked == ASKED
    with pytest.raises(LabError, match="does not say what is to be graded"):
        taken(kube, content=b"a tar")


# The whole of it


class Told:
    """The server as a grader tells it."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def archive(self, submission: int, sha256: str) -> bytes:
        return in_place.encoded(ASKED)

    def looked(self, submission: int, content: bytes) -> str:
        self.said.append(("looked", in_place.looked(content)))
        return hashlib.sha256(content).hexdigest()

    def result(self, submission: int, outcome: Any) -> str:
        self.said.append(("result", outcome))
        return "graded"

    def back(self, submission: int, why: str, tries: int, *, over: bool = False) -> None:
        self.said.append(("over" if over else "back", why))

    def alive(self, submission: int) -> None: ...


def graded(kube: Pods, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object] = lambda: None,
           verdict: Verdict = Verdict.PASS) -> Told:  # fmt: skip
    told = Told()

    def checked(grader: Grader, exercise: Any, folder: Path, place: Any) -> list[Result]:
        assert list(folder.iterdir()) == [] and place.namespace == APART
        meanwhile()
        return [Result("book_answers", "It answers", verdict, 2)]

    monkeypatch.setattr(Grader, "_checked", checked)
    monkeypatch.setattr(as_it_is.take, "__defaults__", (Quick(),))
    grader = Grader(cast(Kube, kube), cast(Server, told), TASK, "https://api", "CA")
    assert grading.run(grader, cast(Server, told)) == 0
    return told


def test_a_result_names_what_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    told = graded(cluster(), monkeypatch)
    (first, looked), (second, outcome) = told.said
    assert (first, second) == ("looked", "result") and set(looked.objects) == {"Deployment/book"}
    assert outcome["looked"] == hashlib.sha256(in_place.encoded(looked)).hexdigest() and outcome["points"] == 2


def test_a_hold_that_was_let_go_is_no_result_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ("", "g-7-1/uid-10"):
        kube = cluster()
        told = graded(kube, monkeypatch, lambda kube=kube, other=other: kube.put(  # type: ignore[misc]
            space(**HELD | {operators.HELD: other})))  # fmt: skip
        assert told.said[-1][0] == "back" and "not held all the time" in told.said[-1][1]


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL, Verdict.ERROR])
def test_a_lab_that_is_begun_anew_while_it_is_graded_has_no_result(
    verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    kube = cluster()

    def anew() -> None:
        kube.take_away("Namespace", HERE)
        kube.put(space(**HELD))

    told = graded(kube, monkeypatch, anew, verdict)
    assert [each[0] for each in told.said] == ["looked", "over"] and "while it was graded" in told.said[-1][1]


def test_what_can_not_be_graded_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kube = cluster()
    not_there(kube)
    told = graded(kube, monkeypatch)
    assert told.said == [("over", "lab 20 is no longer begun: there is nothing to grade; begin it, and hand in again")]
