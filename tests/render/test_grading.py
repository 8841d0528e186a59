"""What is particular to grading in the class's chart: who may do what, what the dispatcher is told, and the queue."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import yaml

from mlops_lab.classroom.gradable import table
from mlops_lab.classroom.grader import making, settings
from mlops_lab.classroom.grader.apart.place import Place
from mlops_lab.classroom.grader.asking import Taken
from mlops_lab.kube.quantity import quantity
from mlops_lab.labs import parts
from mlops_lab.labs.catalog import Exercise, exercises
from mlops_lab.measure.services import backfill
from mlops_lab.measure.services.backfill import Past
from tests import class_attempts as attempts
from tests.class_attempts import Attempt, Object
from tests.render.charts import REGISTRY, Rendered
from tests.render.test_classroom import CASES, CHART, LEVEL, NS, asked, binding, by_operator, named, refusals, space

SEED = "start/seed.yaml"
JOBS = f"{NS}-grading"
SANDBOX, APART = "g-7-1-lab-04", "g-7-1-apart"
LABELS = {"mlops-lab/grading": NS, "mlops-lab/learner": "ada"}


@pytest.fixture(scope="module")
def objects() -> list[Rendered]:
    return CHART.render(CASES["ci/grading"])


@pytest.fixture(scope="module")
def told(objects: list[Rendered], tmp_path_factory: pytest.TempPathFactory) -> settings.Settings:
    return read_by_dispatcher(objects, tmp_path_factory.mktemp("s"))


def read_by_dispatcher(objects: list[Rendered], folder: Path) -> settings.Settings:
    """The settings that a chart tells the dispatcher."""
    file = folder / "settings.json"
    file.write_text(named(objects, "ConfigMap grader")["data"]["settings.json"])
    return settings.read(file)


def test_the_dispatcher_reads_what_the_chart_writes(told: settings.Settings) -> None:
    assert (told.namespace, told.jobs, told.registry, told.places) == (NS, JOBS, REGISTRY, 2)
    assert told.checker.startswith("sha256:") and told.image == f"{REGISTRY}/grader:1@{told.checker}"
    assert told.server == f"https://server.{NS}.svc:8444" and told.limit_seconds == 3000
    assert told.parts == ["tracking"] and told.pull_secrets == ["pull"] and told.quota["pods"]


def test_without_a_digest_it_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("grader: {enabled: true}\n")
    with pytest.raises(Exception, match=r"digest"):
        CHART.render((tmp_path / "values.yaml",))


def test_nothing_of_it_is_there_where_it_is_not_wanted() -> None:
    plain = CHART.render(CASES["ci/shared"])
    assert not [
        each.name for each in plain if "dispatcher" in each.name or "grader" in each.name or "Queue" in each.kind
    ]


def test_the_queue_has_room_for_so_many_jobs_and_for_one_that_is_alone(
    objects: list[Rendered], told: settings.Settings
) -> None:
    spec = named(objects, f"ClusterQueue {NS}")["spec"]
    (group,) = spec["resourceGroups"]
    room = {each["name"]: quantity(each["nominalQuota"]) for each in group["flavors"][0]["resources"]}
    each = {"cpu": quantity(told.job_cpu), "memory": quantity(told.job_memory)}
    assert room == {name: told.places * value for name, value in each.items()}
    assert spec["queueingStrategy"] == "StrictFIFO"
    assert spec["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": JOBS}}
    assert quantity(making._times(told.job_cpu, told.places)) == room["cpu"]
    for queue in making.queues(told, "", [])[-2:]:
        assert queue["spec"]["clusterQueue"] == NS


# Who may do what


def everything(told: settings.Settings) -> list[tuple[str, Object]]:
    """What a dispatcher makes, and where."""
    taken = Taken(7, "ada", "04", 1, "0" * 64, "token", 1)
    task = making.task(told, taken, "s" * 24, [("10.0.0.1", 6443)])
    space, right = making.place(told)
    record = making.record(told, task, "token")
    made = [
        space, right, *making.queues(told, "CA", [("10.0.0.1", 6443)]), record, *making.namespaces(told, task),
        *making.inside(told, task), *making.contents(told, task, []),
        *making.job(told, task, {"metadata": {"uid": "1"}}),
    ]  # fmt: skip
    return [(str(each["metadata"].get("namespace", "")), each) for each in made]


PLURALS = {
    "Namespace": "namespaces", "RoleBinding": "rolebindings", "ConfigMap": "configmaps", "LocalQueue": "localqueues",
    "NetworkPolicy": "networkpolicies", "Secret": "secrets", "ResourceQuota": "resourcequotas",
    "LimitRange": "limitranges", "ServiceAccount": "serviceaccounts", "Job": "jobs",
}  # fmt: skip
DISPATCHER = f"system:serviceaccount:{NS}:dispatcher"


def by_dispatcher(item: Object, namespace: str, labels: dict[str, str], operation: str = "CREATE") -> Object:
    name = str(item["metadata"]["name"])
    old = item if operation != "CREATE" else None
    resource = PLURALS[item["kind"]]
    return by_operator(resource, operation, item, old, namespace=namespace, labels=labels, name=name, user=DISPATCHER)


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
def test_all_that_it_makes_it_may_make(operation: str, objects: list[Rendered], told: settings.Settings) -> None:
    for namespace, item in everything(told):
        given = by_dispatcher(item, namespace, {"mlops-lab/grading": NS}, operation)
        assert refusals(objects, "dispatcher", given) == [], item["metadata"]["name"]


def test_it_has_the_rights_for_all_that_it_makes(objects: list[Rendered], told: settings.Settings) -> None:
    roles = {where: rules(objects, role) for where, role in
             ((JOBS, "dispatcher-jobs"), (SANDBOX, "dispatcher-inside"), (APART, "dispatcher-inside"))}  # fmt: skip
    everywhere = rules(objects, "dispatcher")
    for namespace, item in everything(told):
        group = item["apiVersion"].rpartition("/")[0]
        for verb in ("create", "get", *(() if item["kind"] == "Namespace" else ("patch",))):
            allowed = [*everywhere, *roles.get(namespace, [])]
            assert any(may(each, group, PLURALS[item["kind"]], verb) for each in allowed), (
                item["kind"],
                namespace,
                verb,
            )


def test_it_has_the_rights_over_what_keeps_a_namespace_that_goes(objects: list[Rendered]) -> None:
    allowed = rules(objects, "dispatcher-inside")
    for (group, resource), verb in itertools.product((("batch", "jobs"), ("", "pods")), ("list", "delete")):
        assert any(may(each, group, resource, verb) for each in allowed), (verb, resource)


def rules(objects: list[Rendered], role: str) -> list[Object]:
    return cast(list[Object], named(objects, f"ClusterRole {NS}-{role}")["rules"])


def may(rule: Object, group: str, resource: str, verb: str) -> bool:
    return group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"]


def bound(objects: list[Rendered], to: str) -> list[Object]:
    """All rules that an account or a group has by bindings of the chart."""
    found: list[Object] = []
    for each in objects:
        if each.kind in ("RoleBinding", "ClusterRoleBinding"):
            names = [subject["name"] for subject in each.body["subjects"]]
            role = each.body["roleRef"]
            found += named(objects, f"{role['kind']} {role['name']}")["rules"] if to in names else []
    return found


def test_no_account_has_a_right_over_kubelets_and_figures_are_read_by_one_that_may_nothing_else(
    objects: list[Rendered],
) -> None:
    roles = [each for each in objects if each.kind in ("ClusterRole", "Role")]
    assert not [each.name for each in roles for rule in each.body["rules"] if "nodes/proxy" in rule["resources"]]
    assert bound(objects, "kubelets") == [
        {"apiGroups": [""], "resources": ["nodes/metrics", "nodes/stats"], "verbs": ["get"]}
    ]
    # No group that is given more has it as a member.
    account = named(objects, "ServiceAccount kubelets")
    assert account["metadata"].get("namespace", NS) == NS and account["automountServiceAccountToken"] is False
    assert bound(objects, f"system:serviceaccounts:{NS}") == []
    jobs = bound(objects, f"system:serviceaccounts:{JOBS}")
    tokens = [rule for rule in jobs if "serviceaccounts/token" in rule["resources"] or "secrets" in rule["resources"]]
    assert tokens and all(rule["resourceNames"] == ["kubelets"] for rule in tokens)
    assert not named(objects, "Secret kubelets").get("data")


GRADER = {**binding(f"{NS}-grader-sandbox", "g-7-1", JOBS), "kind": "RoleBinding"}
PROGRAM = {**binding(f"{NS}-learner", "program", APART), "kind": "RoleBinding"}
SANDBOXES = {**LABELS, "mlops-lab/lab": "04", LEVEL: "baseline"}
OWN = {"metadata": {"name": SANDBOX, "labels": SANDBOXES}, "kind": "Namespace"}
OF_OTHERS = {"metadata": {"name": SANDBOX, "labels": {"mlops-lab/grading": "other"}}, "kind": "Namespace"}


def made_with(name: str, **labels: str) -> Object:
    """The dispatcher makes a namespace with labels of a sandbox, but for these; an empty one is left out."""
    item = space({key: value for key, value in (SANDBOXES | labels).items() if value})
    return by_operator("namespaces", "CREATE", item, name=name, user=DISPATCHER)


MAY_NOT: dict[str, Object] = {
    "make a namespace whose pods are held to no level": made_with(SANDBOX, **{LEVEL: ""}),
    "make one whose pods do what they like": made_with(SANDBOX, **{LEVEL: "privileged"}),
    "let programs do more": made_with(APART, **{LEVEL: "baseline"}),
    "let Jobs do more": made_with(JOBS, **{LEVEL: "baseline"}),
    "make a sandbox that is no lab's": made_with(SANDBOX, **{"mlops-lab/lab": ""}),
    "make a sandbox that is no learner's": made_with(SANDBOX, **{"mlops-lab/learner": ""}),
    "make a sandbox that says it is apart": made_with(SANDBOX, **{"mlops-lab/apart": "true"}),
    "make a token without an end": by_dispatcher(
        {"kind": "Secret", "type": "kubernetes.io/service-account-token", "metadata": {"name": "s"}}, JOBS,
        {"mlops-lab/grading": NS},
    ),
    "make a namespace of another name": by_operator("namespaces", "CREATE", OWN, name="l-ada-lab-04", user=DISPATCHER),
    "make one without the label": by_operator("namespaces", "CREATE", space(), name=SANDBOX, user=DISPATCHER),
    "take another class's over": by_operator("namespaces", "UPDATE", OWN, OF_OTHERS, name=SANDBOX, user=DISPATCHER),
    "delete another class's": by_operator("namespaces", "DELETE", None, OF_OTHERS, name=SANDBOX, user=DISPATCHER),
    "delete that of the Jobs": by_operator("namespaces", "DELETE", None, OWN, name=JOBS, user=DISPATCHER),
    "work in kube-system": by_dispatcher({"kind": "Secret", "metadata": {"name": "s"}}, "kube-system", {}),
    "work in the class's own": by_dispatcher({"kind": "Secret", "metadata": {"name": "class"}}, NS, {}),
    "work in a learner's": by_dispatcher(GRADER, "l-ada-lab-04", {"mlops-lab/class": NS}),
    "let a grader into another's sandbox": by_dispatcher(GRADER, "g-8-1-lab-04", {"mlops-lab/grading": NS}),
    "let a grader into another try's": by_dispatcher(GRADER, "g-7-10-lab-04", {"mlops-lab/grading": NS}),
    "let a grader into the Jobs'": by_dispatcher(GRADER, JOBS, {"mlops-lab/grading": NS}),
    "let a program into the Jobs'": by_dispatcher(PROGRAM, JOBS, {"mlops-lab/grading": NS}),
    "let a learner in": by_dispatcher(
        {**binding(f"{NS}-learner", "learner-ada", f"{NS}-accounts"), "kind": "RoleBinding"}, SANDBOX,
        {"mlops-lab/grading": NS},
    ),
    "let an account of the sandbox's be the grader": by_dispatcher(
        {**binding(f"{NS}-grader-sandbox", "default", SANDBOX), "kind": "RoleBinding"}, SANDBOX,
        {"mlops-lab/grading": NS},
    ),
    "take a binding of a sandbox's away": {
        **by_dispatcher(GRADER, SANDBOX, {"mlops-lab/grading": NS}, "DELETE"), "object": None,
    },
    "bind a role of the cluster's": by_dispatcher(
        {**binding("cluster-admin", "g-7-1", JOBS), "kind": "RoleBinding"}, SANDBOX, {"mlops-lab/grading": NS}
    ),
}  # fmt: skip


@pytest.mark.parametrize("attempt", MAY_NOT)
def test_the_dispatcher_is_held_to_its_own(attempt: str, objects: list[Rendered]) -> None:
    assert refusals(objects, "dispatcher", MAY_NOT[attempt])


def test_each_expression_refuses_something(objects: list[Rendered]) -> None:
    spec = named(objects, f"ValidatingAdmissionPolicy {NS}-dispatcher")["spec"]
    seen = {one for each in MAY_NOT.values() for one in refusals(objects, "dispatcher", each)}
    assert seen == {each["message"] for each in spec["validations"]}


def test_others_are_not_asked_by_its_policy(objects: list[Rendered]) -> None:
    given = by_operator("namespaces", "DELETE", None, space({}), name="kube-system", user="somebody")
    assert refusals(objects, "dispatcher", given) == []


def test_graders_read_everywhere_and_change_nothing_there(objects: list[Rendered]) -> None:
    assert {verb for each in rules(objects, "grader-everywhere") for verb in each["verbs"]} == {"get", "list"}
    resources = {one for each in rules(objects, "grader-everywhere") for one in each["resources"]}
    assert not resources & {"secrets", "configmaps", "serviceaccounts"}
    for role in ("grader-everywhere", "grader-system"):
        kind = "ClusterRoleBinding" if role == "grader-everywhere" else "RoleBinding"
        (subject,) = named(objects, f"{kind} {NS}-{role}")["subjects"]
        assert (subject["kind"], subject["name"]) == ("Group", f"system:serviceaccounts:{JOBS}")
    bound = [each.body for each in objects if each.kind in ("RoleBinding", "ClusterRoleBinding")]
    assert not [each for each in bound if each["roleRef"]["name"] in (f"{NS}-grader-sandbox", f"{NS}-grader-apart")]


@pytest.mark.parametrize("role", ["grader-sandbox", "grader-apart", "grader-system", "grader-everywhere", "dispatcher"])
def test_none_of_them_can_give_itself_more(role: str, objects: list[Rendered]) -> None:
    for rule in rules(objects, role):
        assert not {"escalate", "impersonate", "*"} & set(rule["verbs"])
        assert "bind" not in rule["verbs"] or rule.get("resourceNames")
        assert "serviceaccounts/token" not in rule["resources"] or rule["resourceNames"] == ["program"]
        assert "pods/ephemeralcontainers" not in rule["resources"]
        assert "networkpolicies" not in rule["resources"] or role == "grader-apart" or "create" not in rule["verbs"]


# Where all Jobs have rights


SYSTEM, MONITORING = "mlops-lab-system", "mlops-lab-monitoring"
PAST = "history-0a1b2c3d"


def by_job(item: Object, operation: str = "CREATE", namespace: str = MONITORING, sub: str = "") -> Object:
    name, user = str(item["metadata"]["name"]), f"system:serviceaccount:{JOBS}:g-7-1"
    old = None if operation == "CREATE" else item
    new = None if operation == "DELETE" else item
    return by_operator(
        PLURALS.get(item["kind"], "pods"), operation, new, old, namespace=namespace, name=name, user=user, sub=sub
    )


def history(name: str = PAST, **spec: Any) -> Object:
    """A pod that gives Prometheus a past, but for what is given."""
    pod: Object = backfill._objects(name, MONITORING, "image", {"d": Past([1.0])}, 0, {}, 60)[1]
    return {**pod, "spec": {**pod["spec"], **spec}}


def of_container(**more: Any) -> Object:
    (container,) = history()["spec"]["containers"]
    return history(containers=[{**container, **more}])


def named_so(kind: str, name: str) -> Object:
    return {"kind": kind, "metadata": {"name": name}}


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE", "DELETE"])
@pytest.mark.parametrize("namespace", [SYSTEM, MONITORING])
def test_a_job_gives_prometheus_a_past(operation: str, namespace: str, objects: list[Rendered]) -> None:
    for item in backfill._objects(PAST, namespace, "image", {"d": Past([1.0])}, 0, {}, 60):
        assert refusals(objects, "grader", by_job(item, operation, namespace)) == []
    load = by_job(named_so("Pod", "load-6d5f-x2x"), "CONNECT", SYSTEM, "exec")
    assert refusals(objects, "grader", load) == []


JOB_MAY_NOT: dict[str, Object] = {
    "look into Prometheus": by_job(named_so("Pod", "prometheus-0"), "CONNECT", sub="exec"),
    "look into a pod there that is called like the load maker": by_job(named_so("Pod", "load-1"), "CONNECT"),
    "end Prometheus": by_job(named_so("Pod", "prometheus-0"), "DELETE"),
    "end the load maker": by_job(named_so("Pod", "load-6d5f-x2x"), "DELETE", SYSTEM),
    "make another load maker": by_job({**history(), "metadata": {"name": "load-1"}}, namespace=SYSTEM),
    "configure Prometheus": by_job(named_so("ConfigMap", "prometheus"), "UPDATE"),
    "delete its rules": by_job(named_so("ConfigMap", "rules"), "DELETE"),
    "be Prometheus": by_job(history(serviceAccountName="prometheus")),
    "have a token": by_job(history(automountServiceAccountToken=True)),
    "mount a Secret": by_job(history(volumes=[{"name": "v", "secret": {"secretName": "grafana"}}])),
    "mount a token": by_job(
        history(volumes=[{"name": "v", "projected": {"sources": [{"secret": {"name": "grafana"}}]}}])
    ),
    "mount others' settings": by_job(history(volumes=[{"name": "v", "configMap": {"name": "prometheus"}}])),
    "read a Secret": by_job(of_container(env=[{"name": "x", "valueFrom": {"secretKeyRef": {"name": "grafana"}}}])),
    "read a whole Secret": by_job(of_container(envFrom=[{"secretRef": {"name": "grafana"}}])),
    "read it before": by_job(history(initContainers=[{"name": "x", "envFrom": [{"secretRef": {"name": "x"}}]}])),
}  # fmt: skip


@pytest.mark.parametrize("attempt", JOB_MAY_NOT)
def test_a_job_is_held_to_its_own_where_all_have_rights(attempt: str, objects: list[Rendered]) -> None:
    assert refusals(objects, "grader", JOB_MAY_NOT[attempt])
    other = json.loads(json.dumps(JOB_MAY_NOT[attempt]).replace(f"{JOBS}:g-7-1", "kube-system:somebody"))
    assert refusals(objects, "grader", other) == [], "it is about Jobs alone"


def test_the_jobs_policy_is_asked_where_all_of_them_have_rights(objects: list[Rendered]) -> None:
    policy = named(objects, f"ValidatingAdmissionPolicyBinding {NS}-grader")["spec"]
    (chosen,) = policy["matchResources"]["namespaceSelector"]["matchExpressions"]
    assert policy["validationActions"] == ["Deny"]
    rights = {
        each.body["metadata"]["namespace"] for each in objects
        if each.kind == "RoleBinding" and each.body["roleRef"]["name"] == f"{NS}-grader-system"
    }  # fmt: skip
    assert rights == set(chosen["values"]) == {SYSTEM, MONITORING}
    (rule,) = named(objects, f"ValidatingAdmissionPolicy {NS}-grader")["spec"]["matchConstraints"]["resourceRules"]
    assert set(rule["operations"]) == {"CREATE", "UPDATE", "DELETE", "CONNECT"}
    changes = [set(each["resources"]) for each in rules(objects, "grader-system")
               if set(each["verbs"]) & {"create", "patch", "delete"}]  # fmt: skip
    assert set(rule["resources"]) == set().union(*changes)
    spec = named(objects, f"ValidatingAdmissionPolicy {NS}-grader")["spec"]
    seen = {one for each in JOB_MAY_NOT.values() for one in refusals(objects, "grader", each)}
    assert seen == {each["message"] for each in spec["validations"]}


# What learners may not make on the class's cluster, no submission makes in its sandbox


def test_policies_for_learners_are_asked_about_sandboxes(objects: list[Rendered], told: settings.Settings) -> None:
    taken = Taken(7, "ada", "04", 1, "0" * 64, "token", 1)
    task = making.task(told, taken, "s" * 24, [])
    sandbox, apart = (each["metadata"]["labels"] for each in making.namespaces(told, task))
    jobs = making.place(told)[0]["metadata"]["labels"]
    for name in ("pods", "services", "secrets", "claims", "ingresses", "finalizers"):
        policy = named(objects, f"ValidatingAdmissionPolicyBinding {NS}-sandbox-learner-{name}")["spec"]
        assert policy["policyName"] == f"{NS}-learner-{name}" and policy["validationActions"] == ["Deny"]
        chosen = policy["matchResources"]["namespaceSelector"]
        assert [fits(chosen, each) for each in (sandbox, apart, jobs)] == [True, False, False]


def fits(selector: Object, labels: dict[str, str]) -> bool:
    exist = all((each["key"] in labels) == (each["operator"] == "Exists") for each in selector["matchExpressions"])
    return exist and selector["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("attempt", [each for each in attempts.REFUSED if each.guard.startswith("learner-")],
                         ids=lambda each: each.name)  # fmt: skip
def test_what_learners_try_is_refused_here_too(attempt: Attempt, objects: list[Rendered]) -> None:
    assert [each for each in refusals(objects, attempt.guard, asked(attempt)) if attempt.says in each]


def test_sandboxes_reach_the_parts_that_are_there_for_them(told: settings.Settings) -> None:
    taken = Taken(7, "ada", "01", 1, "0" * 64, "token", 1)
    task = making.task(told, taken, "s" * 24, [])
    policies = {
        each["metadata"]["name"]: each for each in making.contents(told, task, []) if each["kind"] == "NetworkPolicy"
    }
    text = yaml.safe_dump(policies["class-allow"]["spec"]["egress"])
    assert all(each in text for each in parts.namespaces(["tracking"]))
    without = msgspec.structs.replace(told, parts=[])
    plain: Any = [each for each in making.contents(without, task, []) if each["metadata"]["name"] == "class-allow"]
    assert not any(each in yaml.safe_dump(plain[0]["spec"]["egress"]) for each in parts.namespaces(["tracking"]))


def test_a_sandbox_lets_the_checkers_pods_in_and_no_others_of_the_third_place(told: settings.Settings) -> None:
    task = making.task(told, Taken(7, "ada", "15", 1, "0" * 64, "token", 1), "s" * 24, [])
    (policy,) = (each for each in making.contents(told, task, []) if each["metadata"]["name"] == "checker")
    assert policy["metadata"]["namespace"] == task.sandbox
    (way,) = policy["spec"]["ingress"]
    (peer,) = way["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": task.apart}
    *_, program = Place(None, task.apart, "x").objects("program-1", 5, {}, talks=False)  # type: ignore[arg-type]
    (rule,) = peer["podSelector"]["matchExpressions"]
    assert rule["operator"] == "DoesNotExist" and rule["key"] in program["metadata"]["labels"]


# What labs begin with


SEEDS = [each for each in exercises() if table()[each.number].grading == "files" and (each.folder / SEED).is_file()]
MANY = {"Endpoints": "endpoints", "Ingress": "ingresses", "NetworkPolicy": "networkpolicies"}


@pytest.mark.parametrize("exercise", SEEDS, ids=lambda each: each.number)
def test_a_job_has_the_rights_for_what_a_lab_begins_with(exercise: Exercise, objects: list[Rendered]) -> None:
    """A role that it makes gives nothing that it has not itself, or the API server would refuse it."""
    allowed = rules(objects, "grader-sandbox")
    for item in filter(None, yaml.safe_load_all((exercise.folder / SEED).read_text())):
        resource = MANY.get(item["kind"], f"{item['kind'].lower()}s")
        for verb in ("create", "get", "patch"):
            group = item["apiVersion"].rpartition("/")[0]
            assert any(may(each, group, resource, verb) for each in allowed), (resource, verb)
        for rule in item.get("rules") or []:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for verb in rule["verbs"]:
                        assert any(may(each, group, resource, verb) for each in allowed), (group, resource, verb)
