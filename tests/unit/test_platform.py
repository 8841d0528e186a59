"""The platform's decisions that need no cluster: what is ready, what is wrong, and what is done about it."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.processes import Completed
from mlops_lab.base.progress import Progress
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.record import Cluster
from mlops_lab.images.catalog import CATALOG
from mlops_lab.platform import evidence, install, installed, keep, kept, pages, plan, pull, releases
from mlops_lab.platform.evidence import Watch
from mlops_lab.platform.helm import Helm, Late
from mlops_lab.platform.installed import Installed
from mlops_lab.platform.releases import RELEASES, Page, Release


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLOPS_LAB_CLUSTER", raising=False)
    return tmp_path / "home"


class FakeKubectl(Kubectl):
    """Answers from a table: how a command begins -> its output."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__("test")
        object.__setattr__(self, "asked", [])
        object.__setattr__(self, "answers_by", answers)

    def run(self, *args: str, within: float = 30, stdin: str | None = None, check: bool = True) -> Completed:
        words = " ".join(args)
        self.asked.append(f"{words} < {stdin}" if stdin else words)  # type: ignore[attr-defined]
        for start, answer in self.answers_by.items():  # type: ignore[attr-defined]
            if words.startswith(start):
                if isinstance(answer, Completed):
                    return answer
                return Completed(0, answer if isinstance(answer, str) else json.dumps(answer), "")
        return Completed(0, '{"items": []}', "")


def asked(kubectl: Kubectl) -> list[str]:
    return list(kubectl.asked)  # type: ignore[attr-defined]


THEIRS = Cluster("theirs", "example.org/labs")


def made(part: str = "tracking", **changes: Any) -> Release:
    return Release(**{"part": part, "chart": "mlflow", "images": (), **changes})


# Parts of it, one after the other: releases, what is installed, evidence, helm, an installation, data, pages.


def test_the_parts_are_whole_and_in_an_order_that_can_be_installed() -> None:
    before: set[str] = set()
    for each in RELEASES:
        assert (each.folder / "Chart.yaml").exists(), each
        assert set(each.images) <= set(CATALOG), each
        assert before.issuperset(each.needs), each
        before.add(each.part)
    names = [page.name for each in RELEASES for page in each.pages]
    assert len(set(names)) == len(names) and len(before) == len(RELEASES)


def test_parts_come_with_what_they_need_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    known = (made("a"), made("b"), made("c", needs=("a",)))
    monkeypatch.setattr(releases, "RELEASES", known)
    assert [each.part for each in releases.releases(["c", "b"])] == ["a", "b", "c"]
    assert releases.releases([]) == []
    with pytest.raises(UsageError, match="'d'"):
        releases.releases(["d"])


def wanted(release: Release) -> plan.Wanted:
    return plan.Wanted(release, "small", {}, "", "")


def test_stages_hold_what_can_go_side_by_side() -> None:
    todo = [
        wanted(made("a")),
        wanted(made("b")),
        wanted(made("c", needs=("a", "elsewhere"))),
        wanted(made("d", needs=("c",))),
    ]
    assert [[each.release.part for each in stage] for stage in plan.stages(todo)] == [["a", "b"], ["c"], ["d"]]


def test_a_fingerprint_changes_with_chart_profile_values_and_images(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chart = tmp_path / "charts" / "mlflow"
    chart.mkdir(parents=True)
    (chart / "values.yaml").write_text("a: 1\n")
    monkeypatch.setattr(releases, "project", lambda: tmp_path)
    first = plan.fingerprint(made(), "small", {"registry": "x"}, "1")
    assert first == plan.fingerprint(made(), "small", {"registry": "x"}, "1")
    (chart / "README.md").write_text("for people")
    assert first == plan.fingerprint(made(), "small", {"registry": "x"}, "1")
    others = {
        plan.fingerprint(made(), "full", {"registry": "x"}, "1"),
        plan.fingerprint(made(), "small", {"registry": "y"}, "1"),
        plan.fingerprint(made(), "small", {"registry": "x"}, "2"),
    }
    (chart / "values.yaml").write_text("a: 2\n")
    others.add(plan.fingerprint(made(), "small", {"registry": "x"}, "1"))
    assert len(others | {first}) == 5


def test_images_come_from_the_registry_of_a_cluster_of_the_users() -> None:
    release = next(each for each in RELEASES if each.part == "tracking")
    theirs = plan.made_from(release, "small", Cluster("theirs", "example.org/labs"), {})
    assert theirs.values == {
        "registry": "example.org/labs", "images.postgres": "example.org/labs/library/postgres:15-bookworm",
    }  # fmt: skip
    ours = plan.made_from(release, "small", Cluster("kind-x", "localhost:5001", nodes="small"), {})
    assert ours.values == {"registry": "localhost:5001"}
    assert ours.fingerprint != theirs.fingerprint


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("postgres:15-bookworm", "docker.io/library/postgres:15-bookworm"),
        ("python:3.11-slim", "docker.io/library/python:3.11-slim"),
        ("grafana/grafana:1.2", "docker.io/grafana/grafana:1.2"),
        ("quay.io/prometheus/prometheus:v3", "quay.io/prometheus/prometheus:v3"),
    ],
)
def test_images_are_forgotten_by_the_name_that_containerd_knows(name: str, full: str) -> None:
    assert pull.full(name) == full


def test_the_newest_revision_of_each_part_counts() -> None:
    lines = "\n".join(
        f"{namespace} sh.helm.release.v1.x.v{number} helm.sh/release.v1 1 2m name={name},owner=helm,{labels}"
        for namespace, name, number, labels in (
            ("mlops-lab-tracking", "mlops-lab-tracking", 9, "status=superseded,version=9,mlops-lab/fingerprint=old"),
            (
                *("mlops-lab-tracking", "mlops-lab-tracking", 10),
                "status=deployed,version=10,mlops-lab/fingerprint=new,mlops-lab/profile=full,mlops-lab/images=i",
            ),
            ("mlops-lab-tracking", "theirs", 11, "status=failed,version=11"),
            ("default", "mlops-lab-tracking", 12, "status=failed,version=12"),
        )
    )
    found = installed.installed(FakeKubectl({"get secrets": lines}))
    assert found == {"tracking": Installed("deployed", "full", "new", "i")}
    assert installed.installed(FakeKubectl({"get secrets": ""})) == {}


@pytest.mark.parametrize(
    ("statuses", "stood"),
    [
        (["failed"], False),
        (["uninstalling"], False),
        (["failed", "pending-upgrade"], False),
        (["deployed", "pending-upgrade"], True),
        (["superseded", "failed"], True),
    ],
)
def test_what_never_was_ready_has_not_stood(statuses: list[str], stood: bool) -> None:
    lines = [
        f"mlops-lab-tracking s t 1 2m name=mlops-lab-tracking,owner=helm,status={status},version={number}"
        for number, status in enumerate(statuses, 1)
    ]
    for order in (lines, lines[::-1]):
        found = installed.installed(FakeKubectl({"get secrets": "\n".join(order)}))["tracking"]
        assert (found.status, found.stood) == (statuses[-1], stood)


def workload(kind: str = "Deployment", generation: int = 1, replicas: int | None = 1, **status: Any) -> dict[str, Any]:
    spec = {} if replicas is None else {"replicas": replicas}
    return {"kind": kind, "metadata": {"name": "x", "generation": generation}, "spec": spec, "status": status}


READY = {"observedGeneration": 1, "updatedReplicas": 1, "readyReplicas": 1}


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (workload(**READY), ""),
        (workload(replicas=None, **READY), ""),
        (workload("StatefulSet", **READY), ""),
        (workload(replicas=2, **READY), "1 of 2 pods are of the newest template"),
        (workload(generation=2, **READY), "a change is not taken up yet"),
        (workload(observedGeneration=1, updatedReplicas=1), "0 of 1 pods are ready"),
        (workload("DaemonSet", observedGeneration=1, desiredNumberScheduled=3, updatedNumberScheduled=3, numberReady=2),
         "2 of 3 pods are ready"),
        (workload("DaemonSet", observedGeneration=1, desiredNumberScheduled=0), ""),
        (workload("APIService", conditions=[{"type": "Available", "status": "False"}]), "it does not answer"),
        (workload("APIService", conditions=[{"type": "Available", "status": "True"}]), ""),
    ],
)  # fmt: skip
def test_a_workload_says_what_it_lacks(item: dict[str, Any], says: str) -> None:
    assert installed.unready([item], made()) == ([f"{item['kind']} x: {says}"] if says else [])


def slice_of(service: str, *endpoints: dict[str, Any], port: str = "http") -> dict[str, Any]:
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": f"{service}-1", "labels": {"kubernetes.io/service-name": service}},
        "endpoints": list(endpoints),
        "ports": [{"name": "metrics", "port": 9}, {"name": port, "port": 5000}],
    }


def endpoint(pod: str, ready: bool | None = True) -> dict[str, Any]:
    return {"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": pod}}


PAGE = Page("mlflow", "mlflow", 5001)
SERVICE = {
    "kind": "Service",
    "metadata": {"name": "mlflow"},
    "spec": {"ports": [{"name": "http", "port": 5001, "targetPort": "http"}]},
}


def test_a_page_needs_a_ready_pod_behind_it() -> None:
    release = made(pages=(PAGE,))
    assert installed.unready([slice_of("mlflow", endpoint("a"))], release) == []
    assert installed.unready([slice_of("mlflow", endpoint("a", False))], release) == ["no ready pod is behind mlflow"]
    assert installed.unready([slice_of("other", endpoint("a"))], release) == ["no ready pod is behind mlflow"]
    assert pages.behind([SERVICE, slice_of("mlflow", endpoint("a", False), endpoint("b"))], PAGE) == ("b", 5000)
    assert pages.behind([SERVICE, slice_of("mlflow", endpoint("a"), port="other")], PAGE) == ("", 0)
    assert pages.behind([slice_of("mlflow", endpoint("a"))], PAGE) == ("", 0)


def test_what_was_deleted_or_scaled_to_nothing_is_missing() -> None:
    here = [workload(replicas=0)]
    assert installed.missing([workload()], here) == ["Deployment x was scaled to 0"]
    assert installed.missing([workload(replicas=0)], here) == []
    assert installed.missing([workload(), {"kind": "Service", "metadata": {"name": "x"}}], [workload()]) == [
        "Service x does not exist"
    ]


def pod(*containers: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "status": {"phase": "Running", "containerStatuses": list(containers), **status}}


def container(state: dict[str, Any], ready: bool = False, **more: Any) -> dict[str, Any]:
    return {"name": "c", "state": state, "ready": ready, **more}


PULLING = container({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}})
CRASHED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
WAITING = {"waiting": {"reason": "CrashLoopBackOff"}}


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (pod(container({"running": {}}, ready=True)), []),
        (pod(container({"waiting": {"reason": "ContainerCreating"}})), []),
        (pod(container({"running": {}})), [("p", "NotReady", "c runs and is not ready")]),
        (pod(PULLING), [("p", "ImagePullBackOff", "c: ImagePullBackOff: no such image")]),
        (pod(container(WAITING, restartCount=2, lastState=CRASHED)),
         [("p", "ended", "c ended with exit code 137, OOMKilled (2 restarts)")]),
        (pod(container(WAITING, restartCount=5, lastState=CRASHED)),
         [("p", "crashes", "c ended with exit code 137, OOMKilled (5 restarts)")]),
        (pod(container({"waiting": {"reason": "ContainerCreating"}}, restartCount=9, lastState=CRASHED)),
         [("p", "ended", "c ended with exit code 137, OOMKilled (9 restarts)")]),  # its node was started again
        (pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "no node"}]),
         [("p", "Unschedulable", "not scheduled: no node")]),
        (pod(PULLING, phase="Succeeded"), []),
    ],
)  # fmt: skip
def test_a_pod_says_what_keeps_it_from_being_ready(item: dict[str, Any], found: list[tuple[str, str, str]]) -> None:
    assert evidence.troubles(item) == found


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What `evidence` has for the monotonic time, seconds, in a list of one that a test moves on."""
    moved = [100.0]
    monkeypatch.setattr(evidence, "time", SimpleNamespace(monotonic=lambda: moved[0], time=time.time))
    return moved


def test_an_image_that_does_not_come_ends_the_wait_after_a_while(now: list[float]) -> None:
    watch = Watch(FakeKubectl({"get pods": {"items": [pod(PULLING)]}}), "x")
    seen = []
    for _ in range(20):
        now[0] += 2.0
        seen.append(watch())
    assert seen[:10] == [""] * 10
    assert "p can't start: c: ImagePullBackOff: no such image" in seen
    assert "p: c: ImagePullBackOff: no such image" in watch.detail()


def test_pods_of_runs_do_not_end_an_installation(now: list[float]) -> None:
    """A learner's step with a mistyped image stands in the same namespace, without the release's label."""
    own, step = pod(container({"running": {}})), pod(PULLING)
    step["metadata"]["name"] = "step"

    def event(name: str, kind: str = "Pod", api: str = "v1") -> dict[str, Any]:
        about = {"kind": kind, "name": name, "apiVersion": api}
        at = "2100-01-01T00:00:00Z"
        return {"metadata": {}, "involvedObject": about, "type": "Warning", "reason": "R", "message": "m",
                "lastTimestamp": at}  # fmt: skip

    events = [event("p"), event("step"), event("w", "Workflow", "argoproj.io/v1alpha1"), event("s", "StatefulSet")]
    watch = Watch(
        FakeKubectl({
            "get pods -n x -l app.kubernetes.io/instance=x": {"items": [own]}, "get pods": {"items": [own, step]},
            "get events": {"items": events},
        }), "x", 1.0,
    )  # fmt: skip
    for _ in range(20):
        now[0] += 5.0
        assert watch() == ""
    assert watch.detail().splitlines() == ["p: c runs and is not ready", "Pod p: R: m", "StatefulSet s: R: m"]


@pytest.mark.parametrize("chart", [each.chart for each in RELEASES])
def test_all_pods_of_a_chart_bear_its_releases_name(chart: str) -> None:
    """By it `Watch` knows them from pods of runs."""
    folder = releases.project() / "charts" / chart / "templates"
    assert "app.kubernetes.io/instance: {{ .root.Release.Name }}" in (folder / "_helpers.tpl").read_text()
    found = 0
    for file in folder.rglob("*.yaml"):
        head, separator, template = file.read_text().partition("\n  template:\n")
        if separator and "volumeClaimTemplates" not in head:
            found += 1
            lines = template.splitlines()[:2]
            assert lines[0] == "    metadata:" and '.labels" (dict "root" . "component"' in lines[1], file
    assert found > 1


def test_an_image_that_does_not_come_is_one_trouble_by_two_names(now: list[float]) -> None:
    answers: dict[str, Any] = {}
    watch = Watch(FakeKubectl(answers), "x")
    said = ""
    while not said and now[0] < 200:
        reason = "ErrImagePull" if now[0] // 10 % 2 else "ImagePullBackOff"
        answers["get pods"] = {"items": [pod(container({"waiting": {"reason": reason}}))]}
        now[0] += 4.0
        said = watch()
    assert said.startswith("p can't start") and now[0] < 140


def test_where_an_image_does_not_come_is_said() -> None:
    """It may be on one node and not on the other."""
    item = pod(PULLING)
    item["spec"] = {"nodeName": "worker2"}
    ((_, _, text),) = evidence.troubles(item)
    assert text == "c on worker2: ImagePullBackOff: no such image"


@pytest.mark.parametrize(("room", "ends"), [(120.0, True), (None, False)])
def test_a_pod_without_a_node_ends_the_wait_where_no_node_is_added(
    room: float | None, ends: bool, now: list[float]
) -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes: Insufficient memory"}
    watch = Watch(FakeKubectl({"get pods": {"items": [pod(conditions=[condition])]}}), "x", room)
    seen = []
    for _ in range(60):
        now[0] += 3.0
        seen.append(watch())
    assert set(seen[:40]) == {""}
    assert ("p can't start: not scheduled: 0/2 nodes: Insufficient memory" in seen) is ends


def test_pods_that_only_need_time_end_no_wait(now: list[float]) -> None:
    watch = Watch(FakeKubectl({"get pods": {"items": [pod(container({"running": {}}))]}}), "x")
    for _ in range(50):
        now[0] += 5.0
        assert watch() == ""


@pytest.mark.parametrize(("created", "until"), [("2026-01-01T00:00:00Z", 12), ("2100-01-01T00:00:00Z", 5)])
def test_restarts_from_before_the_wait_do_not_count(now: list[float], created: str, until: int) -> None:
    answers: dict[str, Any] = {}
    watch = Watch(FakeKubectl(answers), "x")
    for count in range(7 if until == 12 else 0, until + 1):
        item = pod(container(WAITING, restartCount=count, lastState=CRASHED))
        item["metadata"]["creationTimestamp"] = created
        answers["get pods"] = {"items": [item]}
        now[0] += 5.0
        assert bool(watch()) == (count == until)


def test_how_a_pod_ended_is_told_although_helm_has_put_another_in_its_place(now: list[float]) -> None:
    answers: dict[str, Any] = {}
    watch = Watch(FakeKubectl(answers), "x")
    for item in (container(WAITING, restartCount=2, lastState=CRASHED), container({"running": {}})):
        answers["get pods"] = {"items": [pod(item)]}
        now[0] += 5.0
        assert watch() == ""
    assert "p: c ended with exit code 137, OOMKilled (2 restarts)" in watch.detail()


def test_what_kept_a_part_is_told_before_who_only_waited_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that is pulled for minutes is no state of its pod: only the events say so."""
    now = [1767225600.0]  # 2026-01-01T00:00:00Z
    monkeypatch.setattr(evidence, "time", SimpleNamespace(monotonic=lambda: now[0], time=lambda: now[0]))

    def called(name: str, item: dict[str, Any]) -> dict[str, Any]:
        item["metadata"]["name"] = name
        return item

    def event(name: str, second: int, reason: str, message: str, container: str = "c") -> dict[str, Any]:
        about = {"kind": "Pod", "name": name, "fieldPath": f"spec.containers{{{container}}}"}
        at = f"2026-01-01T00:00:{second:02}Z"
        return {"metadata": {}, "involvedObject": about, "type": "Normal", "reason": reason, "message": message,
                "lastTimestamp": at}  # fmt: skip

    creating = {"waiting": {"reason": "ContainerCreating"}}
    pods = [
        *(called(f"a{number}", pod(container({"running": {}}))) for number in range(7)),
        called("mysql", pod(container(creating), container(creating, name="done"))),
        called("store", pod(container(WAITING, restartCount=2, lastState=CRASHED))),
        called("up", pod(container(creating))),
    ]
    events = [
        event("mysql", 5, "Pulling", 'Pulling image "mysql:8.4"'), event("mysql", 45, "Failed", "context canceled"),
        event("mysql", 5, "Pulling", "Pulling image", "done"), event("mysql", 6, "Pulled", "Pulled image", "done"),
        event("up", 5, "Pulling", "Pulling image"), event("step", 5, "Pulling", "Pulling image"),
    ]  # fmt: skip
    answers: dict[str, Any] = {"get pods": {"items": pods}, "get events": {"items": events}, "logs": ""}
    watch = Watch(FakeKubectl(answers), "x")
    now[0] += 30
    assert watch() == ""
    pods[-1] = called("up", pod(container({"running": {}}, ready=True)))
    now[0] += 10
    assert watch() == ""
    pods.clear()  # helm removes them at its limit, which ends the pull
    now[0] += 10
    assert watch() == ""
    lines = watch.detail().splitlines()
    assert lines[0].startswith("store: c ended with exit code 137")
    assert lines[1] == 'mysql: c: still pulling image "mysql:8.4", for 35 s'
    assert [line.partition(":")[0] for line in lines[2:6]] == ["a0", "a1", "a2", "a3"] and len(lines) == 6


def unhealthy() -> dict[str, Any]:
    """A warning about the pod p, later than any test."""
    about = {"kind": "Pod", "name": "p"}
    return {"metadata": {}, "involvedObject": about, "type": "Warning", "reason": "Unhealthy",
            "message": "Startup probe failed", "lastTimestamp": "2100-01-01T00:00:00Z"}  # fmt: skip


def test_what_is_waited_for_is_one_line_of_this_moment(now: list[float]) -> None:
    answers: dict[str, Any] = {"get events": {"items": [unhealthy()]}}
    watch = Watch(FakeKubectl(answers), "x")
    assert watch.waits() == ""
    for item, line in (
        (container({"running": {}}), "p: c runs and is not ready; Pod p: Unhealthy: Startup probe failed"),
        (container({"running": {}}, ready=True), ""),
    ):
        answers["get pods"] = {"items": [pod(item)]}
        now[0] += 5.0
        assert watch() == "" and watch.waits() == line


def test_a_long_wait_says_each_minute_what_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, said = [100.0], io.StringIO()
    for module in (evidence, install):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    kubectl = FakeKubectl({
        "get pods": {"items": [pod(container({"running": {}}))]}, "get events": {"items": [unhealthy()]},
    })  # fmt: skip
    stop = threading.Event()
    site = install._Site(THEIRS, kubectl, Helm(Path("helm"), "c"), None, Progress(said), stop)
    look = install._looking(made(), Watch(kubectl, "x"), site)
    for _ in range(150):
        clock[0] += 1.0
        assert look() == ""
    line = "  .. tracking is not ready yet: p: c runs and is not ready; Pod p: Unhealthy: Startup probe failed"
    assert said.getvalue().splitlines() == [line] * 2
    stop.set()
    assert look() == "interrupted"


def test_status_shows_the_parts_in_their_order_though_they_are_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answers last; each would wait for the other if they were asked one after the other."""
    all_asked = threading.Barrier(2, timeout=20)
    there = {"tracking": Installed("deployed", "small"), "monitoring": Installed("deployed", "small"),
             "pipelines": Installed("failed")}  # fmt: skip

    def lacking(_kubectl: Any, _helm: Any, release: Release) -> tuple[list[str], list[str]]:
        all_asked.wait()
        time.sleep(0.05 if release.part == "tracking" else 0)
        return [], ["its server is not ready"] if release.part == "monitoring" else []

    monkeypatch.setattr(installed.record, "current", lambda: THEIRS)
    monkeypatch.setattr(installed.recipe, "path", lambda _store: Path("helm"))
    monkeypatch.setattr(installed, "installed", lambda _kubectl: there)
    monkeypatch.setattr(installed, "lacking", lacking)
    first, second, third = installed.status()
    assert (first.what, first.healthy) == ("tracking", True) and "lab open mlflow" in first.seen
    assert (second.what, second.healthy, second.seen) == ("monitoring", False, "its server is not ready")
    assert (third.what, third.healthy, third.seen) == ("pipelines", False, "its release is failed")


def test_warnings_of_this_installation_are_told_once() -> None:
    def event(at: str, message: str) -> dict[str, Any]:
        about = {"kind": "Pod", "name": "p"}
        return {"metadata": {}, "involvedObject": about, "reason": "R", "message": message, "lastTimestamp": at}

    events = [
        event("2026-01-01T00:00:09Z", "b"),
        event("2026-01-01T00:00:08Z", "a"),
        event("2025-01-01T00:00:00Z", "old"),
    ]
    assert evidence.warnings([*events, events[0]], 1767225600) == ["Pod p: R: a", "Pod p: R: b"]


def program(folder: Path, text: str, name: str = "helm") -> Path:
    file = folder / name
    file.write_text(f"#!{sys.executable}\nimport json, os, signal, sys, time\nargs = sys.argv[1:]\n{text}")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def test_an_upgrade_passes_on_values_labels_and_a_limit(tmp_path: Path) -> None:
    log = tmp_path / "log"
    fake = program(tmp_path, f"""
if 'version' in args: print('v3.22.0')
else: open({str(log)!r}, 'w').write(json.dumps(args))
""")  # fmt: skip
    Helm(fake, "ctx", "file").upgrade(
        "r", tmp_path, files=[tmp_path / "f"], values={"a": "x,y"}, labels={"mlops-lab/part": "p"}, within=7
    )
    words = json.loads(log.read_text())
    assert words[:4] == ["--kube-context", "ctx", "--kubeconfig", "file"]
    text = " ".join(words)
    assert "upgrade r" in text and "--install" in text and "--namespace r" in text
    assert (
        "--wait --atomic --timeout 7s" in text
        and r"--set-string a=x\,y" in text
        and "--labels mlops-lab/part=p" in text
    )


def test_helm_4_spells_the_rollback_otherwise(tmp_path: Path) -> None:
    log = tmp_path / "log"
    fake = program(tmp_path, f"""
if 'version' in args: print('v4.0.1')
else: open({str(log)!r}, 'w').write(json.dumps(args))
""")  # fmt: skip
    Helm(fake, "ctx").upgrade("r", tmp_path, within=7)
    assert "--rollback-on-failure" in json.loads(log.read_text())


FAILS = """
if 'version' in args: print('v3.22.0')
else:
    sys.stderr.write('W0203 10:00:00.000000 1 warnings.go:70] spec is odd\\n')
    sys.stderr.write('I1231 10:00:00.000000 1 request.go:60] Waited\\n')
    sys.stderr.write('Error: UPGRADE FAILED: it is not ready\\n'); sys.exit(1)
"""


def test_a_failed_upgrade_says_helms_own_words(tmp_path: Path) -> None:
    for within, late in ((60, False), (0, True)):
        with pytest.raises(LabError, match="helm failed") as error:
            Helm(program(tmp_path, FAILS), "ctx").upgrade("r", tmp_path, within=within)
        assert error.value.detail == "Error: UPGRADE FAILED: it is not ready"
        assert isinstance(error.value, Late) is late


INTERRUPTED = """
if 'version' in args: print('v3.22.0'); sys.exit()
def ends(*_):
    open(os.environ['MARK'], 'w').write('rolled back'); sys.stderr.write('Error: rolled back\\n'); sys.exit(1)
signal.signal(signal.SIGINT, ends)
time.sleep(60)
"""


def test_helm_is_told_to_end_and_rolls_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))
    begin, calls = time.monotonic(), iter(["", "the image is not there"])
    with pytest.raises(LabError, match="the image is not there") as error:
        Helm(program(tmp_path, INTERRUPTED), "ctx").upgrade("r", tmp_path, within=60, look=lambda: next(calls, ""))
    assert (tmp_path / "mark").read_text() == "rolled back"
    assert "rolled back" in error.value.detail and time.monotonic() - begin < 30


HISTORY = """
log = os.environ['LOG']
if 'history' in args:
    text = open(log + '.history').read()
    if not text: sys.stderr.write('Error: release: not found\\n'); sys.exit(1)
    print(text)
else: open(log, 'a').write(' '.join(args[2:]) + '\\n')
"""


@pytest.mark.parametrize(
    ("statuses", "does"),
    [
        ([], ""),
        (["superseded", "deployed"], ""),
        (["pending-install"], "uninstall r"),
        (["superseded", "deployed", "pending-upgrade"], "rollback r 2"),
        (["superseded", "failed", "pending-rollback"], "rollback r 1"),
        (["failed"], "uninstall r"),
        (["failed", "pending-rollback"], "uninstall r"),
        (["uninstalling"], "uninstall r"),
        (["superseded", "uninstalling"], "uninstall r"),
        (["superseded", "failed", "deployed"], ""),
    ],
)
def test_a_release_that_was_left_in_the_middle_is_settled(
    statuses: list[str], does: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("LOG", str(log))
    revisions = [{"revision": number, "status": status} for number, status in enumerate(statuses, 1)]
    log.with_suffix(".history").write_text(json.dumps(revisions) if revisions else "")
    assert Helm(program(tmp_path, HISTORY), "ctx").settle("r") is (bool(statuses) and "uninstall" not in does)
    done = log.read_text() if log.exists() else ""
    assert done.startswith(does) and bool(done) == bool(does)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A cluster without an engine, where helm notes what it is told; `lacks` is what the part lacks at each look."""
    told: dict[str, Any] = {"upgrades": 0, "lacks": [([], [])], "fails": None, "asked": [], "answers": {}}

    class Told(Helm):
        def upgrade(self, *args: Any, **more: Any) -> None:
            told["upgrades"] += 1
            told["labels"], told["values"], told["files"] = more["labels"], more["values"], more["files"]
            if told["fails"]:
                raise told["fails"]

        def settle(self, release: str) -> bool:
            told["asked"].append("settle")
            return f"name={release}," in told["answers"].get("get secrets", "")

    def lacking(*_: Any) -> tuple[list[str], list[str]]:
        return told["lacks"].pop(0) if len(told["lacks"]) > 1 else told["lacks"][0]  # type: ignore[no-any-return]

    monkeypatch.setattr(install.state, "lacking", lacking)
    monkeypatch.setattr(install, "Helm", Told)
    monkeypatch.setattr(install, "program", lambda progress: tmp_path)
    monkeypatch.setattr(install.pages, "answers", lambda *_: told["asked"].append("page"))
    told["answers"]["create"] = {"kind": "Namespace", "metadata": {"name": "x", "uid": "u"}}
    monkeypatch.setattr(install, "Kubectl", lambda *_: FakeKubectl(told["answers"]))
    return told


def up(*parts: str, profile: install.Profile | None = None) -> list[str]:
    return [each.part for each in install.with_parts(list(parts), profile, THEIRS, Progress())]


def installed_as(site: dict[str, Any], status: str = "deployed") -> None:
    labels = ",".join(f"{key}={value}" for key, value in site["labels"].items())
    site["answers"]["get secrets"] = (
        f"mlops-lab-tracking s t 1 2m name=mlops-lab-tracking,owner=helm,status={status},version=1,{labels}"
    )
    site["upgrades"], site["asked"] = 0, []


def test_nothing_is_done_where_no_part_is_asked_for_or_installed(site: dict[str, Any]) -> None:
    assert up() == []
    assert site["upgrades"] == 0


def test_the_cluster_is_free_for_others_while_a_parts_images_are_built(
    site: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    free: list[bool] = []

    def bring(*_: Any) -> dict[str, Any]:
        try:
            with install.exclusive(Progress(), wait=False):
                free.append(True)
        except LabError:
            free.append(False)
        return {}

    monkeypatch.setattr(install, "_bring", bring)
    assert up("tracking") == ["tracking"]
    assert free[0], "the build kept others from the cluster"


def test_a_part_is_installed_once_and_left_alone_after_that(site: dict[str, Any]) -> None:
    assert up("tracking") == ["tracking"]
    assert site["upgrades"] == 1 and site["labels"]["mlops-lab/profile"] == "small" and "page" in site["asked"]
    installed_as(site)
    assert up() == ["tracking"]
    assert up("tracking") == ["tracking"]
    assert site["upgrades"] == 0


def test_a_release_that_is_no_part_is_installed_alike_with_values_of_the_users(
    site: dict[str, Any], tmp_path: Path
) -> None:
    own, file = made(command="lab class up"), tmp_path / "own.yaml"

    def bring(text: str) -> None:
        file.write_text(text)
        install.alone(own, "small", THEIRS, Progress(), [file])

    bring("a: 1")
    assert site["upgrades"] == 1 and site["files"] == [*own.files("small"), file]
    installed_as(site)
    bring("a: 1")
    assert site["upgrades"] == 0
    bring("a: 2")
    assert site["upgrades"] == 1
    site["fails"] = LabError("helm failed", "", "Error: timed out")
    with pytest.raises(LabError) as error:
        bring("a: 3")
    assert error.value.hint == "see above what was not ready, then try again: lab class up"


def test_a_profile_stays_until_another_is_asked_for(site: dict[str, Any]) -> None:
    up("tracking", profile="full")
    installed_as(site)
    up("tracking")
    assert site["upgrades"] == 0
    up("tracking", profile="small")
    assert site["upgrades"] == 1 and site["labels"]["mlops-lab/profile"] == "small"


def test_what_is_gone_is_repaired_and_what_needs_time_is_waited_for(site: dict[str, Any]) -> None:
    up("tracking")
    installed_as(site)
    site["lacks"] = [(["Service mlflow does not exist"], []), ([], [])]
    up()
    assert site["upgrades"] == 1
    installed_as(site)
    site["lacks"] = [([], ["Deployment mlflow: 0 of 1 pods are ready"])] * 2 + [([], [])]
    up()
    assert site["upgrades"] == 0


def test_an_installed_part_that_can_not_become_ready_is_not_waited_for(site: dict[str, Any]) -> None:
    up("tracking")
    installed_as(site)
    site["lacks"] = [([], ["Deployment mlflow: 0 of 1 pods are ready"])]
    hopeless = container({"waiting": {"reason": "InvalidImageName", "message": "not a name"}})
    site["answers"]["get pods"] = {"items": [pod(hopeless)]}
    with pytest.raises(LabError, match="tracking is not ready: p can't start: c: InvalidImageName") as error:
        up()
    assert "p: c: InvalidImageName: not a name" in error.value.detail and site["upgrades"] == 0


def test_who_interrupts_a_wait_does_not_wait_for_its_limit(
    site: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    up("tracking")
    installed_as(site)
    waiting = threading.Event()

    def lacking(*_: Any) -> tuple[list[str], list[str]]:
        waiting.set()
        return [], ["Deployment mlflow: 0 of 1 pods are ready"]

    def interrupted(jobs: Any) -> None:
        assert waiting.wait(20)
        raise KeyboardInterrupt

    monkeypatch.setattr(install.state, "lacking", lacking)
    monkeypatch.setattr(install, "wait", interrupted)
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        up()
    assert time.monotonic() - begin < 60


def test_a_release_left_in_the_middle_is_settled_first(site: dict[str, Any]) -> None:
    up("tracking")
    installed_as(site, "pending-upgrade")
    up()
    assert site["asked"][0] == "settle" and site["upgrades"] == 1


def test_a_failure_says_what_was_not_ready_and_what_is_in_place(site: dict[str, Any]) -> None:
    site["fails"] = LabError("helm failed", "", "Error: timed out")
    site["answers"]["get pods"] = {"items": [pod(PULLING)]}
    with pytest.raises(LabError) as error:
        up("tracking")
    assert "its objects were removed again" in error.value.message
    assert "timed out" in error.value.detail
    site["fails"] = None
    up("tracking")
    installed_as(site)
    site["answers"]["get secrets"] = site["answers"]["get secrets"].replace("fingerprint=", "fingerprint=0")
    site["fails"] = LabError("p can't start: c: ImagePullBackOff", "", "")
    with pytest.raises(LabError) as error:
        up("tracking")
    assert "p can't start" in error.value.message and "the previous release is back in place" in error.value.message


def test_parts_that_fail_side_by_side_are_all_told_of(site: dict[str, Any]) -> None:
    site["fails"] = Late("helm failed", "", "Error: timed out")
    with pytest.raises(LabError) as error:
        up("tracking", "monitoring")
    told = [text.split(" did not become ready")[0] for text in error.value.message.split("again; ")]
    assert sorted(told) == ["monitoring", "tracking"]
    assert error.value.detail.count("Error: timed out") == 2
    assert {"monitoring:", "tracking:"} <= set(error.value.detail.splitlines())
    assert "monitoring" in error.value.hint and "tracking" in error.value.hint


def test_a_namespace_is_restricted_unless_the_chart_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chart = tmp_path / "charts" / "mlflow"
    chart.mkdir(parents=True)
    monkeypatch.setattr(releases, "project", lambda: tmp_path)
    annotated: dict[str, dict[str, str]] = {"restricted": {}, "privileged": {"mlops-lab/pod-security": "privileged"}}
    for level, notes in annotated.items():
        (chart / "Chart.yaml").write_text(json.dumps({"annotations": notes}))
        kubectl = FakeKubectl({})
        install._namespace(made(), kubectl)
        item = json.loads(asked(kubectl)[0].partition(" < ")[2])
        assert item["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == level
        assert item["metadata"]["name"] == "mlops-lab-tracking"


CLAIM = {"metadata": {"name": "data-postgresql-0"}, "spec": {"volumeName": "pvc-1"}}
VOLUME = {
    "status": {"phase": "Bound"},
    "metadata": {"name": "pvc-1", "annotations": {"pv.kubernetes.io/provisioned-by": "rancher.io/local-path"}},
    "spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
        "persistentVolumeReclaimPolicy": "Delete", "claimRef": {"uid": "old"},
        "hostPath": {"path": "/var/local-path-provisioner/pvc-1_x", "type": "DirectoryOrCreate"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "kubernetes.io/hostname", "operator": "In", "values": ["w1"]}]}]}},
    },
}  # fmt: skip
SECRET = {
    "apiVersion": "v1", "kind": "Secret", "data": {"password": "cA=="},
    "metadata": {"name": "postgresql", "namespace": "mlops-lab-tracking", "uid": "u", "resourceVersion": "5",
                 "annotations": {"helm.sh/resource-policy": "keep", "meta.helm.sh/release-name": "mlops-lab-tracking"}},
}  # fmt: skip
RUNNING = (
    "mlops-lab-tracking s t 1 2m name=mlops-lab-tracking,owner=helm,status=deployed,version=1,mlops-lab/profile=full"
)


def keeping(**more: Any) -> FakeKubectl:
    return FakeKubectl({
        "get secrets -A": RUNNING, "get secrets -n": {"items": [SECRET, {"metadata": {"name": "other"}}]},
        "get deployments,statefulsets": {"items": [workload("StatefulSet", replicas=1), workload(replicas=0)]},
        "get persistentvolumes": {"items": [VOLUME]}, "get persistentvolumeclaims": {"items": [CLAIM]}, **more,
    })  # fmt: skip


KIND = Cluster("kind-mlops-lab", "localhost:5001", nodes="small")


def restored(phase: str) -> FakeKubectl:
    """A cluster with the restored volume."""
    name = "kept-mlops-lab-tracking-data-postgresql-0"
    item = {"metadata": {"name": name}, "spec": {"hostPath": {"path": f"/var/{name}"}}, "status": {"phase": phase}}
    return FakeKubectl({"get persistentvolumes": {"items": [item]}})


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker whose nodes are folders of this machine; `exec` works on them."""
    (tmp_path / "nodes" / "w1" / "var/local-path-provisioner/pvc-1_x").mkdir(parents=True)
    tools = tmp_path / "tools"
    tools.mkdir()
    program(tools, f"""
args = [word for word in args if word != '-i'][1:]
root, words = {str(tmp_path)!r} + '/nodes/' + args[0], args[1:]
os.makedirs(root, exist_ok=True)
words = [root + word if word.startswith('/') else word for word in words]
os.execvp(words[0], words)
""", "docker")  # fmt: skip
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return tmp_path / "nodes"


def test_data_and_passwords_outlive_the_cluster(docker: Path, home: Path) -> None:
    from mlops_lab.engine.docker import Docker

    (docker / "w1/var/local-path-provisioner/pvc-1_x/rows").write_text("all of them")
    kubectl = keeping()
    assert keep.save(kubectl, Progress()) == ["mlops-lab-tracking/data-postgresql-0"]
    assert [line for line in asked(kubectl) if "scale" in line] == [
        "scale -n mlops-lab-tracking statefulset/x --replicas=0"
    ]
    (folder,) = (home / "state" / "kept").iterdir()
    modes = {file.stat().st_mode & 0o077 for file in (folder, *folder.rglob("*"))}
    assert modes == {0}, "passwords are for the user alone"
    assert keep.parts(KIND, kubectl) == {"tracking": "full"}

    nodes = {"items": [{"metadata": {"name": "w2"}, "spec": {}}]}
    fresh = FakeKubectl({"get nodes": nodes})
    release = next(each for each in RELEASES if each.part == "tracking")
    keep.restore(KIND, release, fresh, Docker({}), Progress())
    path = "/var/local-path-provisioner/kept-mlops-lab-tracking-data-postgresql-0"
    assert (docker / f"w2{path}/rows").read_text() == "all of them"
    applied = [json.loads(line.partition(" < ")[2]) for line in asked(fresh) if line.startswith("apply")]
    secret = applied[0]["items"][0]
    assert secret["data"] == SECRET["data"] and not {"uid", "resourceVersion"} & set(secret["metadata"])
    assert secret["metadata"]["annotations"]["meta.helm.sh/release-name"] == "mlops-lab-tracking"
    bound = applied[1]["spec"]
    assert bound["claimRef"] == {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "namespace": "mlops-lab-tracking", "name": "data-postgresql-0",
    }  # fmt: skip
    assert bound["hostPath"]["path"] == path and "w2" in json.dumps(bound["nodeAffinity"])
    assert bound["capacity"] == {"storage": "1Gi"}
    keep.forget(KIND, restored("Bound"), Progress())
    assert keep.parts(KIND, fresh) == {}
    assert not folder.exists()


def test_what_can_not_be_kept_leaves_the_parts_running(docker: Path, home: Path) -> None:
    elsewhere = {**VOLUME, "spec": {**VOLUME["spec"], "hostPath": None, "csi": {}}}  # type: ignore[dict-item]
    kubectl = keeping(**{"get persistentvolumes": {"items": [elsewhere]}})
    with pytest.raises(LabError, match="can't keep it"):
        keep.save(kubectl, Progress())
    assert "scale -n mlops-lab-tracking statefulset/x --replicas=1" in asked(kubectl)
    assert not (home / "state" / "kept" / "mlops-lab").exists()


def test_a_volume_that_does_not_fit_leaves_the_parts_running(docker: Path, home: Path) -> None:
    import shutil

    shutil.rmtree(docker / "w1/var")  # tar fails
    kubectl = keeping()
    with pytest.raises(LabError, match="could not be copied"):
        keep.save(kubectl, Progress())
    assert "scale -n mlops-lab-tracking statefulset/x --replicas=1" in asked(kubectl)
    assert keep.parts(Cluster("k", "r", nodes="small"), kubectl) == {}


@pytest.mark.parametrize("silences", [3, 99])
def test_parts_are_started_again_though_the_api_server_is_silent_for_a_while(
    silences: int, docker: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be what made the save fail; parts that stay stopped are named, with what starts them."""

    class Silenced(FakeKubectl):
        def run(self, *args: str, within: float = 30, stdin: str | None = None, check: bool = True) -> Completed:
            nonlocal silences
            done = super().run(*args, within=within, stdin=stdin, check=check)
            if args[0] != "scale" or not silences:
                return done
            silences -= 1
            if check:
                raise LabError("kubectl did not end within 35 s", "lab status")
            return Completed(124, "", "")

    now = time.monotonic()
    clock = SimpleNamespace(sleep=lambda seconds: None, monotonic=lambda: now + 10 * len(asked(kubectl)))
    monkeypatch.setattr("mlops_lab.base.waiting.time", clock)
    kubectl, again = Silenced(keeping().answers_by), silences < 10  # type: ignore[attr-defined]
    with pytest.raises(LabError, match="did not end within 35 s"):
        keep.save(kubectl, Progress())
    told = capsys.readouterr().err
    assert ("the data was not kept; the parts run again" in told) is again
    still = "these are stopped still: mlops-lab-tracking/x; to start them: lab up"
    assert (still in told) is not again


def test_data_in_a_cluster_of_the_users_stays_in_its_namespace() -> None:
    kubectl = keeping()
    keep.mark(kubectl, {"tracking": "full"})
    assert "label --overwrite namespace mlops-lab-tracking mlops-lab/kept=full" in asked(kubectl)
    spaces = {"items": [{"metadata": {"name": "mlops-lab-tracking", "labels": {"mlops-lab/kept": "full"}}}]}
    assert keep.parts(THEIRS, FakeKubectl({"get namespaces": spaces})) == {"tracking": "full"}


class Silent(FakeKubectl):
    """A cluster that does not answer some of what it is asked."""

    def run(self, *args: str, within: float = 30, stdin: str | None = None, check: bool = True) -> Completed:
        done = super().run(*args, within=within, stdin=stdin, check=check)
        if done.code and check:
            raise LabError("kubectl failed", "see what is wrong", done.stderr)
        return done


def test_a_cluster_that_does_not_answer_is_not_one_without_kept_data(docker: Path) -> None:
    from mlops_lab.engine.docker import Docker

    refused = Completed(1, "", "connection refused")
    with pytest.raises(LabError):
        keep.parts(THEIRS, Silent({"get namespaces": refused}))
    keep.save(keeping(), Progress())
    tracking = next(each for each in RELEASES if each.part == "tracking")
    live = docker / "w1/var/local-path-provisioner/kept-mlops-lab-tracking-data-postgresql-0"
    live.mkdir()
    nodes = {"items": [{"metadata": {"name": "w1"}, "spec": {}}]}
    with pytest.raises(LabError):
        keep.restore(KIND, tracking, Silent({"get persist": refused, "get nodes": nodes}), Docker({}), Progress())
    assert live.exists(), "a volume that may be in use was deleted"
    with pytest.raises(LabError):
        keep.forget(KIND, Silent({"get persist": refused}), Progress())
    assert keep.parts(KIND, FakeKubectl({})) == {"tracking": "full"}


DAMAGED = [
    b"",
    b"{",
    b"\xff\xfe\x00",
    b"[1]",
    b"{}",
    b'{"parts": {}, "claims": [{}]}',
    b'{"parts": [], "claims": []}',
    b'{"parts": {"tracking": 1}, "claims": []}',
    b'{"parts": {}, "claims": [], "secrets": "none.json"}',
]


@pytest.mark.parametrize("content", DAMAGED)
def test_what_is_kept_and_can_not_be_read_is_said_and_stays(
    content: bytes, docker: Path, home: Path, site: dict[str, Any]
) -> None:
    keep.save(keeping(), Progress())
    folder = home / "state/kept/mlops-lab"
    archives = list(folder.rglob("*.tar"))
    (folder / "kept.json").write_bytes(content)
    kubectl = keeping()
    ways: list[Callable[[], Any]] = [
        lambda: install.with_parts(["tracking"], None, KIND, Progress()),
        lambda: keep.save(kubectl, Progress()),
        lambda: keep.forget(KIND, kubectl, Progress()),
    ]
    for way in ways:
        with pytest.raises(LabError) as error:
            way()
        assert str(folder / "kept.json") in error.value.message and "\n" not in error.value.message
        assert "nothing was deleted" in error.value.hint and f"mv {folder} {folder}.aside" in error.value.hint
    assert not any("scale" in line for line in asked(kubectl))
    assert site["upgrades"] == 0
    assert (folder / "kept.json").read_bytes() == content and archives and all(file.exists() for file in archives)
    folder.rename(f"{folder}.aside")
    assert keep.parts(KIND, kubectl) == {}


@pytest.mark.parametrize("change", [lambda file: file.unlink(), lambda file: file.write_bytes(b"cut")])
def test_an_archive_that_is_not_whole_is_said(change: Callable[[Path], Any], docker: Path, home: Path) -> None:
    keep.save(keeping(), Progress())
    (archive,) = (home / "state/kept/mlops-lab").rglob("*.tar")
    change(archive)
    with pytest.raises(LabError, match=archive.name):
        keep.parts(KIND, FakeKubectl({}))


@pytest.mark.parametrize("phase", ["", "another", "Available", "Released"])
def test_archives_whose_data_is_not_in_the_cluster_stay(
    phase: str, docker: Path, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the part was installed while they were set aside, and has another volume now, or none."""
    monkeypatch.setattr(keep, "_BINDING", 0)
    keep.save(keeping(), Progress())
    another = {"metadata": {"name": "pvc-2"}, "spec": {"hostPath": {"path": "/2"}}, "status": {"phase": "Bound"}}
    now = {"": FakeKubectl({}), "another": FakeKubectl({"get persistentvolumes": {"items": [another]}})}
    kubectl = now.get(phase) or restored(phase)
    keep.forget(KIND, kubectl, Progress())
    assert list((home / "state/kept/mlops-lab").rglob("*.tar"))
    assert "data of mlops-lab-tracking/data-postgresql-0 stays in" in capsys.readouterr().err
    again = keeping(**{"get persistentvolumes": {"items": []}})
    with pytest.raises(LabError, match="would replace it"):
        keep.save(again, Progress())
    assert not any("scale" in line for line in asked(again))


class Binding(FakeKubectl):
    """A cluster where a claim that names its volume is bound to it at once."""

    def run(self, *args: str, within: float = 30, stdin: str | None = None, check: bool = True) -> Completed:
        if args[0] == "create":
            claim = json.loads(stdin or "")
            for item in self.answers_by["get persistentvolumes"]["items"]:  # type: ignore[attr-defined]
                if item["metadata"]["name"] == claim["spec"]["volumeName"]:
                    item["status"] = {"phase": "Bound"}
        return super().run(*args, within=within, stdin=stdin, check=check)


OTHERS = {"metadata": {"name": "data-mysql-0", "labels": {"a": "b"}, "annotations": {
    "meta.helm.sh/release-name": "mlops-lab-tracking", "volume.kubernetes.io/selected-node": "w1",
}}, "spec": {"volumeName": "pvc-2"}}  # fmt: skip


@pytest.mark.parametrize("at_once", [True, False])
def test_a_claim_that_no_chart_makes_now_is_kept_again_and_again(
    at_once: bool, docker: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As that of an engine that was replaced; if `lab up` made none, the next save does."""
    path = "/var/local-path-provisioner/pvc-2_x"
    (docker / f"w1{path}").mkdir()
    spec: dict[str, Any] = {**VOLUME["spec"], "hostPath": {"path": path}}  # type: ignore[dict-item]
    volume = {**VOLUME, "metadata": {"name": "pvc-2"}, "spec": spec}
    both = {
        "get persistentvolumes": {"items": [VOLUME, volume]},
        "get persistentvolumeclaims": {"items": [CLAIM, OTHERS]},
    }
    names = ["mlops-lab-tracking/data-postgresql-0", "mlops-lab-tracking/data-mysql-0"]
    assert keep.save(keeping(**both), Progress()) == names

    there = []
    for name, phase in (("data-postgresql-0", "Bound"), ("data-mysql-0", "Available")):
        called = f"kept-mlops-lab-tracking-{name}"
        place = {**spec, "hostPath": {"path": f"/var/local-path-provisioner/{called}"}}
        (docker / f"w1{place['hostPath']['path']}").mkdir()
        there.append({"metadata": {"name": called}, "spec": place, "status": {"phase": phase}})
    again = Binding(keeping(**{"get persistentvolumes": {"items": there}}).answers_by)  # type: ignore[attr-defined]
    again.answers_by["get persistentvolumeclaims"] = {"items": [  # type: ignore[attr-defined]
        {"metadata": {"name": item["metadata"]["name"][24:]}, "spec": {"volumeName": item["metadata"]["name"]}}
        for item in there
    ]}  # fmt: skip
    if at_once:
        keep.forget(KIND, again, Progress())
        assert not (home / "state/kept/mlops-lab").exists() and "stays in" not in capsys.readouterr().err
    assert keep.save(again, Progress()) == names
    (line,) = [line for line in asked(again) if line.startswith("create")]
    claim = json.loads(line.partition(" < ")[2])
    assert claim["metadata"] == {
        "name": "data-mysql-0", "namespace": "mlops-lab-tracking", "labels": {"a": "b"},
        "annotations": {"meta.helm.sh/release-name": "mlops-lab-tracking"},
    }  # fmt: skip
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "standard", "volumeMode": "Filesystem",
        "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "kept-mlops-lab-tracking-data-mysql-0",
    }  # fmt: skip


def test_archives_go_when_what_replaces_them_is_on_the_disk(
    docker: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home / "state/kept/mlops-lab"
    keep.save(keeping(), Progress())
    (old,) = folder.rglob("*.tar")
    on_disk: list[str] = []
    fsync = os.fsync

    def noted(number: int) -> None:
        assert old.exists(), "an archive went before what replaces it was on the disk"
        on_disk.append(Path(f"/proc/self/fd/{number}").readlink().name)
        fsync(number)

    monkeypatch.setattr(os, "fsync", noted)
    (docker / "w1/var/local-path-provisioner/pvc-1_x/rows").write_text("more of them")
    keep.save(keeping(), Progress())
    (new,) = folder.rglob("*.tar")
    assert new != old and not old.exists()
    assert on_disk.index(new.name) < on_disk.index(new.parent.name) < len(on_disk) - 1
    assert on_disk[-1] == folder.name and any("kept.json" in name for name in on_disk)


@pytest.mark.parametrize("at", range(7))
def test_a_save_that_is_cut_off_leaves_what_was_kept_or_what_is(
    at: int, docker: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at each of its writes to the disk in turn: what is kept can always be read as a whole."""
    keep.save(keeping(), Progress())
    before = keep.parts(KIND, FakeKubectl({}))
    if (child := os.fork()) == 0:
        left = iter(range(at))
        fsync = os.fsync
        monkeypatch.setattr(os, "fsync", lambda number: os._exit(9) if next(left, None) is None else fsync(number))
        keep.save(keeping(), Progress())
        os._exit(0)
    os.waitpid(child, 0)
    assert keep.parts(KIND, FakeKubectl({})) == before
    keep.save(keeping(), Progress())
    assert len(list((home / "state/kept/mlops-lab").rglob("*.tar"))) == 1, "what was cut off is cleared away"


def test_data_of_a_part_that_is_not_installed_now_stays_kept(docker: Path, home: Path) -> None:
    """As after an `lab up` that ended before that part's turn."""
    keep.save(keeping(), Progress())
    folder = home / "state/kept/mlops-lab"
    (tracking,) = folder.rglob("*.tar")
    monitoring = RUNNING.replace("tracking", "monitoring")
    keep.save(keeping(**{"get secrets -A": monitoring}), Progress())
    assert keep.parts(KIND, FakeKubectl({})) == {"tracking": "full", "monitoring": "full"}
    assert tracking.exists() and len(list(folder.rglob("*.tar"))) == 2
    whole = kept.read()
    assert [claim["namespace"] for claim in whole["claims"]] == ["mlops-lab-tracking", "mlops-lab-monitoring"]
    assert len(whole["secrets"]) == 2


def test_what_an_older_version_has_kept_is_read(docker: Path, home: Path) -> None:
    keep.save(keeping(), Progress())
    folder = home / "state/kept/mlops-lab"
    whole = json.loads((folder / "kept.json").read_text())
    for file in next(folder.glob("saved-*")).iterdir():
        file.rename(folder / file.name)
    for claim in whole["claims"]:
        claim["file"] = Path(claim["file"]).name
        del claim["bytes"]
    del whole["secrets"]
    (folder / "kept.json").write_text(json.dumps(whole))
    assert keep.parts(KIND, FakeKubectl({})) == {"tracking": "full"}
    assert kept.read()["secrets"][0]["data"] == SECRET["data"]


KUBECTL = """
state = os.environ['STATE']
if 'wait' in args:
    while os.path.exists(state + '/alive'): time.sleep(0.05)
elif 'port-forward' in args:
    import http.server
    pod = [word for word in args if '/' in word and word.startswith(('pod', 'service'))][0]
    if os.path.exists(state + '/refuse'): print('error: no such pod'); sys.exit(1)
    local = int(args[-1].split(':')[0] or 0)
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200); self.end_headers(); self.wfile.write(pod.encode())
        def log_message(self, *_): print('Handling connection ' + 'x' * 5000, flush=True)
    server = http.server.HTTPServer(('127.0.0.1', local), Handler)
    print('Forwarding from 127.0.0.1:%d -> 1' % server.server_port, flush=True)
    server.serve_forever()
else:
    pod = open(state + '/pod').read()
    print(open(state + '/objects').read().replace('POD', pod))
"""


@pytest.fixture
def forwarding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that forwards to a pod of its imagination; the folder says which, and whether it lives."""
    tools = tmp_path / "tools"
    tools.mkdir()
    program(tools, KUBECTL, "kubectl")
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("STATE", str(tmp_path))
    (tmp_path / "alive").touch()
    (tmp_path / "pod").write_text("one")
    (tmp_path / "objects").write_text(json.dumps({"items": [SERVICE, slice_of("mlflow", endpoint("POD"))]}))
    monkeypatch.setattr(pages, "RELEASES", (made(pages=(PAGE,)),))
    return tmp_path


def fetched(port: int) -> str:
    import urllib.request

    end = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_a_page_answers_on_the_way_that_people_take(forwarding: Path) -> None:
    kubectl = Kubectl("test")
    pages.answers(kubectl, made(pages=(PAGE,)), PAGE, within=20)
    (forwarding / "refuse").touch()
    with pytest.raises(LabError, match="no such pod"):
        pages.answers(kubectl, made(pages=(PAGE,)), PAGE, within=2)


def test_a_replaced_pod_is_followed_and_many_connections_do_not_block(forwarding: Path) -> None:
    port, says, urls, stop = pages.free_port(0), list[str](), list[str](), threading.Event()
    worker = threading.Thread(
        target=pages.keep_open,
        args=(Kubectl("test"), "mlflow", list(pages.RELEASES), port, says.append, urls.append, stop.is_set),
    )
    worker.start()
    try:
        assert fetched(port) == "pod/one"
        for _ in range(40):  # 200 kB of its talk
            assert fetched(port) == "pod/one"
        (forwarding / "pod").write_text("two")
        (forwarding / "alive").unlink()
        end = time.monotonic() + 20
        while fetched(port) != "pod/two" and time.monotonic() < end:
            time.sleep(0.1)
            (forwarding / "alive").touch()
        assert fetched(port) == "pod/two"
    finally:
        stop.set()
        worker.join(20)
    assert urls == [f"http://127.0.0.1:{port}/"]
    assert any("replaced" in text for text in says)
    assert not worker.is_alive()


def test_a_page_that_can_not_be_connected_again_says_why_and_once(
    forwarding: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says, tries = list[str](), 0

    def slept(seconds: float) -> None:
        nonlocal tries
        if seconds < 1:  # the pod is there, and then it goes, and its port is taken
            (forwarding / "refuse").touch()
            (forwarding / "alive").unlink(missing_ok=True)
        else:
            tries += 1
        time.sleep(min(seconds, 0.05))

    monkeypatch.setattr(pages, "time", SimpleNamespace(sleep=slept))
    kubectl, there = Kubectl("test"), list(pages.RELEASES)
    pages.keep_open(kubectl, "mlflow", there, 0, says.append, print, lambda: tries >= 3)
    assert says == [
        "mlflow: its pod was replaced; connecting again",
        "mlflow: pod/one can't be reached: error: no such pod; trying again",
    ]


def test_a_page_stays_open_while_the_api_server_is_silent_for_a_while(
    forwarding: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says, urls, silent = list[str](), list[str](), 0
    found = pages.place

    def place(*given: Any) -> pages.Place:
        nonlocal silent
        (forwarding / "alive").touch()
        if urls and silent < 2:
            silent += 1
            raise LabError("kubectl failed with exit code 1", "lab status", "The connection was refused")
        return found(*given)

    def slept(seconds: float) -> None:
        (forwarding / "alive").unlink(missing_ok=True)
        time.sleep(0.05)

    monkeypatch.setattr(pages, "place", place)
    monkeypatch.setattr(pages, "time", SimpleNamespace(sleep=slept))
    monkeypatch.setattr("mlops_lab.base.waiting.time", SimpleNamespace(sleep=lambda _: None, monotonic=time.monotonic))
    kubectl, there = Kubectl("test"), list(pages.RELEASES)
    pages.keep_open(kubectl, "mlflow", there, 0, says.append, urls.append, lambda: len(says) > 1)
    assert says == ["mlflow: its pod was replaced; connecting again", "mlflow is back at http://127.0.0.1:0/"]
    assert silent == 2


def test_a_page_by_name_or_by_part(forwarding: Path) -> None:
    kubectl, there = Kubectl("test"), list(pages.RELEASES)
    assert pages.place(kubectl, "tracking", there).pod == "one"
    assert pages.places(kubectl, there)[0].port == 5000
    with pytest.raises(UsageError, match="is not installed"):
        pages.place(kubectl, "mlflow", [])
    with pytest.raises(UsageError, match="there is no page 'x'"):
        pages.place(kubectl, "x", there)
    (forwarding / "objects").write_text(json.dumps({"items": [SERVICE]}))
    with pytest.raises(LabError, match="not ready"):
        pages.keep_open(kubectl, "mlflow", there, 0, print, print)


def test_a_port_that_is_taken_is_avoided() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert pages.free_port(port) != port
    assert pages.free_port(port) == port


def test_a_cluster_without_parts_brings_none_of_their_images(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops_lab.cli.cluster import _during_creation, _parts
    from mlops_lab.cluster import up as cluster_up

    brought: list[list[str]] = []
    monkeypatch.setattr(cluster_up, "bring", lambda names, *_: brought.append(names))
    for parts in ([], ["tracking"]):
        during = _during_creation(parts)
        cluster_up._images(None, "auto", Progress(), False, during["early"], during["also"])  # type: ignore[arg-type]
    theirs = set(RELEASES[0].images)
    assert not theirs & set(brought[0]) and theirs <= set(brought[1])
    assert "mlops-lab/load:v1" in brought[0]
    assert _parts(("tracking, ", "tracking"), None) == ["tracking"]
    assert _parts((), "full") == [each.part for each in RELEASES]
    assert _parts((), "core") == []
