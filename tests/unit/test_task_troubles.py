"""What tasks' checkers make of trouble that is nobody's, of rare ways to work, and of what they leave behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks import Failure, LabError, Observation
from mlops_lab.checks.rooms.work import Work
from mlops_lab.kit.autoscalers import Autoscaler
from mlops_lab.kube.errors import NotFound, Unreachable
from mlops_lab.kube.execs import Unending
from mlops_lab.labs.checker import load
from mlops_lab.tasks import nodes
from mlops_lab.tasks.lab import TaskLab
from mlops_lab.tasks.rendering import render
from mlops_lab.tasks.script import run_script
from mlops_lab.tasks.task import bank, named
from tests.lab_programs import Checker
from tests.made_up import READY, NothingThere, NoTime, NoTraffic, Platform, Room

SPACE = "spaceless"
SILENT = Unreachable("the API server does not answer (ReadTimeoutError)", "see: lab status")
GONE = NotFound("Pod a-pod: not found", "create it first")
Loaded = Callable[[str], Any]


@pytest.fixture
def checker(tmp_path: Path) -> Loaded:
    """The checker of a task as one module."""
    return lambda task: Checker(load(render(named(task, bank()), 1, SPACE, tmp_path / task)))


class Patient(NoTime):
    """What a check waits for is looked at up to three times."""

    async def eventually(self, look: Any, test: Any, *, expected: str, shown: Any, **more: Any) -> Observation:
        for _ in range(3):
            if test(seen := await look()):
                break
        return Observation(test(seen), expected, shown(seen), seen)


def lab(**rooms: Any) -> TaskLab:
    known: dict[str, Any] = {
        "objects": NothingThere(), "traffic": NoTraffic(), "work": Work(Path(), "lab", Platform.registry, {}),
        "platform": Platform(), "programs": Room(), "nodes": Room(), "usage": Room(), "time": Patient(),
    }  # fmt: skip
    return TaskLab("00", namespace=SPACE, **(known | rooms))


def gives(value: Any = None) -> Callable[..., Any]:
    """A method that always returns this, or raises it."""

    async def answer(*given: Any, **more: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    return answer


def found(item: Any) -> Callable[..., Any]:
    """`named`, or `deployment`, of objects that are all this one."""
    return lambda *given: SimpleNamespace(now=gives(item), present=gives(item))


@contextlib.asynccontextmanager
async def started(*given: Any) -> AsyncIterator[str]:
    yield "run-1"


def silent_a_job_in_parts(it: Any, made: TaskLab) -> Any:
    pod = {
        "metadata": {"name": "p-0", "annotations": {it._INDEX: "0"}},
        "spec": {"containers": [{"name": "c"}]}, "status": {"phase": "Succeeded"},
    }  # fmt: skip
    it.pods_of = gives([pod])
    return it.printed_by_part(made, "job")


def silent_an_old_manifest(it: Any, made: TaskLab) -> Any:
    it.started_from, it.ended, it.pods_of = started, gives(READY), gives(["p-0"])
    it.different, it._first, it._at_other_times = (lambda *given: []), (lambda *given: {}), (lambda *given: [])
    return it.it_reports.run(made)


def silent_images_by_digest(it: Any, made: TaskLab) -> Any:
    it.jobs = SimpleNamespace(started_from=started, ended=gives(READY), pods_of=gives(["p-0"]))
    it.by_digest = lambda *given: READY
    it.meant = gives({})
    return it.nightly_runs_by_digest.run(made)


def silent_sidecar_that_ships_logs(it: Any, made: TaskLab) -> Any:
    return it.printed_lines(made, {"metadata": {"name": "p-0"}, "spec": {"containers": [{"name": it._D.shipper}]}})


SILENT_LOGS = {
    "a-job-in-parts": silent_a_job_in_parts, "an-old-manifest": silent_an_old_manifest,
    "images-by-digest": silent_images_by_digest, "sidecar-that-ships-logs": silent_sidecar_that_ships_logs,
}  # fmt: skip


@pytest.mark.parametrize("task", SILENT_LOGS)
def test_a_log_that_cant_be_had_is_not_an_empty_one(
    checker: Loaded, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    template: Any = {"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}}}
    monkeypatch.setattr("mlops_lab.kit.presence.exists", gives(template))
    with pytest.raises(Unreachable):
        asyncio.run(SILENT_LOGS[task](checker(task), lab(objects=NothingThere(logs=gives(SILENT)))))


@pytest.mark.parametrize("trouble", [SILENT, Unending("python3 still runs after 30 s", "check again"), GONE])
def test_a_process_that_nobody_could_ask_is_not_one_without_the_variable(checker: Loaded, trouble: LabError) -> None:
    asked = checker("keys-out-of-the-manifest").of_process(lab(objects=Room(run_in=gives(trouble))), "a-pod", "KEY")
    with contextlib.nullcontext() if trouble is GONE else pytest.raises(type(trouble)):
        assert asyncio.run(asked) is None


@pytest.mark.parametrize("trouble", [SILENT, GONE])
def test_a_passenger_that_nobody_could_ask_has_not_counted_nothing(checker: Loaded, trouble: LabError) -> None:
    it = checker("back-to-the-last-good")
    pod = {"metadata": {"name": "a-pod"}, "status": {"phase": "Running"}}
    it.presence = SimpleNamespace(exists=gives(pod))
    made = lab(objects=Room(run_in=gives(trouble), named=found(None)))
    with contextlib.nullcontext() if trouble is GONE else pytest.raises(Unreachable):
        assert asyncio.run(it.counted(made, "a-pod", "v1")) == it.Counts()


def test_a_snapshot_that_is_not_read_a_second_time_is_no_status(checker: Loaded) -> None:
    it = checker("save-and-restore-etcd")
    it.nodes = SimpleNamespace(control_plane=lambda lab: "c", printed=gives(""))
    with pytest.raises(LabError, match="a second time"):
        asyncio.run(it.status_is_written.run(lab()))


def test_an_api_server_that_has_just_come_back_gets_a_moment(checker: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    it, said = checker("when-kubectl-gets-no-answer"), ["", "403"]
    words = ["--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"]
    pods: list[list[Any]] = [
        [],
        [{"metadata": {"name": "kube-apiserver-c"}, "spec": {"containers": [{"args": words}]}}],
    ]

    async def known(*given: Any) -> Any:
        return pods.pop(0)

    async def printed(*given: Any) -> Any:
        return said.pop(0)

    for name, what in {"control_plane": lambda lab: "c", "kubelets_pods": known, "printed": printed}.items():
        monkeypatch.setattr(nodes, name, what)
    space = {"metadata": {"annotations": {it._BEFORE: "\n".join(words)}}}
    asyncio.run(it.all_else_is_as_before.run(lab(objects=Room(named=found(space)))))
    assert (pods, said) == ([], [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--allow-privileged=true", "kube-apiserver", "--client-ca-file=/ca.crt"], ""),
        (["kube-apiserver", "--allow-privileged=true", "--v=6"], "--v"),
        (["kube-apiserver", "--allow-privileged=false"], "--allow-privileged"),
        (["kube-apiserver"], "--allow-privileged"),
    ],
)
def test_flags_of_the_api_server_that_no_fault_breaks_are_as_before(
    checker: Loaded, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    it, modes = checker("when-kubectl-gets-no-answer"), "--authorization-mode=Node,RBAC"
    monkeypatch.setattr(nodes, "control_plane", lambda lab: "c")
    monkeypatch.setattr(nodes, "printed", gives("403"))
    it._pod = gives({"spec": {"containers": [{"command": [*words, modes]}]}})
    space = {"metadata": {"annotations": {it._BEFORE: f"{modes}\n--allow-privileged=true\nkube-apiserver"}}}
    with pytest.raises(Failure, match=f"saw {said} not") if said else contextlib.nullcontext():
        asyncio.run(it.all_else_is_as_before.run(lab(objects=Room(named=found(space)))))


@pytest.mark.parametrize(
    ("now", "said"), [({}, ""), ({"livenessProbe": None}, "livenessProbe"), ({"image": "server:v2"}, "image")]
)
def test_the_api_servers_container_is_as_before(
    checker: Loaded, monkeypatch: pytest.MonkeyPatch, now: dict[str, Any], said: str
) -> None:
    it, modes = checker("when-kubectl-gets-no-answer"), "--authorization-mode=Node,RBAC"
    monkeypatch.setattr(nodes, "control_plane", lambda lab: "c")
    monkeypatch.setattr(nodes, "printed", gives("403"))
    before = {"image": "server:v1", "livenessProbe": {"periodSeconds": 10}, "command": ["--etcd-servers=elsewhere"]}
    it._pod = gives({"spec": {"containers": [{**before, "command": [modes], **now}]}})
    space = {"metadata": {"annotations": {it._BEFORE: modes, it._CONTAINER: json.dumps(before)}}}
    with pytest.raises(Failure, match=f"another {said}") if said else contextlib.nullcontext():
        asyncio.run(it.all_else_is_as_before.run(lab(objects=Room(named=found(space)))))


@pytest.mark.parametrize(
    ("word", "right"),
    [
        ("--etcd-servers=https://127.0.0.1:2379", True),
        ("--etcd-servers=https://172.18.0.4:2379,https://localhost:2379", True),
        ("--etcd-servers=https://127.0.0.1:2389", False),
        ("--tls-cert-file=/etc/kubernetes/pki/apiserver.crt", True),
        ("--tls-cert-file=/etc/kubernetes/pki/store.crt", False),
    ],
)
def test_what_the_wrong_line_named_is_not_made_so_that_it_fits(
    checker: Loaded, monkeypatch: pytest.MonkeyPatch, word: str, right: bool
) -> None:
    it, modes = checker("when-kubectl-gets-no-answer"), "--authorization-mode=Node,RBAC"
    monkeypatch.setattr(nodes, "control_plane", lambda lab: "c")
    monkeypatch.setattr(nodes, "printed", gives("403"))
    it._pod = gives({"spec": {"containers": [{"command": [modes, word]}]}})
    space = {"metadata": {"annotations": {it._BEFORE: modes}}}
    with contextlib.nullcontext() if right else pytest.raises(Failure, match=f"still {word}"):
        asyncio.run(it.all_else_is_as_before.run(lab(objects=Room(named=found(space)))))


def test_what_a_fault_breaks_is_not_told_by_what_is_kept_of_the_api_servers_flags(checker: Loaded) -> None:
    broken = "|".join(each.removeprefix("--") for each in checker("when-kubectl-gets-no-answer")._BROKEN)
    assert f"grep -vE '^--({broken})'" in (bank() / "when-kubectl-gets-no-answer/setup/setup.sh").read_text()


@pytest.mark.parametrize(("restored", "right"), [(900, True), (1_000_000_900, True), (None, True), (700, False)])
def test_a_folder_is_restored_from_the_file_as_it_is_now(
    checker: Loaded, monkeypatch: pytest.MonkeyPatch, restored: int | None, right: bool
) -> None:
    it = checker("save-and-restore-etcd")

    async def status(lab: Any, path: str) -> Any:
        return {"revision": 900} if path == it._SAVED else {"revision": restored} if restored else {}

    it._status = status
    it.nodes = SimpleNamespace(control_plane=lambda lab: "c", must_answer=gives())
    etcd = {"spec": {"containers": [{"command": ["etcd", "--data-dir=/var/lib/etcd"]}]}}
    made: Any = lab(objects=Room(named=found(etcd)))
    made.machines = SimpleNamespace(run=gives(SimpleNamespace(code=0)))
    monkeypatch.setattr(TaskLab, "elsewhere", lambda lab, namespace: lab.objects)
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="revision 700"):
        asyncio.run(it.is_restored.run(made))


def test_what_a_quota_counts_follows_pods_that_have_gone(checker: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    it = checker("only-so-much")
    tries = [it.Trial({}, ""), it.Trial(None, "exceeded quota: q")]
    asked: list[Any] = []

    async def tried(lab: Any, resources: Any) -> Any:
        asked.append(resources)
        return tries.pop(0)

    it.tried = tried
    hard = {"cpu": f"{it.D.cpu_all}m", "limits.memory": f"{it.D.memory_all}Mi", "pods": str(it.D.pods_all)}
    quota = {"metadata": {"name": it.D.quota}, "spec": {"hard": hard}, "status": {"used": {"requests.cpu": "10m"}}}
    monkeypatch.setattr("mlops_lab.kit.presence.exists", gives(quota))
    asyncio.run(it.the_quota_holds.run(lab(objects=NothingThere(named=found(quota), all=gives([quota])))))
    assert len(asked) == 2


@pytest.mark.parametrize(
    "text", ["groups: !!bool maybe", "groups: !!timestamp soon", "groups: !!int ''", "groups: [", "[" * 5000]
)
@pytest.mark.parametrize(("task", "read"), [("alert-on-errors", "alerts"), ("figures-for-the-board", "records")])
def test_a_rule_file_with_wrong_tags_has_no_rules(checker: Loaded, task: str, read: str, text: str) -> None:
    assert getattr(checker(task), read)(text) == []


@pytest.mark.parametrize(
    ("rule", "severity"),
    [("{alert: A}", "page"), ("{alert: A, labels: {severity: low}}", "low"), ("{alert: A, labels: [low]}", "page")],
)
def test_an_alert_has_the_labels_of_its_group(checker: Loaded, rule: str, severity: str) -> None:
    (found,) = checker("alert-on-errors").alerts(f"groups: [{{labels: {{severity: page}}, rules: [{rule}]}}]")
    assert found["labels"] == {"severity": severity}


def test_a_pipe_instead_of_a_result_is_not_waited_for(checker: Loaded, tmp_path: Path) -> None:
    it, pipe = checker("measure-drift"), tmp_path / "pipe"
    os.mkfifo(pipe)
    assert it._read(pipe) is None
    (tmp_path / "result.json").write_text('{"psi": {}}')
    assert it._read(tmp_path / "result.json") == {"psi": {}}


@pytest.mark.parametrize("missing", ["spec", "containers"])
def test_an_overlay_that_the_api_server_would_not_take_is_wrong_in_words(checker: Loaded, missing: str) -> None:
    it = checker("overlay-with-kustomize")
    name = f"{it.D.prefix}-{it.D.app}"
    spec: Any = {"replicas": it.D.replicas, "template": {"spec": {"containers": None}}}
    item = {"spec": spec} if missing == "containers" else {}
    config = f"{it.D.prefix}-{it.D.config}-0123456789"
    made = {("Deployment", name): item, ("Service", name): {}, ("ConfigMap", config): {"data": {}}}
    said = list(it.complaints(made))
    assert "no container" in said
    assert "the Service's ports: " in said


@pytest.mark.parametrize("spec", ["text", ["list"], None])
def test_a_first_object_whose_spec_is_none_is_wrong_in_words(checker: Loaded, spec: Any) -> None:
    it = checker("a-new-kind")
    it.kubectl, it.printed = gives(), lambda done: {"kind": it.D.kind, "spec": spec}
    with pytest.raises(Failure, match=f"{it.D.number} None"):
        asyncio.run(it.first_is_shown.run(lab()))


@pytest.mark.parametrize("right", [True, False])
def test_a_column_is_found_beside_one_that_is_empty_and_below_warnings(checker: Loaded, right: bool) -> None:
    it = checker("a-new-kind")
    shown = it.D.two if right else it.D.one
    width = max(len(it.D.first), 4) + 3
    table = (
        f"Warning: {it.D.group}/v1 {it.D.kind} is new\n"
        f"{'NAME':{width}}EMPTY   {it.D.column.upper()}   AGE\n"
        f"{it.D.first:{width}}        {shown}   3s\n"
    )
    it.kubectl = gives(SimpleNamespace(output=table))
    it.printed = lambda done: {"spec": {it.D.number: it.D.value, it.D.choice: it.D.two}}
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="column"):
        asyncio.run(it.first_is_shown.run(lab()))


def test_a_canarys_pod_that_was_evicted_is_not_a_strange_one(checker: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    it = checker("a-small-canary")

    def pod(name: str, phase: str, track: str = "canary") -> Any:
        return {"metadata": {"name": name, "labels": {"track": track}}, "status": {"phase": phase}}

    async def owned(lab: Any, name: str) -> Any:
        return [pod("c-1", "Running") if name == it.CANARY else pod("s-1", "Running", "stable")]

    def deployment(name: str) -> Any:
        track = "canary" if name == it.CANARY else "stable"
        return SimpleNamespace(present=gives({"spec": {"selector": {"matchLabels": {"track": track}}}}))

    monkeypatch.setattr("mlops_lab.kit.deployments.owned_pods", owned)
    it.differ = lambda *given, **more: []
    pods = [pod("c-1", "Running"), pod("c-0", "Failed")]
    asyncio.run(it.can_be_told_apart.run(lab(objects=NothingThere(all=gives(pods), deployment=deployment))))
    pods[1]["status"]["phase"] = "Running"
    with pytest.raises(Failure, match="1 others"):
        asyncio.run(it.can_be_told_apart.run(lab(objects=NothingThere(all=gives(pods), deployment=deployment))))


@pytest.mark.parametrize(("made", "ok"), [("2026-11-28T09:00:00Z", True), ("2026-11-28T11:00:00Z", False)])
def test_a_default_class_counts_if_it_was_there_before_the_task(
    checker: Loaded, monkeypatch: pytest.MonkeyPatch, made: str, ok: bool
) -> None:
    it = checker("first-served-when-full")
    default = {"metadata": {"name": "usual", "creationTimestamp": made}, "globalDefault": True, "value": 7}
    monkeypatch.setattr("mlops_lab.kit.presence.exists", gives({}))
    monkeypatch.setattr("mlops_lab.kit.admission.gated", lambda *given: {})
    seen = SimpleNamespace(pod={"spec": {"priority": 7}}, refusal="")
    monkeypatch.setattr("mlops_lab.kit.admission.answered", gives(seen))
    it.unchanged = gives(READY)
    space = {"metadata": {"creationTimestamp": "2026-11-28T10:00:00Z"}}
    work = it.raises_nobody_else.run(lab(objects=NothingThere(named=found(space), all=gives([default]))))
    with contextlib.nullcontext() if ok else pytest.raises(Failure, match="priority of a pod"):
        asyncio.run(work)


def test_policies_of_other_pods_dont_say_who_is_let_in(checker: Loaded) -> None:
    it = checker("only-the-frontend-may-ask")
    peer = {"namespaceSelector": {"matchLabels": {"team": it.D.team}},
            "podSelector": {"matchLabels": {"app": it.D.monitor}}}  # fmt: skip
    everybody: Any = {"namespaceSelector": {}}
    policies = [
        {"spec": {"podSelector": {"matchLabels": {"app": it.D.server}}, "ingress": [{"from": [peer]}]}},
        {"spec": {"podSelector": {"matchLabels": {"app": "another"}}, "ingress": [{"from": [everybody]}]}},
    ]
    assert asyncio.run(it.by_the_label(lab(objects=Room(all=gives(policies))))).ok
    policies[1]["spec"]["podSelector"] = {}
    assert not asyncio.run(it.by_the_label(lab(objects=Room(all=gives(policies))))).ok


def test_the_neighbours_scale_is_not_the_robots_to_read(checker: Loaded) -> None:
    it = checker("what-a-robot-may-do")
    verbs = {each.verb for each in it.TOO_MUCH if (each.name, each.subresource) == (it.D.neighbour, "scale")}
    assert verbs == {"get", "patch", "update"}
    assert {"events", "replicasets", "services"} <= {each.resource for each in it.TOO_MUCH if each.verb == "list"}


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ({"kind": "User", "name": "jane"}, ["User jane"]),
        ({"kind": "ServiceAccount", "name": "ROBOT", "namespace": "default"}, ["ServiceAccount ROBOT of default"]),
        ({"kind": "ServiceAccount", "name": "ROBOT", "namespace": SPACE}, []),
        ({"kind": "User", "name": f"system:serviceaccount:{SPACE}:ROBOT"}, []),
    ],
)
def test_who_has_a_role_of_the_robots_is_said(checker: Loaded, subject: dict[str, str], said: list[str]) -> None:
    it = checker("what-a-robot-may-do")
    role, robot = {"kind": "Role", "name": "r"}, {"kind": "ServiceAccount", "name": it.D.robot}
    other = {key: value.replace("ROBOT", it.D.robot) for key, value in subject.items()}
    bindings = [
        {"roleRef": role, "subjects": [robot]}, {"roleRef": role, "subjects": [other]},
        {"roleRef": {"kind": "Role", "name": "another"}, "subjects": [{"kind": "User", "name": "joe"}]},
    ]  # fmt: skip
    found = asyncio.run(it.others_with_it(lab(objects=NothingThere(all=gives(bindings)))))
    assert found == [each.replace("ROBOT", it.D.robot) for each in said]


def test_pods_that_act_as_the_robot_have_its_rights(checker: Loaded) -> None:
    it = checker("what-a-robot-may-do")
    pods = {"spec": {"template": {"spec": {"serviceAccountName": it.D.robot}}}}
    known = Room(all=gives([]), named=lambda kind, name: found(pods if name == it.D.app else None)(kind, name))
    assert asyncio.run(it.others_with_it(lab(objects=known))) == [f"pods of Deployment {it.D.app}"]


def test_who_has_the_like_of_the_robots_roles_is_said(checker: Loaded) -> None:
    it = checker("what-a-robot-may-do")
    role = {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]}
    binding = {"roleRef": {"kind": "Role", "name": "copied"}, "subjects": [{"kind": "User", "name": "jane"}]}
    known = Room(all=gives([binding]), named=lambda kind, name: found(role if kind == "Role" else None)(kind, name))
    assert asyncio.run(it.others_with_it(lab(objects=known))) == ["User jane"]


@pytest.mark.parametrize(
    ("group", "resource", "verb", "named", "said"),
    [
        ("", "pods", "list", (), []),
        ("", "pods", "get", ("a-pod",), []),
        ("apps", "deployments", "patch", ("APP",), []),
        ("extensions", "deployments", "patch", ("APP",), []),
        ("batch", "jobs", "create", (), ["create jobs"]),
        ("", "pods/ephemeralcontainers", "patch", (), ["patch pods/ephemeralcontainers"]),
        ("metrics.k8s.io", "pods", "get", (), ["get pods"]),
        ("apps", "deployments", "get", (), ["get deployments"]),
        ("*", "*", "*", (), ["* *"]),
    ],
)
def test_no_rule_gives_the_robot_more_than_its_work(
    checker: Loaded, group: str, resource: str, verb: str, named: tuple[str, ...], said: list[str]
) -> None:
    it = checker("what-a-robot-may-do")
    names = [each.replace("APP", it.D.app) for each in named]
    rule = {"apiGroups": [group], "resources": [resource], "verbs": [verb], "resourceNames": names}
    subject = {"kind": "ServiceAccount", "name": it.D.robot}
    here = [{"roleRef": {"kind": "Role", "name": "r"}, "subjects": [subject]}]

    async def bindings(kind: str) -> Any:
        return here if kind == "RoleBinding" else []

    made = lab(objects=Room(all=bindings, named=found({"rules": [rule]})))
    made.__dict__["elsewhere"] = lambda namespace: Room(all=gives(here))  # of a ServiceAccount of that namespace
    assert asyncio.run(it.beyond_its_work(made)) == said
    subject["namespace"] = SPACE
    there = [f"RoleBinding r in {it.D.other}", "RoleBinding r in default"]
    here[0]["metadata"] = {"name": "r"}
    assert asyncio.run(it.beyond_its_work(made)) == [*said, *there]


@pytest.mark.parametrize(("apart", "right"), [(0.8, True), (0.0, False)])
def test_lines_are_printed_as_they_come(checker: Loaded, apart: float, right: bool) -> None:
    it = checker("sidecar-that-ships-logs")
    lines = [f"p-0: {it.D.word} {part} of {it.D.parts}" for part in range(1, it.D.parts + 1)]
    stamped = [f"2026-11-30T14:34:{10 + apart * number:012.9f}Z {line}" for number, line in enumerate(lines)]
    it.pod_of_the_job, it.printed_lines = gives({"metadata": {"name": "p-0"}}), gives(lines)
    it.as_given = it.same_image = lambda pod: READY
    it.kubectl = gives(SimpleNamespace(code=0, output="\n".join([*stamped, "2026-11-30T14:34:59Z waiting"])))
    with contextlib.nullcontext() if right else pytest.raises(Failure, match=r"within 0\.0 s"):
        asyncio.run(it.prints_every_line.run(lab()))


@pytest.mark.parametrize(("grace", "longer"), [(None, 0), (2, 2), (30, 30), (3600, 30)])
def test_a_job_has_the_time_that_its_sidecar_may_take_to_end(checker: Loaded, grace: int | None, longer: int) -> None:
    it, waited = checker("sidecar-that-ships-logs"), []

    async def ended(*given: Any, within: float) -> Observation:
        waited.append(within)
        return READY

    it.pod_of_the_job, it.ended = gives({"spec": {"terminationGracePeriodSeconds": grace}}), ended
    asyncio.run(it.completes.run(lab()))
    assert waited == [it._ENDED_WITHIN + longer]


def test_the_exit_code_of_a_sidecar_is_that_with_which_it_ended_by_itself(checker: Loaded) -> None:
    """In the end the kubelet kills it, which has another code."""
    it = checker("sidecar-that-ships-logs")
    killed, before = {"terminated": {"exitCode": 137}}, {"terminated": {"exitCode": 1}}
    status = {"name": it.D.shipper, "restartCount": 1, "state": killed, "lastState": before}
    sidecar = {"name": it.D.shipper, "restartPolicy": "Always"}
    it.pod_of_the_job = gives({"spec": {"initContainers": [sidecar]}, "status": {"initContainerStatuses": [status]}})
    with pytest.raises(Failure) as failed:
        asyncio.run(it.is_a_sidecar.run(lab()))
    assert getattr(failed.value, "evidence", ()) == ("its exit code then: 1",)


@pytest.mark.parametrize("way", ["scaleUp", "scaleDown"])
def test_an_autoscaler_that_goes_one_way_alone_scales_nothing(checker: Loaded, way: str) -> None:
    it = checker("scale-and-survive")
    cpu = {"name": "cpu", "target": {"averageUtilization": it.D.target}}
    spec = {"minReplicas": 2, "maxReplicas": it.D.most, "metrics": [{"resource": cpu}]}
    spec["behavior"] = {way: {"selectPolicy": "Disabled"}}
    it.deployments = SimpleNamespace(exists=gives({}))
    it.autoscalers = SimpleNamespace(autoscalers_of=gives([Autoscaler({"metadata": {"name": "s"}, "spec": spec})]))
    with pytest.raises(Failure, match=f"{way}: Disabled"):
        asyncio.run(it.has_an_autoscaler.run(lab()))


@pytest.mark.parametrize(("policy", "right"), [("Max", True), ("Disabled", False)])
def test_an_autoscaler_that_never_takes_pods_away_does_not_wait_for_it(
    checker: Loaded, policy: str, right: bool
) -> None:
    it = checker("scale-by-itself")
    up = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": it.D.every}]}
    down = {"stabilizationWindowSeconds": it.D.calm, "selectPolicy": policy}
    it._only_one = gives(Autoscaler({"spec": {"behavior": {"scaleUp": up, "scaleDown": down}}}))
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="Disabled"):
        asyncio.run(it.moves_gently.run(lab()))


IGNORED = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
BY_CODE = {"onExitCodes": {"operator": "NotIn", "values": [0]}}


@pytest.mark.parametrize(
    ("command", "spec", "said"),
    [
        ("python3 /batch/score.py part", {}, ""),
        ("python3 /batch/*.py part", {"backoffLimitPerIndex": 9}, ""),
        ("python3 /batch/score.py part", {"activeDeadlineSeconds": 300}, ""),
        ("python3 /batch/score.py part", {"activeDeadlineSeconds": 25}, "activeDeadlineSeconds: 25"),
        ("python3 /batch/score.py part", {"podFailurePolicy": {"rules": [IGNORED, BY_CODE | {"action": "Count"}]}}, ""),
        ("python3 -c 'import json'", {}, "nothing in their template"),
        ("python3 /batch/score.py part", {"backoffLimitPerIndex": 1}, "PerIndex: 1"),
        ("python3 /batch/score.py part", {"podFailurePolicy": {"rules": [BY_CODE | {"action": "FailJob"}]}}, "FailJob"),
        ("python3 /batch/score.py part", {"podFailurePolicy": {"rules": [BY_CODE | {"action": "Ignore"}]}}, "Ignore"),
        ("python3 /batch/score.py part", {"podFailurePolicy": {"rules": [IGNORED | {"action": "FailJob"}]}}, "FailJob"),
    ],
)
def test_so_many_pods_of_the_given_program_may_fail(checker: Loaded, command: str, spec: Any, said: str) -> None:
    it = checker("score-a-batch")
    container = {"image": Platform().image("v1"), "command": ["sh", "-c", command]}
    pod = {"restartPolicy": "Never", "containers": [container], "volumes": [{"configMap": {"name": it.D.batch}}]}
    given = {"completionMode": "Indexed", "completions": 3, "parallelism": 2, "backoffLimit": it.D.retries}
    it.presence = SimpleNamespace(exists=gives({"spec": {**given, **spec, "template": {"spec": pod}}}))
    it.jobs, it.must_work_at_once = SimpleNamespace(ended=gives(READY)), gives(None)
    it.pod_fails = gives(READY)
    with pytest.raises(Failure, match=said) if said else contextlib.nullcontext():
        asyncio.run(it.works_part_by_part.run(lab()))


@pytest.mark.parametrize("volume", ["configMap", "projected"])
def test_a_pod_whose_program_fails_is_like_those_of_the_job(checker: Loaded, volume: str) -> None:
    it = checker("score-a-batch")
    named = {"configMap": {"name": it.D.batch}}
    files = named if volume == "configMap" else {"projected": {"sources": [{"secret": {"name": "key"}}, named]}}
    container = {"name": "score", "image": "an-image", "env": [{"name": "A", "value": "1"}]}
    spec = {"restartPolicy": "Never", "containers": [container], "volumes": [files, {"emptyDir": {}}]}
    job = {"metadata": {"name": "a-job"}, "spec": {"template": {"spec": spec}}}
    before, pod = json.dumps(job), it.like_the_jobs(job, it.D.batch)
    assert json.dumps(job) == before
    assert it.D.batch not in json.dumps(pod) and pod["metadata"]["name"] in json.dumps(pod["spec"]["volumes"][0])
    assert pod["spec"]["containers"][0]["env"][-1] == {"name": "JOB_COMPLETION_INDEX", "value": "0"}
    assert pod["spec"]["hostname"] == "a-job-0"


@pytest.mark.parametrize(("phase", "right"), [("Failed", True), ("Succeeded", False), ("Running", False)])
def test_a_pod_fails_with_its_program(checker: Loaded, phase: str, right: bool) -> None:
    """One that starts the program again and again by itself never does."""
    it, pod = checker("score-a-batch"), {"status": {"phase": phase}}

    async def until(test: Any, *, expected: str, shown: Any, within: float) -> Observation:
        return Observation(test(pod), expected, shown(pod))

    job = {"metadata": {"name": "a-job"}, "spec": {"template": {"spec": {"containers": []}}}}
    it.standing = lambda *given, **more: contextlib.nullcontext()
    made = lab(objects=Room(named=lambda *given: SimpleNamespace(until=until, now=gives(pod))))
    seen = asyncio.run(it.pod_fails(made, job, it.D.batch, 3))
    assert seen.ok is right and (right or phase.lower() in seen.seen.lower())


@pytest.mark.parametrize(
    ("listener", "hosts", "right"),
    [
        ("", ["HOST"], True), ("*.example.org", ["HOST"], True), ("HOST", [], True),
        ("HOST", ["HOST", "www.HOST"], True), ("", ["HOST", "www.HOST"], False), ("", [], False),
        ("*.example.org", [], False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("task", ["routes-by-header", "shares-by-weight"])
def test_a_route_is_for_one_host(checker: Loaded, listener: str, hosts: list[str], right: bool, task: str) -> None:
    it = checker(task)
    listener, *hosts = (each.replace("HOST", it.D.host) for each in (listener, *hosts))
    found = {
        "HTTPRoute": {"parentRefs": [{"name": it.D.gateway}], "hostnames": hosts},
        "Gateway": {"listeners": [{"hostname": listener}]},
    }

    async def exists(lab: Any, kind: str, *given: Any) -> Any:
        return {"spec": found[kind]}

    it.gateways, it.asked = SimpleNamespace(exists=exists), gives(READY)
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="it is for"):
        asyncio.run(it.for_its_host_alone.run(lab()))


@pytest.mark.parametrize(("options", "right"), [({}, True), ({"enableCache": True}, False)])
def test_a_step_from_the_cache_hands_nothing_over(checker: Loaded, options: Any, right: bool) -> None:
    it = checker("try-it-again")
    publish = {"componentRef": {"name": "comp-publish"}, "cachingOptions": options}
    it.compiled = gives({"root": {"dag": {"tasks": {"publish": publish}}}})
    it.as_given = it.parameters_as_given = lambda spec: READY
    it._run, it.together = (lambda *given: None), gives(["one", "another"])
    with contextlib.nullcontext() if right else pytest.raises(Failure, match="from the cache"):
        asyncio.run(it.runs(lab()))


@pytest.mark.parametrize("kind", ["", "beta."])
def test_a_default_class_by_either_annotation_is_one(checker: Loaded, kind: str) -> None:
    it = checker("storage-class")
    usual, second = (f"storageclass.{each}kubernetes.io/is-default-class" for each in ("", kind))
    classes = [
        {"metadata": {"name": name, "annotations": {key: "true"}}}
        for name, key in (("standard", usual), (it.D.storage_class, second))
    ]
    asyncio.run(it.stays_the_default.run(lab(objects=NothingThere(all=gives(classes[:1])))))
    with pytest.raises(Failure, match=it.D.storage_class):
        asyncio.run(it.stays_the_default.run(lab(objects=NothingThere(all=gives(classes)))))


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ({"app": "db"}, ""),
        ({"app": "db", "controller-revision-hash": "db-5d8f"}, "controller-revision-hash=db-5d8f is not in it"),
        ({}, "it has no selector"),
    ],
)
def test_members_are_found_by_labels_of_their_template(checker: Loaded, selector: Any, said: str) -> None:
    it, members = checker("stable-names"), {"spec": {"template": {"metadata": {"labels": {"app": "db"}}}}}
    service = gives({"metadata": {"name": "group"}, "spec": {"selector": selector}})
    seen = asyncio.run(it._by_labels(lab(objects=Room(service=service, named=found(members))), "group"))
    assert seen.ok is not bool(said) and said in seen.seen


class Pod:
    """A pod that hangs when it is told to, and what is done with it."""

    def __init__(self, spec: Any, anew: int) -> None:
        self.item: Any = {"metadata": {"name": "a-pod"}, "spec": spec, "status": self.status(0)}
        self.anew, self.within, self.killed = anew, 0.0, False

    @staticmethod
    def status(restarts: int) -> Any:
        return {"containerStatuses": [{"restartCount": restarts, "state": {"running": {}}}]}

    def objects(self) -> Any:
        async def until(test: Any, *, expected: str, shown: Any, within: float) -> Observation:
            self.within, self.item = within, self.item | {"status": self.status(self.anew)}
            return Observation(test(self.item), expected, shown(self.item))

        async def now() -> Any:
            return self.item

        async def kill(*given: Any, **more: Any) -> None:
            self.killed = True

        one = SimpleNamespace(until=until, now=now, present=now)
        return NothingThere(named=lambda *given: one, run_in=gives(), kill=kill)


@pytest.mark.parametrize(
    ("spec", "within"),
    [
        ({}, 50), ({"terminationGracePeriodSeconds": 5}, 25), ({"terminationGracePeriodSeconds": 600}, 80),
        ({"containers": [{"livenessProbe": {"terminationGracePeriodSeconds": 3}}]}, 23),
    ],
)  # fmt: skip
def test_a_container_that_hangs_has_the_time_to_end(checker: Loaded, spec: Any, within: float) -> None:
    it, pod = checker("crashing-container"), Pod({"containers": [{}], **spec}, 1)
    assert asyncio.run(it.restarted_when_hung(lab(objects=pod.objects()), it.D, "a-pod")).ok
    assert (pod.within, pod.killed) == (within, False)


@pytest.mark.parametrize(
    ("probe", "within"), [({}, 53), ({"timeoutSeconds": 5, "failureThreshold": 2}, 60), ({"timeoutSeconds": 600}, 110)]
)
def test_a_probe_waits_for_a_program_that_is_silent(checker: Loaded, probe: Any, within: float) -> None:
    it, pod = checker("crashing-container"), Pod({"containers": [{"livenessProbe": probe}]}, 1)
    assert asyncio.run(it.restarted_when_hung(lab(objects=pod.objects()), it.D, "a-pod", silently=True)).ok
    assert pod.within == within


def test_a_pod_whose_volume_keeps_the_mark_is_made_anew(checker: Loaded) -> None:
    it, pod = checker("crashing-container"), Pod({"containers": [{"volumeMounts": [{"mountPath": "/tmp/"}]}]}, 1)
    assert asyncio.run(it.restarted_when_hung(lab(objects=pod.objects()), it.D, "a-pod")).ok
    assert pod.killed


def test_the_alias_is_put_back_also_while_mlflow_is_away(checker: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_lab.kit.restore._EVERY", 0)
    it, done, away = checker("promote-the-best"), list[str](), [SILENT]

    async def set_alias(alias: str, version: str) -> None:
        if version == "1" and away:
            raise away.pop()
        done.append(version)

    async def get(*given: Any) -> Any:
        return SimpleNamespace(status=200, fields_if_any={"model_version": done[-1] if done else "1"}, shown="")

    platform = SimpleNamespace(mlflow=SimpleNamespace(set_alias=set_alias))
    made = lab(platform=platform, traffic=Room(get=get))
    assert asyncio.run(it.follows(made, "model", "best", ["1", "2"])).ok
    assert done == ["2", "1"]


def test_labels_of_nodes_are_put_back_also_while_the_api_server_is_away(
    checker: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_lab.kit.restore._EVERY", 0)
    it, done, away = checker("run-on-the-right-node"), list[Any](), [SILENT]
    node = {"metadata": {"name": "w", "labels": {it.D.key: it.D.value}}}

    @contextlib.asynccontextmanager
    async def scaled(*given: Any) -> AsyncIterator[None]:
        yield

    async def patch(kind: str, name: str, change: Any) -> None:
        value = change["metadata"]["labels"][it.D.key]
        if value and away:
            raise away.pop()
        done.append(value)

    it.scaled = scaled

    async def play() -> None:
        async with it.label_taken_away(lab(objects=NothingThere(all=gives([node]), patch=patch))):
            assert done == [None]

    asyncio.run(play())
    assert done == [None, it.D.value]


@pytest.mark.parametrize("gone", [False, True])
def test_a_pod_that_was_not_deleted_after_all_loses_the_checkers_label(checker: Loaded, gone: bool) -> None:
    it, done = checker("scale-and-survive"), list[Any]()

    async def patch(kind: str, name: str, change: Any) -> None:
        done.append(change["metadata"]["labels"][it._LATE_NODES])
        if gone and len(done) > 1:
            raise GONE

    async def play() -> None:
        traffic = Room(first_answer=gives(SimpleNamespace(status=200)))
        async with it._never_told(lab(objects=NothingThere(patch=patch), traffic=traffic), "a-pod"):
            assert done == ["a-pod"]

    asyncio.run(play())
    assert done == ["a-pod", None]


class Claims(NothingThere):
    """Claims and volumes of a class that binds, or binds too late; and what is done with them."""

    def __init__(self, bound: bool, trouble: LabError | None = None) -> None:
        self.bound, self.trouble, self.done = bound, trouble, list[str]()

    def named(self, kind: str, name: str) -> Any:
        item: Any = None if kind == "Pod" else {"metadata": {"name": name}, "spec": {"volumeName": "v"}}

        async def until(test: Any, **more: Any) -> Observation:
            return Observation(self.bound, "", "")

        return SimpleNamespace(now=gives(item), present=gives(item), until=until)

    async def apply(self, objects: Any) -> None:
        self.done.append("apply")

    async def patch(self, kind: str, name: str, change: Any) -> None:
        self.done.append(f"patch {kind} {name}")

    async def delete(self, kind: str, name: str, grace: int | None = None) -> None:
        self.done.append(f"delete {kind}")
        if kind == "Pod" and self.trouble:
            raise self.trouble


def test_a_claim_that_was_left_goes_first(checker: Loaded) -> None:
    it, objects = checker("storage-class"), Claims(True)
    asyncio.run(it.deleted_claim(lab(objects=objects), "slow"))
    assert objects.done[:2] == ["delete PersistentVolumeClaim", "apply"]


@pytest.mark.parametrize("trouble", [None, SILENT])
def test_a_claim_and_its_volume_go_whatever_happens(checker: Loaded, trouble: LabError | None) -> None:
    it, objects = checker("storage-class"), Claims(False, trouble)
    with pytest.raises(Unreachable) if trouble else contextlib.nullcontext():
        asyncio.run(it.deleted_claim(lab(objects=objects), "slow"))
    assert "delete PersistentVolumeClaim" in objects.done[2:]
    assert ("patch PersistentVolume v" in objects.done) is (trouble is None)


KUBECTL = """#!/usr/bin/env bash
# A cluster whose second node has the taint KEY; of the words that real kubectl takes for a node.
echo "$*" >> asked
case "$*" in
  "label nodes --all KEY-" | "taint nodes second KEY-") ;;
  "get nodes --output=jsonpath={.items[*].metadata.name}") echo -n "first second" ;;
  "get node first --output=jsonpath={.spec.taints[*].key}") ;;
  "get node second --output=jsonpath={.spec.taints[*].key}") echo -n "other.org/KEY KEY" ;;
  *) exit 1 ;;
esac
"""


def test_a_taint_that_a_candidate_has_made_goes_with_the_task(tmp_path: Path) -> None:
    task = render(named("run-on-the-right-node", bank()), 1, SPACE, tmp_path / "run-on-the-right-node")
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL.replace("KEY", task.drawn["key"]))
    kubectl.chmod(0o755)
    place = SimpleNamespace(environment={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    run_script(task.folder / "setup/undo.sh", place, tmp_path, within=10, hint="")  # type: ignore[arg-type]
    assert (tmp_path / "asked").read_text().splitlines()[-1] == f"taint nodes second {task.drawn['key']}-"
