"""What is particular to the class's chart: its policies' expressions, who may do what, what the operator is told."""

from __future__ import annotations

import base64
import fnmatch
import itertools
import json
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cel_expr_python import cel
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mlops_lab.base.paths import project
from mlops_lab.classroom import gradable, signing
from mlops_lab.classroom.lti import registration
from mlops_lab.classroom.operator import settings, walls
from mlops_lab.labs.catalog import exercises
from mlops_lab.platform.releases import RELEASES
from tests import class_attempts as attempts
from tests.class_attempts import Attempt, Object
from tests.render.charts import CHARTS, REGISTRY, Chart, Rendered, found_there, template

CHART = Chart(CHARTS / "classroom")
CASES = CHART.cases()
SHARED = CASES["ci/shared"]
NS = "mlops-lab-test"
MONITORING = next(each.namespace for each in RELEASES if each.part == "monitoring")
PUSH = "registry.example.org/learners"
ACCOUNTS = f"{NS}-accounts"
_ENV = cel.NewEnv(
    variables=dict.fromkeys(("object", "oldObject", "request", "namespaceObject", "variables"), cel.Type.DYN)
)


@pytest.fixture(scope="module")
def objects() -> list[Rendered]:
    return CHART.render(SHARED)


def named(objects: list[Rendered], name: str) -> Object:
    return next(each.body for each in objects if each.name == name)


def data(objects: list[Rendered], name: str) -> dict[str, str]:
    return {key: base64.b64decode(text).decode() for key, text in named(objects, f"Secret {name}")["data"].items()}


# Policies: an expression that fails refuses, as the API server has it (failurePolicy: Fail)


def refusals(objects: list[Rendered], policy: str, given: Object) -> list[str]:
    """The messages of a policy's expressions that don't hold."""
    spec = named(objects, f"ValidatingAdmissionPolicy {NS}-{policy}")["spec"]
    assert spec["failurePolicy"] == "Fail"
    scope = {"namespaceObject": {}, "oldObject": None, **given, "variables": {}}
    if not all(_value(each["expression"], scope) is True for each in spec.get("matchConditions") or ()):
        return []
    for each in spec.get("variables") or ():
        scope["variables"] = {**scope["variables"], each["name"]: _value(each["expression"], scope)}
    return [each["message"] for each in spec["validations"] if _value(each["expression"], scope) is not True]


def _value(expression: str, scope: Object) -> Any:
    found = _ENV.compile(expression).eval(data=scope)
    return "broken" if found.type() == cel.Type.ERROR else found.plain_value()


def asked(
    attempt: Attempt, learner: str = "ada", operation: str = "CREATE", old: Object | None = None, by: str = ACCOUNTS
) -> Object:
    """An attempt as the API server puts it to its policies.

    Args:
        old: what was there before.
        by: the namespace of whose account asks.
    """
    text = json.dumps(attempt.item).replace("REGISTRY", REGISTRY).replace("PUSH", PUSH)
    item = json.loads(text)
    if "priorityClassName" in item.get("spec", {}):
        item["spec"]["priority"] = 2_000_000_000  # an admission plug-in writes it down before policies are asked
    labels = {"mlops-lab/class": NS, "mlops-lab/learner": learner}
    return {
        "object": item, "namespaceObject": {"metadata": {"name": attempts.OWN, "labels": labels}},
        "request": {
            "operation": operation, "namespace": attempts.OWN, "resource": {"resource": plural(item["kind"])},
            "userInfo": {"username": "learner", "groups": ["system:authenticated", f"system:serviceaccounts:{by}"]},
        },
        "oldObject": old,
    }  # fmt: skip


OF_POLICIES = [each for each in (*attempts.REFUSED, *attempts.REFUSED_INGRESSES) if each.guard.startswith("learner-")]


@pytest.mark.parametrize("attempt", OF_POLICIES, ids=lambda each: each.name)
def test_what_learners_try_is_refused(attempt: Attempt, objects: list[Rendered]) -> None:
    says = refusals(objects, attempt.guard, asked(attempt))
    assert [each for each in says if attempt.says in each], says


@pytest.mark.parametrize("attempt", [*attempts.ALLOWED, *attempts.ALLOWED_INGRESSES], ids=lambda each: each.name)
def test_what_learners_need_is_let_through(attempt: Attempt, objects: list[Rendered]) -> None:
    assert refusals(objects, attempt.guard, asked(attempt)) == []


def test_each_expression_of_the_policies_refuses_something(objects: list[Rendered]) -> None:
    """None holds whatever is asked."""
    for policy in {each.guard for each in OF_POLICIES}:
        seen = {one for each in OF_POLICIES if each.guard == policy for one in refusals(objects, policy, asked(each))}
        spec = named(objects, f"ValidatingAdmissionPolicy {NS}-{policy}")["spec"]
        assert seen == {each["message"] for each in spec["validations"]}, policy


def test_the_policies_are_asked_about_every_way_in(objects: list[Rendered]) -> None:
    rules = named(objects, f"ValidatingAdmissionPolicy {NS}-learner-pods")["spec"]["matchConstraints"]["resourceRules"]
    assert set(rules[0]["resources"]) == {"pods", "pods/ephemeralcontainers", "pods/resize"}
    for name in ("pods", "services", "secrets", "claims", "ingresses", "finalizers"):
        binding = named(objects, f"ValidatingAdmissionPolicyBinding {NS}-learner-{name}")["spec"]
        assert binding["validationActions"] == ["Deny"] and binding["policyName"] == f"{NS}-learner-{name}"
        assert binding["matchResources"] == {"namespaceSelector": {"matchLabels": {"mlops-lab/class": NS}}}
        rules = named(objects, f"ValidatingAdmissionPolicy {NS}-learner-{name}")["spec"]["matchConstraints"]
        assert set(rules["resourceRules"][0]["operations"]) == {"CREATE", "UPDATE"}
    (rule,) = rules["resourceRules"]
    assert (rule["apiGroups"], rule["resources"], rule["scope"]) == (["*"], ["*"], "Namespaced"), "of finalizers"


def test_a_container_for_debugging_is_looked_at_too(objects: list[Rendered]) -> None:
    ephemeral = attempts.pod(ephemeralContainers=[{"name": "e", "image": "nginx"}])
    assert refusals(objects, attempts.PODS, asked(Attempt("", ephemeral, attempts.PODS), operation="UPDATE"))


THEIRS = attempts.claim(storageClassName="", volumeName="theirs")
CONTROLLERS = "kube-system"


@pytest.mark.parametrize(
    ("by", "before", "right"),
    [(ACCOUNTS, {}, False), (attempts.OWN, {}, False), (f"{NS}-grading", {}, False), ("g-7-1-apart", {}, False),
     (NS, {}, False), (ACCOUNTS, {"volumeName": "mine"}, False), (CONTROLLERS, {}, True),
     (ACCOUNTS, {"volumeName": "theirs"}, True)],
)  # fmt: skip
def test_a_claim_gets_its_volume_from_the_cluster_alone(
    by: str, before: Object, right: bool, objects: list[Rendered]
) -> None:
    old = attempts.claim(storageClassName="", **before)
    given = asked(Attempt("", THEIRS, attempts.CLAIMS), operation="UPDATE", old=old, by=by)
    assert (refusals(objects, attempts.CLAIMS, given) == []) is right


@pytest.mark.parametrize(
    ("by", "before", "right"),
    [(ACCOUNTS, "", False), (attempts.OWN, "", False), ("g-7-1-apart", "", False), ("ingress", "", True),
     (ACCOUNTS, "x.example/stay", True)],
)  # fmt: skip
def test_a_finalizer_is_added_by_controllers_alone(by: str, before: str, right: bool, objects: list[Rendered]) -> None:
    """Who changes something else of an object that bears one is not refused."""
    item = attempts.stays(attempts.ingress("x"), "x.example/stay")
    old = attempts.stays(item, before) if before else attempts.ingress("x")
    given = asked(Attempt("", item, attempts.FINALIZERS), operation="UPDATE", old=old, by=by)
    assert (refusals(objects, attempts.FINALIZERS, given) == []) is right
    if not before:
        given = asked(Attempt("", item, attempts.FINALIZERS), by=by)
        assert refusals(objects, attempts.FINALIZERS, given), "what a template says, controllers make"


def test_a_pod_of_a_job_is_given_to_nobody_else(objects: list[Rendered]) -> None:
    whose, taken = next(each for each in attempts.REFUSED if each.says == "only pods of Jobs"), attempts.pod()
    old = attempts.stays(taken, "batch.kubernetes.io/job-tracking")
    for by in (ACCOUNTS, CONTROLLERS):
        assert refusals(objects, attempts.FINALIZERS, asked(whose, operation="UPDATE", old=old, by=by))


def test_learners_folders_within_the_classs_registry_are_their_own_too(tmp_path: Path) -> None:
    given = {"cluster": {"address": "https://c.example:6443"}, "learners": {"pushPrefix": f"{REGISTRY}/learners"}}
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(given))
    rendered = CHART.render((tmp_path / "values.yaml",))
    for image, right in (("learners/ada/model:1", True), ("learners/bob/model:1", False), ("flight-delay:v1", True)):
        tried = Attempt("", attempts.of(f"REGISTRY/{image}"), attempts.PODS)
        assert (refusals(rendered, attempts.PODS, asked(tried)) == []) is right, image


def test_without_a_place_to_push_and_classes_of_ingress_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("cluster: {address: 'https://c.example:6443'}\n")
    rendered = CHART.render((tmp_path / "values.yaml",))
    own = Attempt("", attempts.of("PUSH/ada/model:1"), attempts.PODS)
    assert refusals(rendered, attempts.PODS, asked(own))
    assert refusals(rendered, attempts.PODS, asked(attempts.ALLOWED[0])) == []
    assert refusals(rendered, attempts.INGRESSES, asked(attempts.ALLOWED_INGRESSES[0]))
    assert "ingresses" not in str(named(rendered, f"ClusterRole {NS}-learner"))


def test_pods_of_every_lab_that_can_be_shared_are_let_through(objects: list[Rendered]) -> None:
    """What labs begin with, and their solutions."""
    tried = 0
    for exercise in exercises():
        if not gradable.table()[exercise.number].shared:
            continue
        for file in itertools.chain(*(exercise.folder.glob(f"{each}/**/*.yaml") for each in ("start", "solution"))):
            for item in filter(None, yaml.safe_load_all(file.read_text())):
                for spec in _pods(item):
                    text = json.dumps(spec).replace("localhost:5001/", f"{REGISTRY}/")
                    whole = {"kind": "Pod", "metadata": {}, "spec": json.loads(text)}
                    given = {**asked(attempts.ALLOWED[0]), "object": whole}
                    assert refusals(objects, attempts.PODS, given) == [], file
                    tried += 1
    assert tried > 50


def _pods(item: Any) -> list[Object]:
    """The specs of pods that an object makes; none of patches for kustomize, and of images that it names."""
    if not isinstance(item, dict):
        return []
    if isinstance(item.get("containers"), list):
        whole = all("/" in each.get("image", "") for each in item["containers"])
        return [item] if whole else []
    return [each for value in item.values() for each in _pods(value)]


# The operator is held to its own


OPERATOR = f"system:serviceaccount:{NS}:operator"
LEVEL = "pod-security.kubernetes.io/enforce"
CLASSED = {"mlops-lab/class": NS, "mlops-lab/learner": "ada", LEVEL: "restricted"}


def by_operator(
    resource: str, operation: str, item: Object | None, old: Object | None = None, *, namespace: str = "",
    labels: dict[str, str] | None = None, name: str = "x", sub: str = "", user: str = OPERATOR,
) -> Object:  # fmt: skip
    request: Object = {
        "operation": operation, "resource": {"resource": resource}, "name": name, "userInfo": {"username": user},
    }  # fmt: skip
    request |= ({"namespace": namespace} if namespace else {}) | ({"subResource": sub} if sub else {})
    space = {"metadata": {"name": namespace, "labels": labels or {}}} if namespace else None
    return {"request": request, "object": item, "oldObject": old, "namespaceObject": space}


def space(labels: dict[str, str] | None = None) -> Object:
    return {"metadata": {"name": "x", "labels": labels} if labels is not None else {"name": "x"}}


def binding(role: str, account: str, of: str, kind: str = "ClusterRole") -> Object:
    subject = {"kind": "ServiceAccount", "name": account, "namespace": of}
    return {"metadata": {"name": "b"}, "roleRef": {"kind": kind, "name": role}, "subjects": [subject]}


OWN, LEARNER = "l-ada-lab-04", f"{NS}-learner"
HERE = {"namespace": OWN, "labels": CLASSED}
THERE = {"namespace": ACCOUNTS, "labels": {"mlops-lab/class": NS}}
TOKEN = {"spec": {"expirationSeconds": 3600, "boundObjectRef": {"kind": "Secret", "name": "kit-ada"}}}
GROUP = {**binding(LEARNER, "learner-ada", ACCOUNTS), "subjects": [{"kind": "Group", "name": "system:authenticated"}]}
MAY: dict[str, Object] = {
    "make a namespace of a lab": by_operator("namespaces", "CREATE", space(CLASSED), name=OWN, namespace=OWN),
    "make a namespace for a lab that needs more": by_operator(
        "namespaces", "CREATE", space({**CLASSED, LEVEL: "baseline"}), name=OWN
    ),
    "make that of the accounts": by_operator("namespaces", "CREATE", space(CLASSED), name=ACCOUNTS),
    "change one of its own": by_operator("namespaces", "UPDATE", space(CLASSED), space(CLASSED), name=OWN),
    "change one that somebody has opened": by_operator(
        "namespaces",
        "UPDATE",
        space({**CLASSED, LEVEL: "privileged"}),
        space({**CLASSED, LEVEL: "privileged"}),
        name=OWN,
    ),
    "delete one of its own": by_operator("namespaces", "DELETE", None, space(CLASSED), name=OWN),
    "make walls": by_operator("networkpolicies", "CREATE", {}, **HERE),
    "take its word back": by_operator("rolebindings", "DELETE", None, {}, **HERE),
    "let the learner in": by_operator("rolebindings", "CREATE", binding(LEARNER, "learner-ada", ACCOUNTS), **HERE),
    "let itself in": by_operator("rolebindings", "CREATE", binding(f"{NS}-operator-inside", "operator", NS), **HERE),
    "let itself make accounts": by_operator(
        "rolebindings", "CREATE", binding(f"{NS}-operator-accounts", "operator", NS), **THERE
    ),
    "let the server read kits": by_operator(
        "rolebindings", "CREATE", binding(f"{NS}-server-kits", "server", NS), **THERE
    ),
    "bind a lab's own role": by_operator(
        "rolebindings", "CREATE", binding("prometheus", "prometheus", OWN, "Role"), **HERE
    ),
    "say what became of it": by_operator("configmaps", "UPDATE", {}, {}, namespace=NS),
    "make a token that ends": by_operator("serviceaccounts", "CREATE", TOKEN, sub="token", **THERE),
}
MAY_NOT: dict[str, Object] = {
    "make a namespace of another name": by_operator("namespaces", "CREATE", space(CLASSED), name="kube-public2"),
    "make one that only ends so": by_operator("namespaces", "CREATE", space(CLASSED), name="x-l-ada-lab-04"),
    "make one without the label": by_operator("namespaces", "CREATE", space(), name=OWN),
    "make one of another class": by_operator(
        "namespaces", "CREATE", space({**CLASSED, "mlops-lab/class": "other"}), name=OWN
    ),
    "make a namespace whose pods are held to no level": by_operator(
        "namespaces", "CREATE", space({"mlops-lab/class": NS, "mlops-lab/learner": "ada"}), name=OWN
    ),
    "let pods do what they like": by_operator(
        "namespaces", "UPDATE", space({**CLASSED, LEVEL: "privileged"}), space(CLASSED), name=OWN
    ),
    "let pods do more among the accounts": by_operator(
        "namespaces", "CREATE", space({**CLASSED, LEVEL: "baseline"}), name=ACCOUNTS
    ),
    "take a right in the class's own namespace away": by_operator("rolebindings", "DELETE", None, {}, namespace=NS),
    "bind in the class's own namespace": by_operator(
        "rolebindings", "CREATE", binding("server", "operator", NS, "Role"), namespace=NS
    ),
    "take somebody else's over": by_operator("namespaces", "UPDATE", space(CLASSED), space({}), name=OWN),
    "delete kube-system": by_operator("namespaces", "DELETE", None, space({}), name="kube-system"),
    "delete one of another class": by_operator("namespaces", "DELETE", None, space({"mlops-lab/class": "o"}), name=OWN),
    "give one of its own away": by_operator("namespaces", "UPDATE", space({}), space(CLASSED), name=OWN),
    "work in kube-system": by_operator("networkpolicies", "DELETE", None, {}, namespace="kube-system"),
    "work in another class's": by_operator("pods", "CREATE", {}, namespace=OWN, labels={"mlops-lab/class": "other"}),
    "work beyond namespaces": by_operator("clusterrolebindings", "CREATE", {}),
    "bind learners in kube-system": by_operator(
        "rolebindings", "CREATE", binding(LEARNER, "learner-ada", ACCOUNTS), namespace="kube-system"
    ),
    "let another learner in": by_operator("rolebindings", "CREATE", binding(LEARNER, "learner-bob", ACCOUNTS), **HERE),
    "let in whoever there is": by_operator("rolebindings", "CREATE", GROUP, **HERE),
    "let the server in": by_operator("rolebindings", "CREATE", binding(f"{NS}-operator-inside", "server", NS), **HERE),
    "let learners read kits": by_operator(
        "rolebindings", "CREATE", binding(f"{NS}-server-kits", "learner-ada", ACCOUNTS), **THERE
    ),
    "let learners among the accounts": by_operator(
        "rolebindings", "CREATE", binding(LEARNER, "learner-ada", ACCOUNTS), **THERE
    ),
    "bind cluster-admin": by_operator("rolebindings", "CREATE", binding("cluster-admin", "operator", NS), **HERE),
    "change a binding to that": by_operator("rolebindings", "UPDATE", binding("admin", "operator", NS), {}, **HERE),
    "bind a lab's role to others": by_operator("rolebindings", "CREATE", binding("x", "x", "other", "Role"), **HERE),
    "make a token for a year": by_operator(
        "serviceaccounts", "CREATE", {"spec": {**TOKEN["spec"], "expirationSeconds": 31536000}}, sub="token", **THERE
    ),
    "make a token that nothing revokes": by_operator(
        "serviceaccounts", "CREATE", {"spec": {"expirationSeconds": 3600}}, sub="token", **THERE
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MAY)
def test_the_operator_may(what: str, objects: list[Rendered]) -> None:
    assert refusals(objects, "operator", MAY[what]) == []


@pytest.mark.parametrize("what", MAY_NOT)
def test_the_operator_may_not(what: str, objects: list[Rendered]) -> None:
    assert refusals(objects, "operator", MAY_NOT[what])
    other = json.loads(json.dumps(MAY_NOT[what]).replace(OPERATOR, "admin"))
    assert refusals(objects, "operator", other) == [], "it is about the operator alone"


def test_the_operators_policy_is_asked_about_everything(objects: list[Rendered]) -> None:
    spec = named(objects, f"ValidatingAdmissionPolicy {NS}-operator")["spec"]["matchConstraints"]
    (rule,) = spec["resourceRules"]
    assert (rule["apiGroups"], rule["resources"], rule["operations"]) == (
        ["*"],
        ["*/*"],
        ["CREATE", "UPDATE", "DELETE"],
    )
    assert "matchResources" not in named(objects, f"ValidatingAdmissionPolicyBinding {NS}-operator")["spec"]


@pytest.mark.parametrize(
    ("name", "right"), [("learner-ada", True), ("roster", False), ("operator", False), ("class", False), ("", False)]
)
def test_the_server_writes_what_learners_ask_for_alone(name: str, right: bool, objects: list[Rendered]) -> None:
    given = by_operator(
        "configmaps", "UPDATE", {}, {}, namespace=NS, name=name, user=f"system:serviceaccount:{NS}:server"
    )
    assert (refusals(objects, "server", given) == []) is right


# Rights


def rules(objects: list[Rendered], role: str) -> list[Object]:
    return list(named(objects, f"ClusterRole {NS}-{role}")["rules"])


def may(objects: list[Rendered], role: str, verb: str, group: str, resource: str) -> bool:
    return any(
        any(fnmatch.fnmatch(verb, each) for each in rule["verbs"])
        and any(fnmatch.fnmatch(group, each) for each in rule["apiGroups"])
        and any(fnmatch.fnmatch(resource, each) for each in rule["resources"])
        for rule in rules(objects, role)
    )


WRITES = ("create", "update", "patch", "delete", "deletecollection")
NEVER: dict[str, tuple[tuple[str, ...], str, str]] = {
    "ephemeral containers": (WRITES, "", "pods/ephemeralcontainers"),
    "tokens": (WRITES, "", "serviceaccounts/token"),
    "accounts": ((*WRITES, "impersonate"), "", "serviceaccounts"),
    "users": (("impersonate",), "", "users"),
    "groups": (("impersonate",), "", "groups"),
    "endpoints": (WRITES, "", "endpoints"),
    "endpoint slices": (WRITES, "discovery.k8s.io", "endpointslices"),
    "roles": ((*WRITES, "escalate", "bind"), "rbac.authorization.k8s.io", "roles"),
    "role bindings": (WRITES, "rbac.authorization.k8s.io", "rolebindings"),
    "cluster roles": ((*WRITES, "escalate", "bind"), "rbac.authorization.k8s.io", "clusterroles"),
    "network policies": (WRITES, "networking.k8s.io", "networkpolicies"),
    "quotas": (WRITES, "", "resourcequotas"),
    "limits": (WRITES, "", "limitranges"),
    "namespaces": ((*WRITES, "list", "watch"), "", "namespaces"),
    "nodes": ((*WRITES, "get", "list", "watch"), "", "nodes"),
    "what a node says": (("get", "create"), "", "nodes/proxy"),
    "volumes": ((*WRITES, "get", "list"), "", "persistentvolumes"),
    "pods on every node": (WRITES, "apps", "daemonsets"),
    "what a pod says of itself": (WRITES, "", "pods/status"),
    "where a pod runs": (WRITES, "", "pods/binding"),
    "leases": (WRITES, "coordination.k8s.io", "leases"),
    "policies": (WRITES, "admissionregistration.k8s.io", "validatingadmissionpolicies"),
    "webhooks": (WRITES, "admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    "webhooks that change": (WRITES, "admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    "certificates": (WRITES, "certificates.k8s.io", "certificatesigningrequests"),
    "metrics of nodes": (("get", "list"), "metrics.k8s.io", "nodes"),
    "priorities": (WRITES, "scheduling.k8s.io", "priorityclasses"),
}  # fmt: skip


@pytest.mark.parametrize("what", NEVER)
def test_learners_may_never(what: str, objects: list[Rendered]) -> None:
    verbs, group, resource = NEVER[what]
    for role, verb in itertools.product(("learner", "learner-looks", "learner-everywhere"), verbs):
        assert not may(objects, role, verb, group, resource), (role, verb)


def test_the_operator_may_delete_what_a_namespace_that_goes_waits_for(objects: list[Rendered]) -> None:
    for group, resource in (("batch", "jobs"), ("", "pods")):
        assert all(may(objects, "operator-inside", verb, group, resource) for verb in ("list", "delete"))
    assert not may(objects, "operator-inside", "delete", "batch", "cronjobs")


def test_learners_may_what_labs_tell_them_to_do(objects: list[Rendered]) -> None:
    everything = (*WRITES, "get", "list", "watch")
    for group, resources in {
        "": "pods services configmaps secrets persistentvolumeclaims",
        "apps": "deployments statefulsets deployments/scale",
        "batch": "jobs cronjobs",
        "autoscaling": "horizontalpodautoscalers",
        "policy": "poddisruptionbudgets",
    }.items():
        for resource, verb in itertools.product(resources.split(), everything):
            assert may(objects, "learner", verb, group, resource), (verb, resource)
    for verb, resource in (
        ("create", "pods/exec"),
        ("create", "pods/portforward"),
        ("get", "pods/log"),
        ("get", "pods/proxy"),
        ("create", "pods/eviction"),
        ("list", "events"),
        ("list", "resourcequotas"),
        ("watch", "limitranges"),
    ):
        assert may(objects, "learner", verb, "", resource), (verb, resource)
    assert may(objects, "learner", "list", "metrics.k8s.io", "pods"), "kubectl top pods"
    assert may(objects, "learner", "get", "custom.metrics.k8s.io", "pods/http_requests_per_second")
    assert may(objects, "learner-everywhere", "list", "storage.k8s.io", "storageclasses"), "lab 20"
    assert not any("*" in rule["verbs"] for role in ("learner", "learner-everywhere") for rule in rules(objects, role))


def test_what_the_operator_may_everywhere_is_little(objects: list[Rendered]) -> None:
    found = rules(objects, "operator")
    writes = [rule for rule in found if set(rule["verbs"]) & {*WRITES, "bind", "escalate", "impersonate"}]
    assert [rule["resources"] for rule in writes] == [["namespaces"], ["rolebindings"], ["clusterroles"]]
    bind = writes[-1]
    assert bind["verbs"] == ["bind"] and set(bind["resourceNames"]) == {
        f"{NS}-{each}"
        for each in ("learner", "learner-looks", "operator-accounts", "operator-inside", "server-kits")
    }  # fmt: skip
    assert not any("secrets" in rule["resources"] or "*" in str(rule) for rule in found)
    everyone = [each.body for each in objects if each.kind == "ClusterRoleBinding"]
    assert {each["roleRef"]["name"] for each in everyone} == {f"{NS}-operator", f"{NS}-learner-everywhere"}
    group = named(objects, f"ClusterRoleBinding {NS}-learner-everywhere")["subjects"]
    assert [each["name"] for each in group] == [f"system:serviceaccounts:{NS}-accounts"]


def test_the_operator_may_make_all_that_a_labs_seed_has(objects: list[Rendered]) -> None:
    """What it makes, and what roles of a seed grant: nobody may grant what they may not do."""
    looked = 0
    for exercise in exercises():
        seed = exercise.folder / "start" / "seed.yaml"
        if not gradable.table()[exercise.number].shared or not seed.exists():
            continue
        for item in filter(None, yaml.safe_load_all(seed.read_text())):
            group = item["apiVersion"].rpartition("/")[0]
            resource = plural(item["kind"])
            role = "operator" if resource == "rolebindings" else "operator-inside"
            for verb in ("create", "patch"):
                assert may(objects, role, verb, group, resource), (exercise.slug, verb, resource)
            for rule in item.get("rules") or ():
                for verb, kind, of in itertools.product(rule["verbs"], rule["resources"], rule["apiGroups"]):
                    assert may(objects, "operator-inside", verb, of, kind), (exercise.slug, verb, kind)
                    looked += 1
    assert looked > 3


def plural(kind: str) -> str:
    """A kind as rights name it."""
    if kind.endswith("s"):
        return f"{kind.lower()}es"
    return f"{kind.lower().removesuffix('y')}{'ies' if kind.endswith('y') else 's'}"


def test_the_operator_may_make_its_own_walls(objects: list[Rendered], tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(named(objects, "ConfigMap operator")["data"]["settings.json"])
    told = settings.read(tmp_path / "settings.json")
    for item in walls.walls(told, "ada", "04", gradable.table()["04"], (), ()):
        group = item["apiVersion"].rpartition("/")[0]
        resource = plural(item["kind"])
        for verb in ("create", "patch", "delete"):
            assert may(objects, "operator-inside", verb, group, resource)


# What it is given


def test_a_quota_counts_all_that_learners_make(objects: list[Rendered], tmp_path: Path) -> None:
    """Also what costs nothing: it fills the API server's store for everybody."""
    (tmp_path / "settings.json").write_text(named(objects, "ConfigMap operator")["data"]["settings.json"])
    told = settings.read(tmp_path / "settings.json")
    for lab in ("04", "23"):
        quota, *_ = walls.walls(told, "ada", lab, gradable.table()[lab], (), ())
        assert _made(objects) <= set(quota["spec"]["hard"]), lab


def _made(objects: list[Rendered]) -> set[str]:
    """The kinds that learners may make, as quotas name them."""
    made = {
        f"count/{resource}.{group}" if group else resource
        for rule in rules(objects, "learner") if {"create", "list"} <= set(rule["verbs"])
        for group in rule["apiGroups"] for resource in rule["resources"] if "/" not in resource
    }  # fmt: skip
    assert len(made) > 10
    return made


def test_the_operator_reads_what_the_chart_writes(objects: list[Rendered], tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(named(objects, "ConfigMap operator")["data"]["settings.json"])
    told = settings.read(tmp_path / "settings.json")
    assert (told.namespace, told.registry, told.accounts) == (NS, REGISTRY, f"{NS}-accounts")
    assert told.address == "https://cluster.example.org:6443" and "BEGIN CERTIFICATE" in told.certificate
    assert (
        told.quota["pods"] == "20"
        and told.quota["count/jobs.batch"] == "30"
        and told.quota["requests.storage"] == "5Gi"
    )
    assert (
        told.shared_parts == ["tracking"] and told.dns_addresses == ["169.254.20.10/32"] and told.labs == ["04", "10"]
    )


def test_images_that_labs_bring_are_those_of_the_labs() -> None:
    found = set()
    for exercise in exercises():
        for file in exercise.folder.glob("s*/**/*.yaml"):
            for item in filter(None, yaml.safe_load_all(file.read_text())):
                found |= {each["image"] for spec in _pods(item) for each in spec["containers"]}
    elsewhere = {each for each in found if "/" in each and not each.startswith("localhost:5001/")}
    assert set(CHART.values["learners"]["otherImages"]) == elsewhere


def test_without_a_shared_cluster_nobody_has_a_right_on_it() -> None:
    kinds = {each.kind for each in CHART.render()}
    assert not kinds & {
        "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount", "ValidatingAdmissionPolicy",
    }  # fmt: skip
    assert not [each for each in CHART.render() if each.name.startswith("Deployment operator")]


def test_the_class_is_told_by_a_file_that_can_be_read(objects: list[Rendered]) -> None:
    told = tomllib.loads(named(objects, "ConfigMap class")["data"]["class.toml"])
    assert told["name"] == "MLOps, autumn" and told["labs"] == ["04", "10"]
    assert told["due"]["10"].isoformat() == "2026-11-06T18:00:00+01:00"
    assert tomllib.loads(named(CHART.render(), "ConfigMap class")["data"]["class.toml"]) == {
        "name": "Class", "labs": [], "due": {},
    }  # fmt: skip


# Metrics, and learning platforms


def test_prometheus_finds_the_metrics_and_reaches_nothing_else(objects: list[Rendered]) -> None:
    pod = named(objects, "Deployment server")["spec"]["template"]
    told = {name.removeprefix("prometheus.io/"): each for name, each in pod["metadata"]["annotations"].items()}
    assert (told["scrape"], told["port"], told["path"]) == ("true", "8445", "/metrics")
    assert "scheme" not in told, "the job of pods in charts/monitoring takes http then, and no certificate"
    monitoring = Chart(CHARTS / "monitoring").render()
    jobs = yaml.safe_load(named(monitoring, "ConfigMap prometheus")["data"]["prometheus.yml"])["scrape_configs"]
    rules = next(each for each in jobs if each["job_name"] == "pods")["relabel_configs"]
    annotations = "__meta_kubernetes_pod_annotation_prometheus_io_"
    asked = {each for rule in rules for each in rule["source_labels"] if each.startswith(annotations)}
    assert {f"{annotations}{name}" for name in ("scrape", "port", "path")} <= asked
    (server,) = pod["spec"]["containers"]
    ports = {each["containerPort"]: each["name"] for each in server["ports"]}
    environment = {each["name"]: each.get("value") for each in server["env"]}
    assert ports[8445] == "metrics" and environment["CLASS_LISTEN_METRICS"] == "0.0.0.0:8445"
    ways = named(objects, "NetworkPolicy server")["spec"]["ingress"]
    for way in ways:
        names = {each["port"] for each in way["ports"]}
        from_monitoring = way["from"] == [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": MONITORING}}}
        ]
        assert names == {"metrics"} if from_monitoring else "metrics" not in names
    assert sum(each["ports"] == [{"port": "metrics"}] for each in ways) == 1
    assert "metrics" not in {each["name"] for each in named(objects, "Service server")["spec"]["ports"]}


@pytest.mark.parametrize("case", ["ci/shared", "ci/grading"])
def test_the_address_inside_is_for_the_class_and_its_graders_alone(case: str) -> None:
    """Pods of other namespaces may be learners', such as the steps of pipelines; the kubelet needs no rule."""
    rendered = CHART.render(CASES[case])
    ways = named(rendered, "NetworkPolicy server")["spec"]["ingress"]
    let_in = [each["from"] for each in ways if {"port": "inside"} in each["ports"]]
    own = [[{"podSelector": {}}]]
    jobs = [[{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": f"{NS}-grading"}}}]]
    graded = any(each.name == "Deployment dispatcher" for each in rendered)
    assert let_in == (own + jobs if graded else own)
    assert {"port": "https"} in next(
        each["ports"] for each in ways if "app.kubernetes.io/managed-by" in str(each["from"])
    ), "what leads learners to it"


def test_the_server_is_told_of_learning_platforms_only_where_there_are_any(tmp_path: Path) -> None:
    found = CHART.render(CASES["ci/lti"])
    files, (server,) = named(found, "ConfigMap class")["data"], _server(found)["containers"]
    told = {each["name"]: each.get("value") for each in server["env"]}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    here = {"CLASS_LTI_PLATFORMS": "platforms.toml", "CLASS_LTI_AUTHORITIES": "authorities.pem"}
    assert {name: Path(told[name]).name for name in here} == here and told["CLASS_AUTHORITY"].endswith("/ca.crt")
    (one,) = registration.read(tmp_path / "platforms.toml")
    assert one.client_id == "a1B2c3" and files["authorities.pem"].startswith("-----BEGIN")
    assert told["CLASS_LTI_ADDRESS"] == "https://class.example.org" and "CLASS_NAMESPACE" not in told
    others = {each["name"] for each in _server(CHART.render(SHARED))["containers"][0]["env"]}
    assert "CLASS_NAMESPACE" in others and not [each for each in others if "LTI" in each]


def _server(objects: list[Rendered]) -> Object:
    return dict(named(objects, "Deployment server")["spec"]["template"]["spec"])


def test_keys_and_certificates_are_what_the_programs_take(objects: list[Rendered]) -> None:
    key = data(objects, "class")["key.pem"]
    assert signing.private_from_pem(key, "the Secret", "").public.verifies(b"x", b"x") is False
    assert len(data(objects, "class")["teacher"]) >= 24 and len(data(objects, "class")["grader"]) >= 24
    tls, authority = data(objects, "class-tls"), data(objects, "class-ca")
    mine, its = (x509.load_pem_x509_certificate(each["tls.crt" if "tls.crt" in each else "ca.crt"].encode())
                 for each in (tls, authority))  # fmt: skip
    mine.verify_directly_issued_by(its)
    assert load_pem_private_key(tls["tls.key"].encode(), None).public_key() == mine.public_key()
    names = mine.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"class.example.org", f"server.{NS}.svc", "localhost"} <= set(names.get_values_for_type(x509.DNSName))
    assert "192.0.2.10" in {str(each) for each in names.get_values_for_type(x509.IPAddress)}
    assert "ca.key" not in tls
    mounted = json.dumps([each.pod for each in objects if each.pod])
    assert "class-ca" not in mounted, "the authority's key is in no pod"


def there(objects: list[Rendered], name: str) -> Object:
    return named(objects, f"Secret {name}")


@pytest.mark.parametrize(
    ("names", "until", "anew"),
    [(["class.example.org", "192.0.2.10"], "later", False), (["other.example.org"], "later", True),
     (["class.example.org", "192.0.2.10"], "over", True)],
)  # fmt: skip
def test_a_certificate_stays_until_it_is_for_other_names_or_nears_its_end(
    names: list[str], until: str, anew: bool, objects: list[Rendered], tmp_path: Path
) -> None:
    old = json.loads(json.dumps(there(objects, "class-tls")))
    if until == "over":
        old["metadata"]["annotations"]["mlops-lab/renew-after"] = str(date.today() - timedelta(days=1))
    (tmp_path / "values.yaml").write_text(yaml.safe_dump({"server": {"hosts": names}}))
    authority = there(objects, "class-ca")
    done = found_there(
        CHART,
        (*SHARED, tmp_path / "values.yaml"),
        tmp_path,
        "server/secret-ca.yaml",
        {("Secret", "class-ca"): authority},
    )
    assert done.returncode == 0
    file = tmp_path / CHART.name / "templates" / "server" / "secret-tls.yaml"
    asked_for = 'lookup "v1" "Secret" .Release.Namespace "class-tls"'
    assert asked_for in file.read_text()
    file.write_text(file.read_text().replace(asked_for, f"fromJson `{json.dumps(old)}`"))
    rendered = template.__wrapped__(tmp_path / CHART.name, (*SHARED, tmp_path / "values.yaml"))
    found = next(
        item for item in yaml.safe_load_all(rendered.stdout)
        if item and (item["kind"], item["metadata"]["name"]) == ("Secret", "class-tls")
    )  # fmt: skip
    assert (found["data"]["tls.crt"] != old["data"]["tls.crt"]) is anew
    assert found["data"]["ca.crt"] == authority["data"]["ca.crt"]


@pytest.mark.parametrize(
    ("file", "secret"), [("server/secret.yaml", "class"), ("postgresql/secret.yaml", "postgresql")]
)
def test_what_was_made_once_is_found_by_the_next_release(file: str, secret: str, tmp_path: Path) -> None:
    old = there(CHART.render(), secret)
    done = found_there(CHART, (), tmp_path, file, {("Secret", secret): {"data": old["data"]}})
    assert done.returncode == 0, done.stderr
    found = next(
        item for item in yaml.safe_load_all(done.stdout)
        if item and (item["kind"], item["metadata"]["name"]) == ("Secret", secret)
    )  # fmt: skip
    assert found["data"] == old["data"]


def test_a_class_without_a_roster_has_no_file_of_one() -> None:
    assert not named(CHART.render(), "ConfigMap roster").get("data")


def test_an_install_without_a_roster_leaves_the_one_that_is_there(tmp_path: Path) -> None:
    text = "id,name\nada,Ada\n"
    done = found_there(CHART, (), tmp_path, "learners/configmap-roster.yaml",
                       {("ConfigMap", "roster"): {"data": {"roster.csv": text}}})  # fmt: skip
    found = next(item for item in yaml.safe_load_all(done.stdout) if item and item["metadata"]["name"] == "roster")
    assert found["data"]["roster.csv"] == text
    assert found["metadata"]["labels"]["mlops-lab/class-part"] == "roster"
    given = named(CHART.render(SHARED), "ConfigMap roster")["data"]["roster.csv"]
    assert given.startswith("id,name,email,ends\nada")


def test_the_databases_scripts_are_mlflows_own_but_for_the_name() -> None:
    """Both charts start the same PostgreSQL: a mend of one is a mend of both."""
    folder = project() / "charts"
    for name in ("service.yaml", "statefulset.yaml", "secret.yaml"):
        texts = [(folder / chart / "templates" / "postgresql" / name).read_text() for chart in ("mlflow", "classroom")]
        ours = texts[1].replace("classroom.", "mlflow.").replace(".Values.database.", ".Values.backend.")
        assert ours == texts[0], name
    scripts = [
        (folder / chart / "templates" / "postgresql" / "configmap.yaml").read_text()
        for chart in ("mlflow", "classroom")
    ]
    begins, ends = "    set -eu", "    # The password in the Secret"
    parts = [text[text.index(begins) : text.index(ends)] for text in scripts]
    assert parts[1].replace("classroom", "mlflow") == parts[0]


@pytest.mark.parametrize(
    "given",
    [
        {"cluster": {"address": "http://cluster.example:6443"}}, {"class": {"labs": ["4"]}},
        {"class": {"due": {"04": "tomorrow"}}}, {"learners": {"sharedParts": ["monitoring"]}},
        {"learners": {"pushPrefix": "registry.example/"}}, {"server": {"hosts": ["a b"]}},
        {"lti": {"address": "http://class.example"}}, {"lti": {"address": "https://class.example/lti"}},
    ],
    ids=str,
)  # fmt: skip
def test_values_that_can_not_work_are_refused(given: Object, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(given))
    done = template(CHART.folder, (tmp_path / "values.yaml",))
    assert done.returncode != 0 and "schema" in done.stderr
