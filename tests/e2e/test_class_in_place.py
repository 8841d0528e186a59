"""Labs without files on the cluster: a learner's own namespace is held, graded as `lab check` would, and given back.

Rights and policies are the chart's own. The operator runs in this process with its own account, the dispatcher's two
steps that matter and the grader's program with theirs; the server is in memory, and Kueue is not needed.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.classroom import in_place
from mlops_lab.classroom.grader import as_it_is, grading, making, names
from mlops_lab.classroom.grader.asking import Server, Taken
from mlops_lab.classroom.grader.dispatcher import Dispatcher
from mlops_lab.classroom.grader.grading import Grader
from mlops_lab.classroom.grader.settings import read
from mlops_lab.classroom.grader.task import Task
from mlops_lab.classroom.operator import accounts
from mlops_lab.classroom.operator import names as operators
from mlops_lab.kube.client import Kube, Object
from mlops_lab.labs import variants
from mlops_lab.labs.catalog import resolve
from tests import class_attempts as attempts
from tests.e2e.class_on_cluster import Classroom, until

pytestmark = [pytest.mark.cluster, pytest.mark.long]

DIGEST = "sha256:" + "0" * 64  # no pod of the image is made: the labs have no programs


class Told:
    """The server: what was asked for, and what it is told."""

    def __init__(self, namespace: str) -> None:
        self.asked = in_place.encoded(in_place.Asked(namespace, 1, 1, datetime.now(UTC).isoformat()))
        self.lists: list[in_place.Looked] = []
        self.results: list[Any] = []
        self.back_with: list[tuple[str, bool]] = []

    def archive(self, submission: int, sha256: str) -> bytes:
        return self.asked

    def looked(self, submission: int, content: bytes) -> str:
        self.lists.append(in_place.looked(content))
        return hashlib.sha256(content).hexdigest()

    def result(self, submission: int, outcome: Any) -> str:
        self.results.append(outcome)
        return "graded"

    def back(self, submission: int, why: str, tries: int = 0, *, over: bool = False) -> None:
        self.back_with.append((why, over))

    def alive(self, submission: int) -> None: ...


class Place:
    """A class that shares its cluster and grades, with labs 20 and 23 begun."""

    def __init__(self, klass: Classroom, scratch: Path) -> None:
        self.klass, self.kube = klass, klass.kube
        klass.open(("20", "23"), 400, grader={"enabled": True, "digest": DIGEST})
        told = scratch / "grader.json"
        told.write_text(self.kube.get("ConfigMap", "grader", klass.namespace)["data"]["settings.json"])
        self.settings = read(told)
        space, right = making.place(self.settings)
        self.kube.create(space)
        self.kube.apply([right])
        self.dispatcher = Dispatcher(
            klass.acting("dispatcher", klass.namespace), self.settings, cast(Server, None),
            lambda _: cast(Server, None), "s" * 24, "here", print,
        )  # fmt: skip

    def space(self, lab: str) -> str:
        return self.klass.space(self.klass.ada, lab)

    def entry(self, lab: str) -> str:
        """What ada may do there."""
        found = self.kube.find("RoleBinding", "class-learner", self.space(lab))
        return str(found["roleRef"]["name"]).removeprefix(f"{self.klass.namespace}-") if found else ""

    def task(self, lab: str) -> Task:
        """A submission that a dispatcher has taken, with all that its Job needs but the right."""
        number = int(uuid.uuid4().hex[:6], 16)
        taken = Taken(number, self.klass.ada, lab, 1, "0" * 64, "token", 1, self.space(lab))
        task = making.task(self.settings, taken, "s" * 24, [])
        for space in making.namespaces(self.settings, task):
            self.kube.create(space)
        self.kube.apply([*making.inside(self.settings, task), *making.contents(self.settings, task, [])])
        self.kube.apply([making.record(self.settings, task, "token")])
        record = self.kube.get("Secret", names.name(number, 1), self.settings.jobs)
        self.kube.apply(making.job(self.settings, task, record)[:1])
        return task

    def account(self, task: Task) -> Kube:
        """The cluster as the Job reaches it."""
        return self.klass.acting(names.name(task.submission, task.tries), self.settings.jobs)

    def let_in(self, task: Task) -> None:
        """As the dispatcher does it when the Job's turn has come; and wait for the operator."""
        self.dispatcher._let_in(task)
        own = names.name(task.submission, task.tries) + "/"
        until(lambda: self.held(task.lab).startswith(own))

    def let_out(self, task: Task) -> None:
        """As the dispatcher does it once the Job has ended; and wait for the operator."""
        assert self.dispatcher._let_out(task)
        until(lambda: self.entry(task.lab) == "learner" and not self.held(task.lab))

    def held(self, lab: str) -> str:
        return operators.annotation(self.kube.get("Namespace", self.space(lab)), operators.HELD)

    def ada(self) -> Kube:
        return self.klass.learner(self.klass.ada)

    def graded(self, task: Task) -> Told:
        """Grade, with the Job's own rights."""
        account, told = self.account(task), Told(task.sandbox)
        configuration = self.kube.api_client.configuration
        certificate = Path(configuration.ssl_ca_cert).read_text()
        grader = Grader(account, cast(Server, told), task, str(configuration.host), certificate)
        self.dispatcher._let_in(task)
        try:
            assert grading.run(grader, cast(Server, told)) == 0
        finally:
            self.let_out(task)
        return told

    def solve(self, lab: str, folder: Path) -> None:
        """Do the lab, as ada."""
        variants.lay_out(variants.solutions(resolve(lab))[0], folder)
        text = yaml.safe_load(accounts.kubeconfig(self.kube, self.klass.namespace, self.klass.ada))
        text["current-context"] = self.space(lab)
        (folder / ".lab").mkdir(exist_ok=True)
        (folder / ".lab" / "kubeconfig").write_text(yaml.safe_dump(text))
        variants.put_to_work(folder)


@pytest.fixture(scope="module")
def place(cluster: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    scratch = tmp_path_factory.mktemp("class")
    klass = Classroom(cluster, scratch)
    try:
        yield Place(klass, scratch)
    finally:
        for each in cluster.list("Namespace", selector=f"mlops-lab/grading={klass.namespace}"):
            cluster.delete("Namespace", each["metadata"]["name"])
        klass.close()


def pods(place: Place, lab: str, deployment: str) -> list[Object]:
    found = place.kube.list("Pod", place.space(lab))
    return [each for each in found if each["metadata"]["name"].startswith(f"{deployment}-")]


# What a learner does while it is graded


def shell(kube: Kube, place: Place) -> None:
    name = pods(place, "23", "reports")[0]["metadata"]["name"]
    with kube.exec(name, place.space("23"), ["true"]) as stream:
        for _ in stream.lines(within=10):
            pass


ATTEMPTS: dict[str, Callable[[Kube, Place], object]] = {
    "changes a Deployment": lambda kube, place: kube.patch(
        "Deployment", "reports", {"metadata": {"annotations": {"tried": uuid.uuid4().hex}}}, place.space("23")
    ),
    "makes a pod": lambda kube, place: kube.apply(
        [place.klass.spelled(attempts.pod())], place.space("23"), dry_run=True
    ),
    "changes a ConfigMap": lambda kube, place: kube.patch(
        "ConfigMap", "release", {"metadata": {"annotations": {"tried": "x"}}}, place.space("23")
    ),
    "deletes the checker's pod": lambda kube, place: kube.delete("Pod", "beyond-the-quota", place.space("23")),
    "opens a shell": shell,
}  # fmt: skip


@pytest.fixture(scope="module")
def held(place: Place) -> Iterator[Task]:
    """Lab 23, while it is graded."""
    task = place.task("23")
    place.let_in(task)
    yield task
    if place.held("23"):
        place.let_out(task)


@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_learner_looks_and_changes_nothing_until_it_has_ended(name: str, place: Place, held: Task) -> None:
    ada, call = place.ada(), ATTEMPTS[name]
    if not place.held("23"):
        place.let_in(held)
    with pytest.raises(LabError, match=r"(?i)403|forbidden"):
        call(ada, place)
    assert ada.list("Pod", place.space("23")), "what there is can be looked at"
    place.let_out(held)
    until(lambda: _done(lambda: call(ada, place)), within=15)


def _done(call: Callable[[], object]) -> bool:
    try:
        call()
    except LabError as refused:
        assert "forbidden" in refused.message.lower() or "403" in refused.message, refused.message
        return False
    return True


def test_accounts_of_the_lab_change_nothing_either(place: Place) -> None:
    """Lab 23 begins with one that may change a Deployment, and who makes a pod can have its token."""
    account = place.klass.acting("release", place.space("23"))

    def change() -> object:
        annotation = {"metadata": {"annotations": {"tried": uuid.uuid4().hex}}}
        return account.patch("Deployment", "model", annotation, place.space("23"))

    change()
    task = place.task("23")
    place.let_in(task)
    try:
        with pytest.raises(LabError, match=r"(?i)forbidden"):
            change()
    finally:
        place.let_out(task)
    until(lambda: _done(change), within=15)


def test_what_was_left_at_work_in_a_pod_is_gone_before_checks_begin(place: Place) -> None:
    """By a learner, through a shell, such as what watches for a checker's drill; until then it stays."""
    ada, space = place.ada(), place.space("23")
    name = pods(place, "23", "reports")[0]["metadata"]["name"]

    def said(pod: str, text: str) -> list[str]:
        with ada.exec(pod, space, ["sh", "-c", text]) as stream:
            return [line for line in stream.lines(within=10) if line]

    said(name, "touch /tmp/left; sleep 3600 >/dev/null 2>&1 &")
    assert said(name, "test -e /tmp/left && echo there") == ["there"]
    task = place.task("23")
    place.let_in(task)
    try:
        as_it_is.renew(place.account(task), space)
        anew = [each["metadata"]["name"] for each in pods(place, "23", "reports")]
        assert anew and name not in anew
    finally:
        place.let_out(task)
    until(lambda: _done(lambda: said(anew[0], "true")), within=15)
    assert said(anew[0], "test -e /tmp/left || echo gone") == ["gone"]


# Work


@pytest.mark.parametrize("lab", ["20", "23"])
@pytest.mark.timeout(2400, func_only=True)
def test_a_lab_that_nobody_has_mended_has_few_points_and_a_solution_all(lab: str, place: Place, tmp_path: Path) -> None:
    before = place.kube.get("Namespace", place.space(lab))["metadata"]["uid"]
    first = place.graded(place.task(lab))
    assert first.back_with == [] and first.results[0]["points"] < first.results[0]["possible"] / 2, first.results
    place.solve(lab, tmp_path)
    told = place.graded(place.task(lab))
    assert told.back_with == [], told.back_with
    (said,), (looked,) = told.results, told.lists
    assert said["points"] == said["possible"], [each for each in said["report"] if each["verdict"] != "pass"]
    assert said["looked"] == hashlib.sha256(in_place.encoded(looked)).hexdigest()
    assert "Deployment/model" in looked.objects and not [each for each in looked.objects if "Secret" in each]
    assert looked.objects["Deployment/model"] != first.lists[0].objects["Deployment/model"]
    assert place.kube.get("Namespace", place.space(lab))["metadata"]["uid"] == before, "it is hers, and stays"
    assert place.entry(lab) == "learner" and len(place.ada().list("Deployment", place.space(lab))) >= 2


def test_a_lab_that_is_begun_anew_is_told_so(place: Place) -> None:
    task = place.task("20")
    told = Told(task.sandbox)
    place.klass.ask(place.klass.ada, lab_20=None)
    until(lambda: place.kube.find("Namespace", task.sandbox) is None, within=180)
    configuration = place.kube.api_client.configuration
    grader = Grader(place.account(task), cast(Server, told), task, str(configuration.host), "")
    assert grading.run(grader, cast(Server, told)) == 0
    ((why, over),) = told.back_with
    assert over and "no longer begun" in why
