"""What the class's chart lets whom do where a learner's own namespace is graded in place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mlops_lab.classroom import gradable
from mlops_lab.classroom.grader import as_it_is, making
from mlops_lab.classroom.grader import settings as graders
from mlops_lab.classroom.grader.asking import Taken
from mlops_lab.classroom.grader.task import Task
from mlops_lab.classroom.operator import names, walls
from mlops_lab.classroom.operator import settings as operators
from tests.class_attempts import Object
from tests.render.charts import Rendered
from tests.render.test_classroom import (
    CASES,
    CHART,
    NS,
    WRITES,
    binding,
    by_operator,
    may,
    named,
    plural,
    refusals,
    rules,
)
from tests.render.test_grading import by_dispatcher, read_by_dispatcher

HERE, JOBS = "l-ada-lab-20", f"{NS}-grading"
LABELS = {"mlops-lab/class": NS, "mlops-lab/learner": "ada", "mlops-lab/lab": "20", "mlops-lab/graded": "in-place"}
ROLE = f"{NS}-grader-in-place"


@pytest.fixture(scope="module")
def objects() -> list[Rendered]:
    return CHART.render(CASES["ci/in-place"])


@pytest.fixture(scope="module")
def told(objects: list[Rendered], tmp_path_factory: pytest.TempPathFactory) -> graders.Settings:
    return read_by_dispatcher(objects, tmp_path_factory.mktemp("s"))


@pytest.fixture(scope="module")
def task(told: graders.Settings) -> Task:
    return making.task(told, Taken(7, "ada", "20", 1, "0" * 64, "token", 1, HERE), "s" * 24, [])


def test_the_dispatcher_is_told_that_learners_share_the_cluster(told: graders.Settings) -> None:
    assert {"20", "23"} <= set(graders.gradable(told))


def test_a_hold_is_longer_than_any_grading(objects: list[Rendered], tmp_path: Path, told: graders.Settings) -> None:
    (tmp_path / "settings.json").write_text(named(objects, "ConfigMap operator")["data"]["settings.json"])
    task = Task(7, 1, "ada", "20", "0", 5, HERE, "a", NS, "s", "r", "i", {}, True, limit=told.limit_seconds)
    deadline = making.job(told, task, {"metadata": {"uid": "1"}})[1]["spec"]["activeDeadlineSeconds"]
    assert operators.read(tmp_path / "settings.json").hold_seconds > deadline > told.limit_seconds


def test_what_the_operator_labels_is_what_the_policy_asks_for(objects: list[Rendered], tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(named(objects, "ConfigMap operator")["data"]["settings.json"])
    told, known = operators.read(tmp_path / "settings.json"), gradable.table()
    for lab, right in (("20", True), ("23", True), ("04", False)):
        label = walls.space(told, "ada", lab, known[lab], (), 1, "")["metadata"]["labels"]
        found = refusals(objects, "dispatcher", by_dispatcher(bound(), f"l-ada-lab-{lab}", label))
        assert (found == []) is right, lab


def bound(role: str = ROLE, account: str = "g-7-1", of: str = JOBS, name: str = "g-7-1") -> Object:
    return {**binding(role, account, of), "kind": "RoleBinding", "metadata": {"name": name}}


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE", "DELETE"])
def test_it_binds_a_job_there_and_takes_that_back(
    operation: str, objects: list[Rendered], told: graders.Settings, task: Task
) -> None:
    right = making.right(told, task)
    assert right["metadata"]["namespace"] == HERE and right["roleRef"]["name"] == ROLE
    given = by_dispatcher(right, HERE, LABELS, operation)
    assert refusals(objects, "dispatcher", given if operation != "DELETE" else {**given, "object": None}) == []


def taken_back(item: Object, labels: Object | None = None) -> Object:
    return {**by_dispatcher(item, HERE, labels or LABELS, "DELETE"), "object": None}


def without(label: str) -> dict[str, str]:
    return {key: value for key, value in LABELS.items() if key != label}


SANDBOX = {"mlops-lab/grading": NS}
MAY_NOT: dict[str, Object] = {
    "where labs are graded by files": by_dispatcher(bound(), "l-ada-lab-04", without("mlops-lab/graded")),
    "in another class": by_dispatcher(bound(), HERE, {**LABELS, "mlops-lab/class": "other"}),
    "in a namespace of nobody's": by_dispatcher(bound(), HERE, without("mlops-lab/learner")),
    "in kube-system": by_dispatcher(bound(), "kube-system", {}),
    "in the class's own": by_dispatcher(bound(), NS, {}),
    "in a sandbox": by_dispatcher(bound(), "g-7-1-lab-20", SANDBOX),
    "somebody else": by_dispatcher(bound(of=HERE), HERE, LABELS),
    "the learner": by_dispatcher(bound(account="learner-ada", of=f"{NS}-accounts"), HERE, LABELS),
    "a Job by another's name": by_dispatcher(bound(account="g-8-1"), HERE, LABELS),
    "the role of sandboxes": by_dispatcher(bound(f"{NS}-grader-sandbox"), HERE, LABELS),
    "the learner's role to a program": by_dispatcher(bound(f"{NS}-learner", "program", "g-7-1-apart"), HERE, LABELS),
    "itself": by_dispatcher(bound(f"{NS}-dispatcher-inside", "dispatcher", NS), HERE, LABELS),
    "a role of the cluster's": by_dispatcher(bound("cluster-admin"), HERE, LABELS),
    "take the learner's right away": taken_back(bound(f"{NS}-learner", "learner-ada", f"{NS}-accounts")),
    "take the operator's right away": taken_back(bound(f"{NS}-operator-inside", "operator", NS)),
    "take it away in another class": taken_back(bound(), {**LABELS, "mlops-lab/class": "other"}),
    "make a Secret there": by_dispatcher({"kind": "Secret", "metadata": {"name": "s"}}, HERE, LABELS),
    "delete the namespace": by_operator(
        "namespaces", "DELETE", None, {"metadata": {"name": HERE, "labels": LABELS}}, name=HERE,
        user=f"system:serviceaccount:{NS}:dispatcher",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attempt", MAY_NOT)
def test_it_may_not(attempt: str, objects: list[Rendered]) -> None:
    assert refusals(objects, "dispatcher", MAY_NOT[attempt])


def test_it_has_the_rights_for_that_and_none_where_learners_have_clusters_of_their_own(
    objects: list[Rendered],
) -> None:
    group = "rbac.authorization.k8s.io"
    for verb in ("create", "get", "patch", "list", "delete"):
        assert may(objects, "dispatcher", verb, group, "rolebindings")
    assert may(objects, "dispatcher-jobs", "list", "", "pods")
    alone = CHART.render(CASES["ci/grading"])
    assert not may(alone, "dispatcher", "delete", group, "rolebindings")
    assert not [each for each in alone if "in-place" in each.name or "looks" in each.name]
    for found, right in ((objects, True), (alone, False)):
        bind = next(rule for rule in rules(found, "dispatcher") if "bind" in rule["verbs"])
        assert (ROLE in bind["resourceNames"]) is right


def test_a_grader_looks_at_all_that_learners_can_make_and_at_no_secret(objects: list[Rendered]) -> None:
    made = {
        (group, resource)
        for rule in rules(objects, "learner") if "create" in rule["verbs"] and "list" in rule["verbs"]
        for group in rule["apiGroups"] for resource in rule["resources"] if "/" not in resource
    }  # fmt: skip
    listed = {plural(kind) if kind != "Ingress" else "ingresses" for kind in as_it_is.KINDS}
    assert {resource for _, resource in made} - {"secrets"} <= listed
    for group, resource in made - {("", "secrets")}:
        assert may(objects, "grader-in-place", "list", group, resource), resource
    assert not any("secrets" in rule["resources"] for rule in rules(objects, "grader-in-place"))


def test_a_grader_makes_little_there_and_deletes_nothing_but_pods(objects: list[Rendered]) -> None:
    for rule in rules(objects, "grader-in-place"):
        assert "delete" not in rule["verbs"] or rule["resources"] == ["pods"]
        assert not {"deletecollection", "escalate", "bind", "impersonate", "*"} & set(rule["verbs"])
        assert not {"rolebindings", "roles", "serviceaccounts/token"} & set(rule["resources"])
        if set(rule["verbs"]) & {"create", "patch", "update"} and not any("/" in each for each in rule["resources"]):
            assert set(rule["resources"]) <= {"pods", "deployments", "statefulsets"}, "what checks change, and put back"


def test_who_looks_changes_nothing_and_gets_into_no_pod(objects: list[Rendered]) -> None:
    found = rules(objects, "learner-looks")
    assert {verb for rule in found for verb in rule["verbs"]} == {"get", "list", "watch"}
    resources = {each for rule in found for each in rule["resources"]}
    # To get one of these is to use it: a shell, a way into a pod.
    assert not {each for each in resources if each.partition("/")[2] in ("exec", "attach", "portforward", "proxy")}
    assert {each for each in resources if "/" in each} == {"pods/log", "pods/status"}
    works = {(group, each) for rule in rules(objects, "learner") for group in rule["apiGroups"]
             for each in rule["resources"] if "/" not in each and "*" not in each}  # fmt: skip
    looks = {(group, each) for rule in found for group in rule["apiGroups"] for each in rule["resources"]}
    assert works <= looks, "what they made they still see"
    for verb in WRITES:
        assert may(objects, "learner", verb, "apps", "deployments") and not may(
            objects, "learner-looks", verb, "apps", "deployments"
        )


def test_the_operator_may_hold(objects: list[Rendered]) -> None:
    """With what it already may do with rights in learners' namespaces, and one role more to bind."""
    here: Any = {"namespace": HERE, "labels": LABELS}
    looks = binding(f"{NS}-learner-looks", "learner-ada", f"{NS}-accounts")
    assert refusals(objects, "operator", by_operator("rolebindings", "CREATE", looks, **here)) == []
    other = json.loads(json.dumps(looks).replace("learner-ada", "learner-bob"))
    assert refusals(objects, "operator", by_operator("rolebindings", "CREATE", other, **here))
    nobody = {"metadata": {"name": "release"}, "roleRef": {"kind": "Role", "name": "release"}, "subjects": []}
    assert refusals(objects, "operator", by_operator("rolebindings", "UPDATE", nobody, nobody, **here)) == []
    again = {**nobody, "subjects": [{"kind": "ServiceAccount", "name": "release"}]}
    assert refusals(objects, "operator", by_operator("rolebindings", "UPDATE", again, nobody, **here)) == []
    assert refusals(objects, "operator", by_operator("rolebindings", "DELETE", None, bound(), **here)) == []
    for verb in ("patch", "delete", "get"):
        assert may(objects, "operator", verb, "rbac.authorization.k8s.io", "rolebindings")


def test_what_is_made_apart_is_all_else_that_is_made(told: graders.Settings, task: Task) -> None:
    assert making.made(task) == ("g-7-1-apart",)
    for item in (*making.namespaces(told, task), *making.inside(told, task), *making.contents(told, task, [])):
        meta = item["metadata"]
        assert meta.get("namespace", meta["name"]) == "g-7-1-apart"
    files = msgspec.structs.replace(task, in_place=False, sandbox="g-7-1-lab-20")
    assert {each["metadata"]["name"] for each in making.namespaces(told, files)} == {"g-7-1-lab-20", "g-7-1-apart"}
    assert making.right(told, task)["metadata"]["labels"][names.GRADER] == NS
