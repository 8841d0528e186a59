"""Lab 22: which rights its checks find, by RBAC's rules played here, and what its programs make of flights."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import email.message
import io
import json
import random
import urllib.error
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.checks.observation import Observation, Unmet
from mlops_lab.kit import rights
from mlops_lab.kube.errors import Refused
from mlops_lab.labs.catalog import resolve
from mlops_lab.labs.variants import Variant, solutions, texts, wrongs
from tests.lab_programs import loaded
from tests.made_up import READY, NothingThere, Room, made_up_lab

LAB = resolve("22")
CHECKER = loaded("22")
SEED = list(yaml.safe_load_all((LAB.folder / "start/seed.yaml").read_text()))
VARIANTS = [*solutions(LAB), *wrongs(LAB)]
# Of the cluster's own roles what matters here.
CLUSTER_ROLES = {
    "cluster-admin": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    "edit": [
        {
            "apiGroups": [""],
            "resources": ["configmaps", "secrets", "pods"],
            "verbs": ["get", "list", "patch", "create"],
        },
        {"apiGroups": ["apps", "batch"], "resources": ["deployments", "jobs", "cronjobs"], "verbs": ["get", "patch"]},
    ],
}


def after(variant: Variant | None) -> dict[tuple[str, str], Any]:
    """The objects by kind and name, once a variant is applied over the seed."""
    found = {(each["kind"], each["metadata"]["name"]): copy.deepcopy(each) for each in SEED}
    for name, text in texts(variant).items() if variant else ():
        for item in yaml.safe_load_all(text) if name.endswith(".yaml") else ():
            key = item["kind"], item["metadata"]["name"]
            before = found.get(key, {})
            if item["kind"] == "RoleBinding" and before:
                assert item["roleRef"] == before["roleRef"], f"{key}: the API server refuses another roleRef"
            found[key] = {**before, **item}
    return found


def granted(objects: Mapping[tuple[str, str], Any], spec: Any, more: Sequence[Any] = ()) -> bool:
    """RBAC's answer to a SubjectAccessReview in namespace `lab`; `more` are rules that hold in all namespaces."""
    asked = spec["resourceAttributes"]
    rules = [*more]
    for (kind, _), each in objects.items():
        if kind != "RoleBinding" or asked["namespace"] != "lab":
            continue
        if any(is_meant(subject, spec) for subject in each["subjects"]):
            role = each["roleRef"]["name"]
            given = CLUSTER_ROLES[role] if each["roleRef"]["kind"] == "ClusterRole" else objects["Role", role]["rules"]
            rules += given
    return any(allows(rule, asked) for rule in rules)


def is_meant(subject: Any, spec: Any) -> bool:
    if subject["kind"] == "Group":
        return subject["name"] in spec["groups"]
    if subject["kind"] == "User":
        return bool(subject["name"] == spec["user"])
    user = f"system:serviceaccount:{subject.get('namespace', 'lab')}:{subject['name']}"
    return bool(user == spec["user"])


def allows(rule: Any, asked: Any) -> bool:
    resource = asked["resource"] + (f"/{asked['subresource']}" if asked["subresource"] else "")

    def of(field: str, value: str) -> bool:
        return bool({"*", value} & set(rule[field]))

    names = rule.get("resourceNames")
    named = names is None or asked["name"] in names
    return of("apiGroups", asked["group"]) and of("resources", resource) and of("verbs", asked["verb"]) and named


def verdicts(monkeypatch: pytest.MonkeyPatch, objects: Any, more: Sequence[Any] = ()) -> dict[str, str]:
    """What the two checks of rights see; empty where they pass."""
    monkeypatch.setattr(rights.reviews, "allowed", lambda kube, spec: granted(objects, spec, more))

    class There(NothingThere):
        def named(self, kind: str, name: str) -> Any:
            watched = super().named(kind, name)
            watched.kube.find = lambda kind, name, *more: objects.get((kind, name))
            return watched

        async def all(self, kind: str, selector: str = "") -> list[Any]:
            return [each for (of, _), each in objects.items() if of == kind]

    said = {}
    for name in ("may_do_its_work", "may_do_no_more"):
        try:
            asyncio.run(getattr(CHECKER, name).run(made_up_lab("22", objects=There())))
            said[name] = ""
        except Unmet as failure:
            said[name] = "; ".join((failure.seen, *failure.evidence))
    return said


@pytest.mark.parametrize("variant", VARIANTS, ids=[each.name for each in VARIANTS])
def test_rights_fail_where_the_mistake_is_one_of_rights(monkeypatch: pytest.MonkeyPatch, variant: Variant) -> None:
    said = verdicts(monkeypatch, after(variant))
    if variant.check.startswith("may_do"):
        assert said[variant.check], "the mistake is not seen"
    if variant.check != "may_do_its_work":
        assert not said["may_do_its_work"]
    if not variant.check.startswith(("may_do", "acts_as_itself")):  # the last check needs these
        assert not said["may_do_no_more"]


def test_the_seed_lacks_what_three_steps_need_and_has_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    said = verdicts(monkeypatch, after(None))
    assert said["may_do_its_work"] == (
        "conductor may not create jobs; conductor may not get jobs; preparer may not get configmaps flights; "
        "preparer may not patch configmaps training-set"
    )
    assert said["may_do_no_more"].startswith("releaser may")


@pytest.mark.parametrize(
    ("rule", "seen"),
    [
        ({"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}, "list secrets"),
        ({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}, "in namespace default"),
        ({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}, "create pods/exec"),
        (
            {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["escalate"]},
            "escalate roles",
        ),
        ({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["delete"]}, "delete deployments model"),
        ({"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}, "list nodes of the whole cluster"),
    ],
)
def test_what_is_given_everywhere_is_seen(monkeypatch: pytest.MonkeyPatch, rule: Any, seen: str) -> None:
    """As a ClusterRoleBinding gives it, which no mistake of the lab's can make: a reset would leave it behind."""
    said = verdicts(monkeypatch, after(solutions(LAB)[1]), [rule])
    assert not said["may_do_its_work"]
    assert seen in said["may_do_no_more"]


def changed(role: str, rule: Any = None, subjects: Any = None) -> Any:
    """The objects of a solution with one more rule in a Role, or one more Role for these subjects."""
    objects = after(next(each for each in solutions(LAB) if each.name == "manifests"))
    if rule:
        objects["Role", role]["rules"] += [rule]
    if subjects:
        reference = {"kind": "Role", "name": role}
        objects["RoleBinding", "more"] = {"kind": "RoleBinding", "roleRef": reference, "subjects": subjects}
    return objects


@pytest.mark.parametrize(
    ("rule", "seen"),
    [
        (([""], ["configmaps"], ["get"], ["kube-root-ca.crt"]), "may get configmaps kube-root-ca.crt"),
        (([""], ["configmaps"], ["watch"], ["flights"]), "may watch configmaps flights"),
        ((["networking.k8s.io"], ["ingresses"], ["get"], None), "may get ingresses"),
        ((["batch"], ["jobs/status"], ["patch"], ["a"]), "may patch jobs/status a"),
        (([""], ["configmaps"], ["create"], ["flights"]), ""),  # it names none, so nobody may
        ((["", "apps"], ["jobs"], ["get"], None), ""),  # there are none in these groups
        ((["*"], ["configmaps"], ["get"], ["flights"]), ""),
    ],
)
def test_whatever_a_role_here_gives_is_asked_about(monkeypatch: pytest.MonkeyPatch, rule: Any, seen: str) -> None:
    more = dict(zip(("apiGroups", "resources", "verbs", "resourceNames"), rule, strict=True))
    said = verdicts(monkeypatch, changed("preparer", {key: value for key, value in more.items() if value}))
    assert not said["may_do_its_work"]
    assert (seen in said["may_do_no_more"]) if seen else not said["may_do_no_more"]


@pytest.mark.parametrize(
    ("subject", "seen"),
    [
        ({"kind": "Group", "name": "system:serviceaccounts:audit"}, "of namespace audit may get secrets signing-key"),
        ({"kind": "Group", "name": "system:serviceaccounts"}, "default may get secrets signing-key"),
        ({"kind": "User", "name": "system:serviceaccount:audit:look"}, "look of namespace audit may"),
        ({"kind": "User", "name": "system:serviceaccount:lab:trainer"}, ""),
        ({"kind": "Group", "name": "auditors"}, "group auditors may get secrets signing-key"),
        ({"kind": "Group", "name": "system:unauthenticated"}, "group system:unauthenticated may get secrets"),
        ({"kind": "User", "name": "jane"}, "user jane may get secrets signing-key"),
        ({"kind": "Group", "name": "system:authenticated"}, "default may get secrets signing-key"),
    ],
)
def test_whoever_is_bound_here_is_asked_for(monkeypatch: pytest.MonkeyPatch, subject: Any, seen: str) -> None:
    said = verdicts(monkeypatch, changed("trainer", subjects=[subject]))["may_do_no_more"]
    assert (seen in said) if seen else not said


@pytest.mark.parametrize(
    ("rule", "seen"),
    [
        ((["apps"], ["daemonsets"], ["create"], None), "look may create daemonsets"),
        ((["batch"], ["cronjobs"], ["patch"], ["train"]), "look may patch cronjobs train"),
        (([""], ["secrets"], ["watch"], None), "look may watch secrets"),
        (([""], ["configmaps"], ["update"], ["candidate"]), "look may update configmaps candidate"),
        (([""], ["configmaps"], ["delete"], ["flights"]), "look may delete configmaps flights"),
        (([""], ["secrets"], ["update"], ["signing-key"]), "look may update secrets signing-key"),
        ((["batch"], ["jobs"], ["list"], None), "look may list jobs"),
        ((["batch"], ["jobs"], ["deletecollection"], None), "look may deletecollection jobs"),
        ((["batch"], ["cronjobs"], ["watch"], ["train"]), "look may watch cronjobs train"),
        ((["batch"], ["cronjobs"], ["delete"], ["train"]), "look may delete cronjobs train"),
        (([""], ["serviceaccounts"], ["impersonate"], ["trainer"]), "look may impersonate serviceaccounts trainer"),
        (([""], ["configmaps"], ["get"], ["kube-root-ca.crt"]), ""),  # nothing of the table, nor what leads to it
        (([""], ["pods"], ["get", "list"], None), ""),
        (([""], ["pods/log"], ["get"], None), ""),
        (([""], ["pods/eviction"], ["create"], None), ""),
        ((["apps"], ["deployments/status"], ["get"], None), "look may get deployments/status"),
        ((["batch"], ["cronjobs/status"], ["get"], ["train"]), "look may get cronjobs/status train"),
        ((["batch"], ["jobs/status"], ["update"], None), "look may update jobs/status"),
        (
            (["authentication.k8s.io"], ["serviceaccounts"], ["impersonate:serviceaccount"], ["trainer"]),
            "look may impersonate:serviceaccount serviceaccounts trainer",
        ),
        (([""], ["pods/ephemeralcontainers"], ["patch"], None), "look may patch pods/ephemeralcontainers"),
        ((["apps"], ["replicasets"], ["update"], None), "look may update replicasets"),
        ((["rbac.authorization.k8s.io"], ["clusterroles"], ["bind"], ["edit"]), "look may bind clusterroles edit"),
        ((["rbac.authorization.k8s.io"], ["roles"], ["bind"], ["trainer"]), "look may bind roles trainer"),
        ((["rbac.authorization.k8s.io"], ["roles"], ["*"], ["look"]), "look may * roles look"),
        (
            (["rbac.authorization.k8s.io"], ["roles"], ["get", "patch"], ["look"]),
            "",
        ),  # nobody gives more than they may themselves
        (([""], ["configmaps"], ["*"], ["notes"]), ""),
        (([""], ["secrets"], ["get"], ["trainer-token"]), "look may get secrets trainer-token"),
        (([""], ["secrets"], ["get"], ["look-token"]), ""),
    ],
)
def test_another_account_has_no_other_way_to_what_the_steps_do(
    monkeypatch: pytest.MonkeyPatch, rule: Any, seen: str
) -> None:
    objects = changed("trainer")
    for account in ("trainer", "look"):
        marks = {"kubernetes.io/service-account.name": account}
        token = {"metadata": {"name": f"{account}-token", "annotations": marks}}
        objects["Secret", f"{account}-token"] = token | {"type": "kubernetes.io/service-account-token"}
    fields = dict(zip(("apiGroups", "resources", "verbs", "resourceNames"), rule, strict=True))
    rules = [{key: value for key, value in fields.items() if value}]
    objects["Role", "look"] = {"kind": "Role", "rules": rules}
    subjects = [{"kind": "ServiceAccount", "name": "look"}]
    reference = {"kind": "Role", "name": "look"}
    objects["RoleBinding", "look"] = {"kind": "RoleBinding", "roleRef": reference, "subjects": subjects}
    said = verdicts(monkeypatch, objects)["may_do_no_more"]
    assert (seen in said) if seen else not said


def test_nothing_that_a_step_needs_is_called_too_much() -> None:
    names = CHECKER.others(random.Random(7))
    for account, needed in CHECKER.NEEDED.items():
        asked = CHECKER.too_much(account, names)
        assert not set(needed) & set(asked)
        assert len(asked) == len(set(asked)) > 100
    jobs = [each for each in CHECKER.too_much("conductor", names) if each.resource == "jobs" and not each.namespace]
    assert {each.verb for each in jobs} == {"patch", "update", "delete", "list", "watch", "deletecollection"}


def annotations(deployment: Any) -> Any:
    return deployment["spec"]["template"]["metadata"]["annotations"]


class Cluster:
    """What the programs ask for, without a cluster."""

    def __init__(self, flights: str, key: str) -> None:
        self.data: dict[tuple[str, str], Any] = {
            ("configmaps", "flights"): {"data": {"flights.csv": flights}},
            ("configmaps", "training-set"): {"data": {}},
            ("configmaps", "candidate"): {"data": {}},
            ("secrets", "signing-key"): {"data": {"key": base64.b64encode(key.encode()).decode()}},
            ("deployments", "model"): {
                "metadata": {"generation": 2}, "spec": {"replicas": 1, "template": {"metadata": {"annotations": {}}}},
                "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
            },
        }  # fmt: skip
        self.asked: set[tuple[str, str, str]] = set()

    def ask(self, verb: str, resource: str, name: str = "", body: Any = None) -> Any:
        self.asked.add((verb, resource, name))
        item = self.data[resource, name]
        if verb == "patch":
            if resource == "configmaps":
                item["data"] |= body["data"]
            else:
                item["spec"]["template"]["metadata"]["annotations"] |= body["spec"]["template"]["metadata"][
                    "annotations"
                ]
        return item


def program() -> dict[str, Any]:
    """What ConfigMap steps has in it."""
    source = next(each for each in SEED if each["metadata"]["name"] == "steps")["data"]["steps.py"]
    found: dict[str, Any] = {"__name__": "steps"}
    exec(compile(source, "steps.py", "exec"), found)
    return found


def test_the_programs_make_the_model_that_the_checker_expects_and_ask_for_what_the_table_says() -> None:
    steps = program()
    for seed in range(30):
        rows = CHECKER.flights(random.Random(seed))
        cluster = Cluster(CHECKER.table(rows), CHECKER.key())
        steps["ask"] = cluster.ask
        for account, step in (("preparer", "prepare"), ("trainer", "train"), ("releaser", "release")):
            cluster.asked.clear()
            steps[step]()
            assert cluster.asked == {(each.verb, each.resource, each.name) for each in CHECKER.NEEDED[account]}
        marks = annotations(cluster.data["deployments", "model"])
        served = {"model": json.loads(marks["flight-delay/model"]), "signature": marks["flight-delay/signature"]}
        assert served == CHECKER.answer(rows, CHECKER.key())


class Api:
    """An API server that answers each request with a status and an object, and keeps what was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: tuple[int, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []
        monkeypatch.setattr("urllib.request.urlopen", self.answer)
        monkeypatch.setattr("ssl.create_default_context", lambda **given: None)
        monkeypatch.setattr("time.sleep", lambda seconds: None)

    def answer(self, request: Any, **given: Any) -> Any:
        self.asked.append(request)
        status, body = self.answers.pop(0)
        text = io.BytesIO(json.dumps(body).encode())
        if status >= 400:
            raise urllib.error.HTTPError(request.full_url, status, "Forbidden", email.message.Message(), text)
        return contextlib.nullcontext(text)


def mounted(folder: Path) -> Path:
    for name, text in (("token", "secret"), ("namespace", "lab"), ("ca.crt", "a certificate")):
        (folder / name).write_text(text)
    return folder


def test_a_step_says_what_it_was_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    steps = program()
    steps["PLACE"] = f"{mounted(tmp_path)}/"
    api = Api(monkeypatch, (503, {}), (200, {"data": {}}), (403, {"message": "jobs is forbidden"}))
    assert steps["ask"]("get", "configmaps", "flights") == {"data": {}}
    with pytest.raises(SystemExit, match="403: jobs is forbidden"):
        steps["ask"]("create", "jobs", body={"kind": "Job"})
    _, got, made = api.asked
    assert got.full_url.endswith("/api/v1/namespaces/lab/configmaps/flights")
    assert (made.full_url.partition(".svc")[2], made.method) == ("/apis/batch/v1/namespaces/lab/jobs", "POST")
    assert made.headers["Authorization"] == "Bearer secret"


def test_a_step_without_a_token_says_so(tmp_path: Path) -> None:
    steps = program()
    steps["PLACE"] = f"{tmp_path}/"
    with pytest.raises(SystemExit, match=r"get configmaps flights: can't say who I am: .*token"):
        steps["prepare"]()


def test_nightly_starts_the_steps_until_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, made = program(), []
    template = {"spec": {"jobTemplate": {"spec": {"backoffLimit": 0}}}}
    monkeypatch.setenv("JOB", "run-1")
    monkeypatch.setenv("JOB_UID", "u-1")

    def ask(verb: str, resource: str, name: str = "", body: Any = None) -> Any:
        if verb == "create":
            made.append((body["metadata"]["name"], body["metadata"]["ownerReferences"][0]["uid"], body["spec"]))
        how = "Failed" if name == "run-1-train" else "Complete"
        return template if resource == "cronjobs" else {"status": {"conditions": [{"type": how, "status": "True"}]}}

    steps["ask"] = ask
    with pytest.raises(SystemExit, match="kubectl logs job/run-1-train"):
        steps["nightly"]()
    assert made == [(f"run-1-{step}", "u-1", {"backoffLimit": 0}) for step in ("prepare", "train")]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([(500, {}), (201, {"username": "me"})], {"user": "me", "pods": []}),
        ([(201, {"username": "me", "extra": {"authentication.kubernetes.io/pod-name": ["p"]}})],
         {"user": "me", "pods": ["p"]}),
        ([(401, {})], {"nobody": "401 Forbidden"}),
        ([(503, {})] * 10, {"trouble": "503 Forbidden"}),
    ],
)  # fmt: skip
def test_who_asks_until_there_is_an_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answers: Any, said: Any
) -> None:
    who = loaded("22", "who")
    monkeypatch.setattr(who, "PLACE", mounted(tmp_path))
    Api(monkeypatch, *((status, {"status": {"userInfo": body}}) for status, body in answers))
    assert who.said() == said


def test_who_without_a_token_is_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    who = loaded("22", "who")
    monkeypatch.setattr(who, "PLACE", tmp_path)
    assert who.said()["nobody"].endswith("/token")


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("token", "secret\n", "token is not a token"),
        ("ca.crt", "no certificate", "certificate"),
        ("token", None, "Is a"),
    ],
)
def test_who_with_a_token_of_the_learners_own_making_is_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str, text: str | None, said: str
) -> None:
    who, folder = loaded("22", "who"), mounted(tmp_path)
    if file == "token":  # else none is looked at
        monkeypatch.setattr("ssl.create_default_context", lambda **given: None)
    (folder / file).unlink()
    if text is None:
        (folder / file).mkdir()
    else:
        (folder / file).write_text(text)
    monkeypatch.setattr(who, "PLACE", folder)
    monkeypatch.setattr(who, "URL", "http://127.0.0.1:1/")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert said in who.said()["nobody"]


POD = "nightly-check-1-x"


@pytest.mark.parametrize(
    ("printed", "seen"),
    [
        ({"user": "system:serviceaccount:lab:trainer", "pods": [POD]}, ""),
        ({"user": "system:serviceaccount:lab:default", "pods": [POD]}, "default, not trainer"),
        (
            {"user": "system:serviceaccount:old:trainer", "pods": [POD]},
            "system:serviceaccount:old:trainer, not trainer",
        ),
        ({"user": "system:serviceaccount:lab:trainer", "pods": []}, "made for no pod"),
        ({"user": "system:serviceaccount:lab:trainer", "pods": ["other"]}, "made for other"),
        ({"nobody": "No such file or directory: /var/run/token"}, "nobody, not trainer (No such file"),
        ([1], "it said [1]"),
        ({"user": 1, "pods": 2}, "it said"),
    ],
)
def test_who_a_pod_is(printed: Any, seen: str) -> None:
    said = CHECKER.judged(f"a warning\n{json.dumps(printed)}\n", POD, "lab", "trainer")
    assert (seen in said) if seen else not said


def test_a_pod_that_has_no_answer_is_not_the_learners_fault() -> None:
    with pytest.raises(LabError, match="has no answer"):
        CHECKER.judged('{"trouble": "timed out"}', POD, "lab", "trainer")
    assert CHECKER.judged("", POD, "lab", "trainer") == "it said nothing"


QUOTA = "exceeded quota: q, requested: count/jobs.batch=1"


@pytest.mark.parametrize(("status", "kind"), [(403, None), (429, LabError)])
def test_a_template_of_which_no_job_is_taken_is_wrong_in_words(
    monkeypatch: pytest.MonkeyPatch, status: int, kind: type[LabError] | None
) -> None:
    identity = loaded("22", "identity")

    @contextlib.asynccontextmanager
    async def started_from(lab: Any, cronjob: str, change: Any) -> AsyncIterator[str]:
        raise Refused(QUOTA, "read the reason", status)
        yield ""

    monkeypatch.setattr(identity.jobs, "started_from", started_from)
    with pytest.raises(kind) if kind else contextlib.nullcontext():
        assert QUOTA in asyncio.run(identity._wrong(made_up_lab("22"), "train"))


def given(name: str) -> Any:
    return copy.deepcopy(next(each["spec"] for each in SEED if each["metadata"]["name"] == name))


def pod_of(spec: Any) -> Any:
    return spec["jobTemplate"]["spec"]["template"]["spec"]


def test_account_and_token_are_the_learners() -> None:
    now = given("prepare")
    pod_of(now).update(serviceAccountName="x", automountServiceAccountToken=True)
    pod_of(now)["volumes"].append({"name": "token", "secret": {"secretName": "x"}})
    mount = {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    pod_of(now)["containers"][0]["volumeMounts"].append(mount)
    assert CHECKER.other(now, given("prepare")) == []


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda spec: spec.update(suspend=True), "it is suspended"),
        (lambda spec: spec.update(schedule="0 0 1 1 *"), "its schedule is"),
        (lambda spec: spec.update(timeZone="Asia/Tokyo"), "its schedule is 30 2 * * * (timeZone Asia/Tokyo), not 30"),
        (lambda spec: spec.update(concurrencyPolicy="Replace"), "its concurrencyPolicy is Replace, not Forbid"),
        (lambda spec: spec.update(startingDeadlineSeconds=1), "its startingDeadlineSeconds is 1, not None"),
        (lambda spec: spec["jobTemplate"]["spec"].update(ttlSecondsAfterFinished=0), "its ttlSecondsAfterFinished is"),
        (lambda spec: spec["jobTemplate"]["spec"].pop("backoffLimit"), "its backoffLimit is 6, not 0"),
        (lambda spec: pod_of(spec)["containers"][0].update(command=["true"]), "command true"),
        (lambda spec: pod_of(spec)["containers"].append({"name": "more"}), "another container"),
        (lambda spec: pod_of(spec).update(initContainers=[{"name": "more"}]), "another container"),
        (lambda spec: pod_of(spec)["volumes"][0].update(configMap={"name": "mine"}), "no ConfigMap steps"),
        (lambda spec: pod_of(spec)["containers"][0].update(volumeMounts=[]), "no ConfigMap steps"),
        (lambda spec: pod_of(spec).update(restartPolicy="OnFailure"), "another restartPolicy of its pods"),
        (lambda spec: pod_of(spec).update(hostNetwork=True), "another hostNetwork of its pods"),
        (lambda spec: pod_of(spec)["containers"][0].pop("resources"), "another resources of its pods"),
        (lambda spec: spec["jobTemplate"]["spec"]["template"].pop("metadata"), "another label app of its pods"),
    ],
)
def test_the_rest_of_a_cronjob_stays(change: Any, seen: str) -> None:
    now = given("nightly")
    change(now)
    assert seen in "; ".join(CHECKER.other(now, given("nightly")))


@pytest.mark.parametrize("account", ["", "default", "releaser"])
def test_the_services_pods_act_as_nobody_in_particular(account: str) -> None:
    objects = after(None)
    if account:
        objects["Deployment", "model"]["spec"]["template"]["spec"]["serviceAccountName"] = account

    class There(NothingThere):
        def named(self, kind: str, name: str) -> Any:
            watched = super().named(kind, name)
            watched.kube.find = lambda kind, name, *more: objects.get((kind, name))
            return watched

        def deployment(self, name: str) -> Any:
            return self.named("Deployment", name)

    image = {"image": lambda version: "localhost:5001/flight-delay:v1"}
    seen = asyncio.run(CHECKER.pipeline_is_given(made_up_lab("22", objects=There(), platform=Room(**image))))
    assert seen.ok is (account != "releaser"), seen


def test_what_the_api_server_fills_in_is_as_it_was_and_a_step_that_starts_by_itself_is_not() -> None:
    now = given("train")
    now.update(successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    pod_of(now).update(dnsPolicy="ClusterFirst", schedulerName="default-scheduler", securityContext={})
    pod_of(now).update(serviceAccountName="trainer", serviceAccount="trainer")
    now["jobTemplate"]["spec"].update(completions=1, parallelism=1)
    assert CHECKER.other(now, given("train")) == []
    now["suspend"] = False
    assert CHECKER.other(now, given("train")) == ["it is not suspended"]


@pytest.mark.parametrize(
    ("hard", "seen"),
    [
        ({"count/jobs.batch": "9"}, "ResourceQuota q: count/jobs.batch 9"),
        ({"count/pods": "19", "pods": "2"}, "ResourceQuota q: count/pods 19"),
        ({"count/jobs.batch": "30", "services": "1"}, ""),
        ({"count/jobs.batch": "1k"}, ""),
        ({}, ""),
    ],
)
def test_a_quota_leaves_room_for_the_runs_to_come(hard: Any, seen: str) -> None:
    async def all_of(kind: str, selector: str = "") -> list[Any]:
        return [{"metadata": {"name": "q"}, "spec": {"hard": hard}}] if kind == "ResourceQuota" else []

    found = asyncio.run(CHECKER.room_for_runs(made_up_lab("22", objects=NothingThere(all=all_of))))
    assert found.ok is not bool(seen)
    assert seen in found.seen


class Namespace(NothingThere):
    """Objects that are all there, and what is done to them; `jobs` are those of the namespace."""

    def __init__(self, *jobs: Any) -> None:
        self.jobs = list(jobs)
        self.done: list[str] = []

    def named(self, kind: str, name: str) -> Any:
        watched = super().named(kind, name)
        watched.kube.find = lambda kind, name, *more: {"kind": kind, "metadata": {"name": name}}
        return watched

    async def all(self, kind: str, selector: str = "") -> list[Any]:
        return self.jobs if kind == "Job" else []

    async def patch(self, kind: str, name: str, patch: Any) -> Any:
        self.done.append(f"patch {kind} {name}")

    async def delete(self, kind: str, name: str, grace: int | None = None) -> None:
        self.done.append(f"delete {kind} {name}")


def ran(monkeypatch: pytest.MonkeyPatch, objects: Namespace, ended: Observation, said: Any) -> Any:
    """A run that ends so, where Service model says that."""

    @contextlib.asynccontextmanager
    async def started_from(lab: Any, cronjob: str) -> AsyncIterator[str]:
        objects.done.append(f"start {cronjob}")
        yield "run-1"

    async def how(lab: Any, job: str, *, within: float) -> Observation:
        return ended

    async def put_back(lab: Any, before: Any) -> None:
        objects.done.append(f"put back {before['metadata']['name']}")

    async def get(service: str, path: str) -> Any:
        return SimpleNamespace(fields_if_any=said, shown=f"status 200, {said}")

    scenario = loaded("22", "scenario")
    monkeypatch.setattr(scenario.jobs, "started_from", started_from)
    monkeypatch.setattr(scenario.jobs, "ended", how)
    monkeypatch.setattr(scenario, "put_back", put_back)
    return asyncio.run(scenario.run(made_up_lab("22", objects=objects, traffic=Room(get=get)), "rows", {"model": {}}))


BACK = [f"put back {name}" for name in ("flights", "training-set", "candidate", "model")]
AGAIN = ["patch ConfigMap flights", "start nightly", *(f"delete Job run-1-{step}" for step in CHECKER.STEPS), *BACK]


@pytest.mark.parametrize(
    ("ended", "said", "good"),
    [
        (READY, {"model": {}}, (True, True)),
        (READY, {"model": {"AA": 1}}, (True, False)),
        (Observation(False, "completed", "failed"), {"model": {}}, (False, False)),
    ],
)
def test_a_run_is_seen_and_all_is_put_back(
    monkeypatch: pytest.MonkeyPatch, ended: Observation, said: Any, good: tuple[bool, bool]
) -> None:
    suspended = {"metadata": {"name": "later"}, "spec": {"suspend": True}}
    over = {
        "metadata": {"name": "by-hand"},
        "spec": {},
        "status": {"conditions": [{"type": "Failed", "status": "True"}]},
    }
    objects = Namespace(suspended, over)
    found = ran(monkeypatch, objects, ended, said)
    assert (found.ended.ok, found.served.ok) == good
    assert objects.done == AGAIN


def test_no_run_begins_while_another_one_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    objects = Namespace({"metadata": {"name": "by-hand"}, "spec": {}})
    with pytest.raises(Unmet, match="by-hand under way"):
        ran(monkeypatch, objects, READY, {})
    assert objects.done == []


@pytest.mark.parametrize(("status", "kind"), [(422, Unmet), (429, Refused)])
def test_flights_that_cant_change_are_the_learners_and_all_is_put_back(
    monkeypatch: pytest.MonkeyPatch, status: int, kind: type[Exception]
) -> None:
    async def patch(of: str, name: str, what: Any) -> Any:
        raise Refused("field is immutable", "read the reason", status)

    objects = Namespace()
    monkeypatch.setattr(objects, "patch", patch)
    with pytest.raises(kind, match="immutable"):
        ran(monkeypatch, objects, READY, {})
    assert objects.done == BACK
