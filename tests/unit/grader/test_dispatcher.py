"""The dispatcher: what it makes of a submission, in which order, and that nothing is lost wherever it ends."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import msgspec
import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.gradable import table
from mlops_lab.classroom.grader import leaving, making, names
from mlops_lab.classroom.grader.settings import alone, gradable
from mlops_lab.classroom.grader.task import seed
from mlops_lab.classroom.operator import spaces
from mlops_lab.kube.errors import Unreachable
from tests.unit.grader.world import JOBS, NS, SETTINGS, Handed, Killed, Queue, World, dies_at

SANDBOX, APART = "g-7-1-lab-04", "g-7-1-apart"


@pytest.fixture(autouse=True)
def nothing_in_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "forget", lambda *_: None)


def world(*handed: Handed) -> World:
    return World(Queue(*(handed or (Handed(7),))))


def test_a_submission_gets_a_sandbox_and_a_job_that_waits_for_its_turn() -> None:
    it = world()
    assert it.dispatcher().round()
    job = it.kube.get("Job", "g-7-1", JOBS)
    assert job["spec"]["suspend"] is True and job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "any"
    assert job["spec"]["backoffLimit"] == 0 and job["spec"]["activeDeadlineSeconds"] > SETTINGS.limit_seconds
    secret = it.kube.get("Secret", "g-7-1", JOBS)
    assert job["metadata"]["ownerReferences"][0]["uid"] == secret["metadata"]["uid"]
    assert it.kube.named("Namespace") == [APART, SANDBOX]
    task = json.loads(base64.b64decode(secret["data"]["task.json"]))
    assert (task["submission"], task["tries"], task["lab"], task["sandbox"]) == (7, 1, "04", SANDBOX)
    assert it.kube.writes[0] == f"apply Secret g-7-1 in {JOBS}"  # all else follows from it
    assert it.kube.writes[-1] == "create Job g-7-1"


def test_the_sandbox_has_a_learners_walls() -> None:
    it = world()
    it.dispatcher().round()
    space = it.kube.get("Namespace", SANDBOX)["metadata"]["labels"]
    assert space["pod-security.kubernetes.io/enforce"] == table()["04"].pods
    assert space["mlops-lab/learner"] == "ada" and "mlops-lab/class" not in space  # the operator's eye is not on it
    assert it.kube.named("NetworkPolicy", SANDBOX) == ["checker", "class-allow", "class-deny"]
    assert it.kube.named("ResourceQuota", SANDBOX) == ["class"] and it.kube.named("LimitRange", SANDBOX) == ["class"]
    closed = it.kube.get("Namespace", APART)["metadata"]["labels"]
    assert closed["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_job_has_rights_in_its_two_namespaces_and_no_account_of_it_is_where_learners_work_is() -> None:
    it = world(Handed(7), Handed(8, "bob"))
    it.dispatcher().round()
    rights = {
        (each["metadata"]["namespace"], each["roleRef"]["name"]): each["subjects"]
        for each in it.kube.list("RoleBinding")
    }
    assert set(rights) == {
        (space, f"{NS}-{role}")
        for number in (7, 8)
        for space, role in (
            (f"g-{number}-1-lab-04", "dispatcher-inside"), (f"g-{number}-1-lab-04", "learner"),
            (f"g-{number}-1-lab-04", "grader-sandbox"), (f"g-{number}-1-apart", "dispatcher-inside"),
            (f"g-{number}-1-apart", "grader-apart"),
        )
    }  # fmt: skip
    for number in (7, 8):
        for space in (f"g-{number}-1-lab-04", f"g-{number}-1-apart"):
            for role in ("grader-sandbox", "grader-apart"):
                for each in rights.get((space, f"{NS}-{role}"), []):
                    assert each == {"kind": "ServiceAccount", "name": f"g-{number}-1", "namespace": JOBS}
        (program,) = rights[f"g-{number}-1-lab-04", f"{NS}-learner"]
        assert program == {"kind": "ServiceAccount", "name": "program", "namespace": f"g-{number}-1-apart"}
    accounts = {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in it.kube.list("ServiceAccount")}
    assert accounts == {(JOBS, "g-7-1"), (JOBS, "g-8-1"), ("g-7-1-apart", "program"), ("g-8-1-apart", "program")}


def test_the_jobs_pod_is_restricted_and_has_this_submissions_token_alone() -> None:
    it = world()
    it.dispatcher().round()
    spec = it.kube.get("Job", "g-7-1", JOBS)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["image"] == SETTINGS.image and container["securityContext"]["readOnlyRootFilesystem"]
    assert spec["securityContext"]["runAsNonRoot"] and spec["restartPolicy"] == "Never"
    assert [each["secret"]["secretName"] for each in spec["volumes"] if "secret" in each] == ["g-7-1"]
    assert it.token("g-7-1") == it.server.handed[7].token


@pytest.mark.parametrize(("lab", "let_in"), [("01", True), ("04", False)])
def test_parts_of_the_platform_let_the_checker_in_where_the_lab_stands_on_them(lab: str, let_in: bool) -> None:
    it = world(Handed(7, lab=lab))
    it.dispatcher(msgspec.structs.replace(SETTINGS, parts=("tracking",))).round()
    for space in (f"g-7-1-lab-{lab}", APART):
        by = it.kube.get("Namespace", space)["metadata"]["labels"]["app.kubernetes.io/managed-by"]
        assert (by == "mlops-lab") == let_in, "by this label the charts' policies know who may come"


@pytest.mark.parametrize(("number", "queue"), [("04", "any"), ("10", "alone")])
def test_labs_that_need_the_machine_are_graded_alone(number: str, queue: str) -> None:
    it = world(Handed(7, lab=number))
    it.dispatcher().round()
    job = it.kube.get("Job", "g-7-1", JOBS)
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == queue
    requests = job["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]
    assert requests["cpu"] == ("100m" if queue == "any" else "200m")  # all places of two


def test_what_is_graded() -> None:
    assert {each for each in gradable(SETTINGS) if table()[each].grading != "files"} == set()
    assert not {"01", "08", "26"} & set(gradable(SETTINGS))  # they need parts that are not there for it
    more = msgspec.structs.replace(SETTINGS, parts=["tracking", "pipelines"])
    assert {"01", "08", "26"} <= set(gradable(more)) and not {"03", "13", "20", "24"} & set(gradable(more))
    assert gradable(msgspec.structs.replace(SETTINGS, labs=["04", "13"])) == ["04"]
    assert alone("10") and alone("01") and not alone("04")


def test_what_has_ended_is_cleared_up_and_the_next_is_taken() -> None:
    it = world(*(Handed(number) for number in range(1, 6)))
    dispatcher = it.dispatcher()
    dispatcher.round()
    there = {each["metadata"]["name"] for each in it.kube.list("Secret", JOBS)}
    assert there == {"g-1-1", "g-2-1", "g-3-1"}  # two places, and one that waits
    it.server.graded(1, it.token("g-1-1"))
    it.job("g-1-1", ends="Complete")
    for _ in range(3):
        dispatcher.round()
    assert {each["metadata"]["name"] for each in it.kube.list("Secret", JOBS)} == {"g-2-1", "g-3-1", "g-4-1"}
    assert not [each for each in it.left() if "g-1-1" in each and "Job" not in each and "ServiceAccount" not in each]


def test_a_job_that_died_is_told_of_and_its_submission_is_graded_again() -> None:
    it = world()
    dispatcher = it.dispatcher()
    dispatcher.round()
    it.job("g-7-1", ends="Failed")
    for _ in range(3):
        dispatcher.round()
    handed = it.server.handed[7]
    assert handed.state == "grading" and handed.tries == 2 and "BackoffLimitExceeded" in handed.why
    assert it.kube.named("Namespace") == ["g-7-2-apart", "g-7-2-lab-04"]
    for _ in range(12):
        for job in it.kube.list("Job"):
            it.job(job["metadata"]["name"], ends="Failed")
        dispatcher.round()
    assert handed.state == "failed" and handed.tries == 5 and it.kube.named("Namespace") == []


def test_who_waits_for_a_turn_is_alive_and_who_works_says_so_itself() -> None:
    it = world()
    dispatcher = it.dispatcher()
    for _ in range(4):
        dispatcher.round()
        it.time += 20
    assert it.server.handed[7].heard in (2, 3)
    it.job("g-7-1", ready=1)
    before = it.server.handed[7].heard
    it.time += 300
    dispatcher.round()
    assert it.server.handed[7].heard == before


def test_what_is_anothers_by_now_goes() -> None:
    it = world()
    dispatcher = it.dispatcher()
    dispatcher.round()
    it.server.back(7, "nothing was heard")
    it.server.take("another", "sha256:abc", ["04"])
    it.time += 60
    for _ in range(3):
        dispatcher.round()
    assert it.kube.named("Namespace") == [] and it.server.handed[7].state == "grading"


def test_a_server_that_is_away_loses_nothing() -> None:
    it = world()
    dispatcher = it.dispatcher()
    dispatcher.round()
    it.job("g-7-1", ends="Failed")
    it.server.down = LabError("away", "")
    for _ in range(3):
        with pytest.raises(LabError):
            dispatcher.round()
    assert it.kube.find("Secret", "g-7-1", JOBS)
    it.server.down = None
    for _ in range(3):
        dispatcher.round()
    assert it.server.handed[7].tries == 2


def test_a_sandbox_that_can_not_be_made_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    it = world()
    it.kube.refuses = lambda write: 403 if "NetworkPolicy" in write else 0
    dispatcher = it.dispatcher()
    monkeypatch.setattr(spaces, "_HEARD_WITHIN", 0.0)
    dispatcher.round()
    assert it.server.handed[7].state == "grading"
    it.time += 400
    dispatcher.round()
    assert "could not be made" in it.server.handed[7].why


def test_a_record_that_can_not_be_read_goes_once_nobody_else_can_be_at_it() -> None:
    """It may be of another version, whose dispatcher runs beside this one during an update."""
    it = world()
    it.dispatcher().round()
    it.server.back(7, "nothing was heard", over=True)
    secret = it.kube.get("Secret", "g-7-1", JOBS)
    it.kube.put({**secret, "data": {**secret["data"], "task.json": base64.b64encode(b'{"new": 1}').decode()}})
    it.server.handed.update({number: Handed(number) for number in (1, 2, 3)})
    dispatcher, there = it.dispatcher(), lambda: {each["metadata"]["name"] for each in it.kube.list("Secret", JOBS)}
    for _ in range(20):
        dispatcher.round()
        it.time += 300
    assert there() == {"g-7-1", "g-1-1", "g-2-1"} and it.kube.find("Namespace", SANDBOX)
    assert sum("holds no task" in each for each in it.said) == 1
    it.time += 900
    dispatcher.round()
    assert "g-7-1" not in there() and it.kube.find("Namespace", SANDBOX) is None
    dispatcher.round()
    assert there() == {"g-1-1", "g-2-1", "g-3-1"}, "its place is another's"


def test_a_namespace_of_somebody_elses_stays() -> None:
    it = world()
    it.kube.put({"kind": "Namespace", "metadata": {"name": SANDBOX, "labels": {"whose": "others"}}})
    dispatcher = it.dispatcher()
    dispatcher.round()
    assert it.kube.named("Job") == [] and "not this class's" in " ".join(it.said)
    assert it.kube.get("Namespace", SANDBOX)["metadata"]["labels"] == {"whose": "others"}


def test_seeds_are_the_learners_and_the_labs() -> None:
    assert seed("s", "ada", "10") == seed("s", "ada", "10")
    assert (
        len({seed(*each) for each in (("s", "ada", "10"), ("s", "bob", "10"), ("s", "ada", "11"), ("t", "ada", "10"))})
        == 4
    )
    it = world()
    it.dispatcher().round()
    task, _ = making.read_record(it.kube.get("Secret", "g-7-1", JOBS))
    assert task.seed == seed("the class's secret", "ada", "04")


def end_what_runs(it: World) -> None:
    """Each Job that there is has its turn, and ends well."""
    for job in it.kube.list("Job"):
        name = job["metadata"]["name"]
        if (job.get("status") or {}).get("conditions") or not it.kube.find("Secret", name, JOBS):
            continue
        submission = int(names.label(job, names.SUBMISSION))
        with contextlib.suppress(LabError):
            it.server.graded(submission, it.token(name))
        it.job(name, ends="Complete")


@pytest.mark.parametrize("other_at_work", [False, True])
def test_killed_at_any_write_each_submission_is_graded_once_and_nothing_is_left(other_at_work: bool) -> None:
    whole = world(Handed(7), Handed(8, "bob"))
    dispatcher = whole.dispatcher()
    for _ in range(4):
        dispatcher.round()
        end_what_runs(whole)
    number = len(whole.kube.writes)
    assert number > 25 and whole.server.results == [7, 8]
    for at in range(1, number, 4) if other_at_work else range(0, number, 2):
        it = world(Handed(7), Handed(8, "bob"))
        it.kube.refuses = dies_at(at)
        other = it.dispatcher(name="two")
        with contextlib.suppress(Killed):
            first = it.dispatcher()
            for _ in range(4):
                first.round()
                if other_at_work:
                    other.round()
                end_what_runs(it)
        for _ in range(8):
            other.round()
            it.server.lose()
            end_what_runs(it)
            it.time += 200
        for _ in range(3):
            other.round()
        assert sorted(it.server.results) == [7, 8], at
        assert it.kube.named("Namespace") == [] and it.kube.list("Secret", JOBS) == [], at


def test_two_dispatchers_at_once_make_everything_once() -> None:
    it = world(*(Handed(number) for number in range(1, 8)))
    one, two = it.dispatcher(name="one"), it.dispatcher(name="two")
    for _ in range(30):
        one.round()
        two.round()
        end_what_runs(it)
        it.time += 30
    assert sorted(it.server.results) == list(range(1, 8))
    made = [each for each in it.kube.writes if each.startswith("create Job")]
    assert len(made) == len(set(made)) == 7
    assert it.kube.named("Namespace") == []


def test_what_another_makes_anew_too_late_is_swept() -> None:
    it = world(Handed(7))
    dispatcher = it.dispatcher()
    dispatcher.round()
    record = it.kube.get("Secret", "g-7-1", JOBS)
    task, _ = making.read_record(record)
    it.server.graded(7, it.token("g-7-1"))
    it.job("g-7-1", ends="Complete")
    for _ in range(3):
        dispatcher.round()
    for space in making.namespaces(SETTINGS, task):
        it.kube.put(space)
    dispatcher.round()
    assert it.kube.named("Namespace") == []


def test_an_api_server_that_is_away_ends_the_round_and_no_more() -> None:
    it = world()

    def away(*_: Any, **__: Any) -> Any:
        raise Unreachable("away", "")

    kept, it.kube.list = it.kube.list, away  # type: ignore[method-assign]
    dispatcher = it.dispatcher()
    with pytest.raises(LabError):
        dispatcher.round()
    assert it.server.handed[7].state == "waiting"
    it.kube.list = kept  # type: ignore[method-assign]
    dispatcher.round()
    assert it.server.handed[7].state == "grading"
