"""What labs do to a cluster: namespaces made and removed, an outage that always ends, leftovers that are found."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.kube.client import Kube
from mlops_lab.labs import namespaces
from mlops_lab.labs.catalog import Exercise
from mlops_lab.labs.target import Target
from mlops_lab.learner import lifecycle
from mlops_lab.learner.records import Records
from mlops_lab.proof import leftovers
from mlops_lab.proof.outage import paused_api_server
from mlops_lab.proof.stage import LiveStage


class MadeUpKube:
    """Keeps objects in a dict, as far as labs need it."""

    def __init__(self, kubeconfig: Path) -> None:
        self.objects: dict[tuple[str, str | None, str], dict[str, Any]] = {}
        self.calls: list[str] = []
        self.kubeconfig = kubeconfig
        self.context = "kind-test"

    def find(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        return self.objects.get((kind, namespace, name))

    def apply(self, objects: list[dict[str, Any]], namespace: str | None = None) -> None:
        for item in objects:
            self.calls.append(f"apply {item['kind']} {item['metadata']['name']}")
            self.objects[(item["kind"], namespace, item["metadata"]["name"])] = item

    def wait(self, kind: str, name: str, namespace: str, condition: Any, *, within: float) -> tuple[Any, Any]:
        self.calls.append(f"wait {kind} {name}")
        item = self.objects.get((kind, namespace, name))
        return (condition(item) if item else True), {}

    def list(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        return [item for (each, where, _), item in self.objects.items() if (each, where) == (kind, namespace)]

    def events(self, name: str, namespace: str, kind: str | None = None) -> list[dict[str, Any]]:
        return []

    def delete(self, kind: str, name: str, namespace: str | None = None, grace: int | None = None) -> None:
        self.calls.append(f"delete {kind} {name}{'' if grace is None else f' grace {grace}'}")

    def wait_gone(self, kind: str, name: str, namespace: str | None = None, *, within: float) -> None:
        self.calls.append(f"gone {kind} {name}")
        self.objects = {key: item for key, item in self.objects.items() if name not in (key[1], key[2])}


@pytest.fixture
def kube(tmp_path: Path) -> MadeUpKube:
    file = tmp_path / "config"
    part = {"name": "kind-test", "cluster": {}, "user": {}, "context": {"cluster": "kind-test", "user": "kind-test"}}
    file.write_text(yaml.safe_dump({"clusters": [part], "users": [part], "contexts": [part]}))
    return MadeUpKube(file)


@pytest.fixture
def exercise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exercise:
    monkeypatch.setenv("MLOPS_LAB_WORKSPACE", str(tmp_path / "workspaces"))
    folder = tmp_path / "10-scale"
    (folder / "start").mkdir(parents=True)
    (folder / "lab.toml").write_text('title = "a"\nlevel = "I"\nminutes = 1\nsummary = "b"\nneeds = ["cluster"]\n')
    (folder / "start/model.yaml").write_text("start\n")
    (folder / "start/seed.yaml").write_text(
        "kind: Pod\napiVersion: v1\nmetadata: {name: shadow}\nspec: {image: localhost:5001/a:v1}\n---\n"
    )
    return Exercise(folder, "10", "scale")


def target(kube: MadeUpKube) -> Target:
    return Target(cast(Kube, kube), "registry.example")


def test_a_start_makes_a_labelled_namespace_seeds_it_and_writes_a_kubeconfig(
    kube: MadeUpKube, exercise: Exercise, tmp_path: Path
) -> None:
    records = Records(tmp_path / "records.sqlite")
    begun = lifecycle.start(target(kube), exercise, records)
    labels = kube.objects[("Namespace", None, "lab-10")]["metadata"]["labels"]
    assert labels == {
        "mlops-lab/lab": "10",
        "app.kubernetes.io/managed-by": "mlops-lab",
        "pod-security.kubernetes.io/enforce": "baseline",
    }
    assert kube.calls == ["apply Namespace lab-10", "wait ServiceAccount default", "apply Pod shadow"]
    assert kube.objects[("Pod", "lab-10", "shadow")]["spec"]["image"] == "registry.example/a:v1"
    assert (begun.seeded, begun.files.written) == (1, ["model.yaml"])
    assert begun.kubeconfig.stat().st_mode & 0o077 == 0
    assert yaml.safe_load(begun.kubeconfig.read_text())["contexts"][0]["context"]["namespace"] == "lab-10"
    assert records.progress()["10"].state == "started"
    assert lifecycle.begun(target(kube), exercise) == begun.files.folder


def test_a_lab_that_was_not_started_says_how(kube: MadeUpKube, exercise: Exercise) -> None:
    with pytest.raises(UsageError, match="is not started") as caught:
        lifecycle.begun(target(kube), exercise)
    assert caught.value.hint == "start it first: lab start 10"


def test_a_reset_keeps_a_copy_and_waits_until_all_is_gone(kube: MadeUpKube, exercise: Exercise, tmp_path: Path) -> None:
    records = Records(tmp_path / "records.sqlite")
    folder = lifecycle.start(target(kube), exercise, records).files.folder
    (folder / "model.yaml").write_text("mine\n")
    kube.calls.clear()
    said: list[str] = []
    begun = lifecycle.reset(target(kube), exercise, records, said.append)
    assert (backed_up(said) / "model.yaml").read_text() == "mine\n"
    assert (folder / "model.yaml").read_text() == "start\n"
    assert kube.calls[:3] == ["delete Namespace lab-10", "delete Pod shadow grace 1", "gone Namespace lab-10"]
    assert begun.seeded == 1


@pytest.mark.parametrize("ended", [LabError("the namespace is not gone after 180 s", "see"), KeyboardInterrupt()])
def test_where_the_copy_is_is_said_even_if_the_rest_does_not_come_to_its_end(
    kube: MadeUpKube, exercise: Exercise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: BaseException
) -> None:
    records = Records(tmp_path / "records.sqlite")

    def hangs(*given: Any, **more: Any) -> None:
        raise ended

    monkeypatch.setattr(kube, "wait_gone", hangs)
    for do in (
        lambda say: lifecycle.reset(target(kube), exercise, records, say),
        lambda say: lifecycle.end(target(kube), exercise, say),
    ):
        folder = lifecycle.start(target(kube), exercise, records).files.folder
        (folder / "model.yaml").write_text("mine\n")
        said: list[str] = []
        with pytest.raises(type(ended)):
            do(said.append)
        assert (backed_up(said) / "model.yaml").read_text() == "mine\n"


def backed_up(said: list[str]) -> Path:
    """The folder that a reset has named."""
    (line,) = said
    return Path(line.removeprefix("Your files are backed up in "))


def test_a_namespace_in_which_no_pod_may_be_made_says_what_is_missing(
    kube: MadeUpKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube, "wait", lambda *_, **__: (None, None))
    with pytest.raises(LabError, match=r"namespace a has no default ServiceAccount after 90 s") as error:
        namespaces.make(cast(Kube, kube), "a")
    assert "kubectl -n kube-system get pods" in error.value.hint


def test_a_namespace_of_someone_else_is_left_alone(kube: MadeUpKube, exercise: Exercise) -> None:
    kube.objects[("Namespace", None, "lab-10")] = {"metadata": {"name": "lab-10", "labels": {"team": "b"}}}
    with pytest.raises(LabError, match="was not created by `lab`"):
        namespaces.create(cast(Kube, kube), exercise, "lab-10")
    with pytest.raises(LabError, match="was not created by `lab`") as error:
        namespaces.remove(cast(Kube, kube), exercise, "lab-10")
    assert "kubectl delete namespace lab-10" in error.value.hint
    assert kube.calls == []


def test_a_namespace_that_is_going_is_waited_for(kube: MadeUpKube, exercise: Exercise) -> None:
    kube.objects[("Namespace", None, "lab-10")] = {"metadata": {"name": "lab-10", "deletionTimestamp": "now"}}
    namespaces.create(cast(Kube, kube), exercise, "lab-10")
    assert kube.calls[:2] == ["gone Namespace lab-10", "apply Namespace lab-10"]


def test_jobs_go_with_a_namespace_before_their_pods_which_may_wait_for_that(
    kube: MadeUpKube, exercise: Exercise
) -> None:
    def fill(**meta: str) -> None:
        labels = {"app.kubernetes.io/managed-by": "mlops-lab"}
        kube.objects[("Namespace", None, "lab-10")] = {"metadata": {"name": "lab-10", "labels": labels, **meta}}
        for kind, name in (("Pod", "batch-0"), ("Job", "batch")):
            kube.objects[(kind, "lab-10", name)] = {"metadata": {"name": name}}
        kube.calls.clear()

    ended = ["delete Job batch", "delete Pod batch-0 grace 1", "gone Namespace lab-10"]
    fill()
    namespaces.remove(cast(Kube, kube), exercise, "lab-10")
    assert kube.calls == ["delete Namespace lab-10", *ended]
    fill(deletionTimestamp="now")  # somebody has deleted it by hand
    namespaces.create(cast(Kube, kube), exercise, "lab-10")
    assert kube.calls[:3] == ended


def test_what_a_lab_left_in_the_platform_goes_when_no_pod_can_make_more_also_at_a_second_try(
    kube: MadeUpKube, exercise: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = False

    def remove(_: Kube, namespace: str, needs: list[str]) -> None:
        kube.calls.append(f"parts {namespace}")
        if not answers:
            raise LabError("mlflow does not answer", "see what is wrong: lab status")

    monkeypatch.setattr(namespaces.parts, "remove", remove)
    namespaces.create(cast(Kube, kube), exercise, "lab-10")
    kube.calls.clear()
    with pytest.raises(LabError, match="does not answer"):
        namespaces.remove(cast(Kube, kube), exercise, "lab-10")
    assert kube.calls == ["delete Namespace lab-10", "gone Namespace lab-10", "parts lab-10"]
    answers = True
    namespaces.remove(cast(Kube, kube), exercise, "lab-10")  # the namespace has gone, what it left has not
    assert kube.calls[3:] == ["parts lab-10"]


def test_a_seed_that_does_not_parse_is_named(kube: MadeUpKube, exercise: Exercise) -> None:
    (exercise.folder / "start/seed.yaml").write_text("a: [1\n")
    with pytest.raises(LabError, match=r"seed.yaml"):
        namespaces.seed(cast(Kube, kube), exercise, "lab-10")


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}], None),
        ([{"type": "Failed", "status": "True"}], "the lab's own Job history failed"),
        ([], "the lab's own Job history is not done after"),
    ],
)
def test_a_seed_is_done_when_its_jobs_are(
    kube: MadeUpKube, exercise: Exercise, conditions: list[dict[str, str]], said: str | None
) -> None:
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "history"}}
    job["status"] = {"conditions": conditions}
    (exercise.folder / "start/seed.yaml").write_text(yaml.safe_dump(job))
    if said is None:
        assert namespaces.seed(cast(Kube, kube), exercise, "lab-10") == 1
        assert kube.calls == ["apply Job history", "wait Job history"]
        return
    with pytest.raises(LabError, match=said) as caught:
        namespaces.seed(cast(Kube, kube), exercise, "lab-10")
    assert caught.value.hint == "see why: kubectl -n lab-10 logs job/history"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path / "bin"


def test_a_stage_is_set_up_in_one_namespace_while_the_one_before_goes(
    kube: MadeUpKube, exercise: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go, gone = threading.Event(), kube.wait_gone

    def slowly(kind: str, name: str, namespace: str | None = None, *, within: float) -> None:
        if name == "verify-lab-10":
            assert may_go.wait(10)
        gone(kind, name, within=within)

    monkeypatch.setattr(kube, "wait_gone", slowly)
    stage = LiveStage(target(kube), target(kube), exercise, [])
    stage.fresh()
    assert stage.namespace == "verify-lab-10"
    stage.fresh()
    assert stage.namespace == "verify-b-lab-10"
    assert ("Namespace", None, "verify-lab-10") in kube.objects  # it still goes
    may_go.set()
    stage.fresh()
    assert stage.namespace == "verify-lab-10"
    kube.calls.clear()
    stage.reset()  # in place: what a reset leaves behind is looked for where it was
    assert stage.namespace == "verify-lab-10"
    assert kube.calls.index("gone Namespace verify-lab-10") < kube.calls.index("apply Namespace verify-lab-10")
    stage.clear()
    assert not kube.objects


def test_a_namespace_that_does_not_go_is_told_by_the_next_step(
    kube: MadeUpKube, exercise: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = LiveStage(target(kube), target(kube), exercise, [])
    stage.fresh()

    def stays(*about: Any, **more: Any) -> None:
        raise LabError("Namespace verify-lab-10 is still there after 180 s", "look for what holds it")

    with monkeypatch.context() as held:
        held.setattr(kube, "wait_gone", stays)
        stage.fresh()
        with pytest.raises(LabError, match="still there"):
            stage.fresh()
    stage.fresh()
    assert stage.namespace == "verify-lab-10"
    stage.clear()
    assert not kube.objects


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}")
    (folder / name).chmod(0o755)


DOCKER = 'echo "$*" >> {calls}\ncase "$*" in *pgrep*) echo 42;; esac\n'


def test_an_outage_ends_however_its_block_ends(programs: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    program(programs, "docker", DOCKER.format(calls=calls))
    with pytest.raises(ZeroDivisionError), paused_api_server("node"):
        assert calls.read_text().splitlines()[-1] == "exec node kill -STOP 42"
        raise ZeroDivisionError
    assert calls.read_text().splitlines() == [
        "exec node pgrep -x kube-apiserver",
        "exec node kill -STOP 42",
        "exec node kill -CONT 42",
    ]


def test_an_outage_ends_in_time_even_if_its_block_does_not(programs: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    program(programs, "docker", DOCKER.format(calls=calls))
    with paused_api_server("node", at_most=0.3):
        end = time.monotonic() + 5
        while "CONT" not in calls.read_text():
            assert time.monotonic() < end
            time.sleep(0.05)


def test_an_outage_ends_even_if_the_node_is_not_reached_at_once(programs: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    once = f'case "$*" in *CONT*) mkdir {tmp_path}/failed 2>/dev/null && exit 1;; esac\n'
    program(programs, "docker", DOCKER.format(calls=calls) + once + "exit 0\n")
    with pytest.raises(LabError, match="exit code 1"), paused_api_server("node", at_most=0.5):
        pass
    end = time.monotonic() + 5
    while calls.read_text().count("CONT") < 2:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_outage_needs_an_api_server(programs: Path) -> None:
    program(programs, "docker", "exit 1\n")
    with pytest.raises(LabError, match="no API server in container node"), paused_api_server("node"):
        pytest.fail("there was nothing to pause")
    with pytest.raises(LabError, match="podman is not installed"), paused_api_server("node", "podman"):
        pytest.fail("there was nothing to pause")


def item(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, **more.pop("metadata", {})}, **more}


def test_leftovers_are_what_a_reset_should_have_taken(programs: Path, kube: MadeUpKube, tmp_path: Path) -> None:
    inside = [
        item("ConfigMap", "kube-root-ca.crt"),
        item("ServiceAccount", "default"),
        item("Pod", "model-x", metadata={"ownerReferences": [{}]}),
        item("ConfigMap", "seed"),
    ]
    around = [
        item("Namespace", "lab-04"),
        item("Namespace", "verify-lab-10"),
        item("Namespace", "verify-b-lab-10"),
        item("Namespace", "demo-lab-12"),
        item("Namespace", "prove-b-a-small-canary"),
        item("Namespace", "demo-b-lab-12"),
        item("Namespace", "demo-lab-12-of-a-learner"),
        item("Namespace", "team"),
        item("PersistentVolume", "of-another", spec={"claimRef": {"namespace": "x"}}),
        item("PersistentVolume", "of-ours", spec={"claimRef": {"namespace": "lab-10"}}),
        item(
            "PersistentVolume",
            "pvc-1f2e",
            metadata={"annotations": {"pv.kubernetes.io/provisioned-by": "rancher.io/local-path"}},
            spec={"claimRef": {"namespace": "lab-10", "name": "models"}},
        ),
        item(
            "Node",
            "worker",
            metadata={"labels": {"disk": "ssd"}},
            spec={
                "unschedulable": True,
                "taints": [
                    {"key": "edge", "effect": "NoSchedule"},
                    {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
                ],
            },
        ),
    ]
    for name, items in (("true", inside), ("false", around)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"items": items}))
    program(
        programs,
        "kubectl",
        f"""case "$*" in
*api-resources*) echo pods events.events.k8s.io pods.metrics.k8s.io configmaps;;
*"get pods,configmaps -n lab-10"*) cat {tmp_path}/true.json;;
*"get pods,configmaps -o"*) cat {tmp_path}/false.json;;
*) echo "$*" >&2; exit 1;;
esac
""",
    )
    assert leftovers.inside(cast(Kube, kube), "lab-10") == ["configmaps/seed"]
    assert leftovers.around(cast(Kube, kube), "lab-10") == [
        "namespaces/demo-lab-12-of-a-learner",
        "namespaces/team",
        "nodes/worker",
        "nodes/worker cordoned",
        "nodes/worker label disk=ssd",
        "nodes/worker taint edge=:NoSchedule",
        "persistentvolumes of persistentvolumeclaims/models",
        "persistentvolumes/of-ours",
    ]


def test_a_kind_that_goes_between_two_questions_is_no_longer_asked_for(
    programs: Path, kube: MadeUpKube, tmp_path: Path
) -> None:
    (tmp_path / "shifts").touch()
    program(
        programs,
        "kubectl",
        f"""case "$*" in
*api-resources*) echo pods; if [ -e {tmp_path}/shifts ]; then echo shifts.example.org; rm {tmp_path}/shifts; fi;;
*"get pods,shifts.example.org"*) echo "the server doesn't have a resource type" >&2; exit 1;;
*"get pods -n lab-10"*) echo '{json.dumps({"items": [item("Pod", "model")]})}';;
esac
""",
    )
    assert leftovers.inside(cast(Kube, kube), "lab-10") == ["pods/model"]
