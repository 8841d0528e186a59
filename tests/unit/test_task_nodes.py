"""Tasks on a cluster that may be broken: what is broken there is a failure, and is taken back though nobody answers."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlops_lab.base.processes import Completed
from mlops_lab.checks import Failure, LabError, Observation
from mlops_lab.exam.stage import Clusters
from mlops_lab.kube.errors import Unreachable
from mlops_lab.proof import tasks as proof
from mlops_lab.tasks import nodes, running, script, standing
from mlops_lab.tasks.lab import TaskLab
from mlops_lab.tasks.place import Place
from mlops_lab.tasks.rendering import Rendered, render
from mlops_lab.tasks.task import named
from tests.made_up import NothingThere, made_up_lab
from tests.made_up_exams import made_up_task

DOWN = Unreachable("Node list: the API server does not answer", "see: lab status", transient=True)
CONTROL, WORKER = "c", "w"
READY = {"type": "Ready", "status": "True"}


class Machines:
    """Two nodes; each program prints what a test says."""

    names = (CONTROL, WORKER)

    def __init__(self, done: Completed | None = None) -> None:
        self.done = done or Completed(0, " said \n", "")

    async def run(self, node: str, *words: str, within: float = 30) -> Completed:
        return self.done


class Objects(NothingThere):
    """Objects by kind; a test says what the API server does instead of answering."""

    def __init__(self, trouble: LabError | None = None, **found: Any) -> None:
        self.trouble, self.found = trouble, found

    async def all(self, kind: str, selector: str = "") -> list[Any]:
        if self.trouble:
            raise self.trouble
        return []

    def named(self, kind: str, name: str) -> Any:
        async def now() -> Any:
            if self.trouble:
                raise self.trouble
            return self.found.get(kind)

        return SimpleNamespace(now=now)

    async def apply(self, objects: Any) -> None:
        if self.trouble:
            raise self.trouble


def lab(objects: Objects | None = None, machines: Machines | None = None) -> TaskLab:
    found: Any = made_up_lab(objects=objects or Objects())
    found.machines = machines or Machines()
    found.elsewhere = lambda namespace: found.objects
    return cast(TaskLab, found)


def test_the_nodes_have_their_roles() -> None:
    assert (nodes.control_plane(lab()), nodes.worker(lab())) == (CONTROL, WORKER)


@pytest.mark.parametrize(
    ("done", "printed"),
    [
        (Completed(0, " a\n", ""), "a"),
        (Completed(1, "a", ""), ""),
        (Completed(1, "", "container w is not running"), ""),
    ],
)
def test_a_program_that_fails_on_a_node_has_printed_nothing(done: Completed, printed: str) -> None:
    assert asyncio.run(nodes.printed(lab(machines=Machines(done)), WORKER, "cat", "x")) == printed


@pytest.mark.parametrize(
    ("done", "pods"),
    [
        (Completed(0, '{"items": [{"kind": "Pod"}]}', ""), [{"kind": "Pod"}]),
        (Completed(0, '{"items": null}', ""), []),
        (Completed(1, "", "no"), []),
    ],
)
def test_a_kubelet_says_what_pods_it_has_or_nothing(done: Completed, pods: list[Any]) -> None:
    assert asyncio.run(nodes.kubelets_pods(lab(machines=Machines(done)), WORKER)) == pods


def test_an_engine_that_is_not_there_is_no_failure_of_the_candidates() -> None:
    away = Machines(Completed(1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock"))
    with pytest.raises(LabError, match="can't be reached"):
        asyncio.run(nodes.must_answer(lab(Objects(DOWN), away)))


def test_an_api_server_that_does_not_answer_is_the_candidates() -> None:
    asyncio.run(nodes.must_answer(lab()))
    with pytest.raises(Failure) as failed:
        asyncio.run(nodes.must_answer(lab(Objects(DOWN))))
    assert "does not answer" in failed.value.seen


@pytest.mark.parametrize(
    ("lease", "conditions", "said"),
    [
        ("2026-11-28T10:00:05.000000Z", [READY], ""),
        ("2026-11-28T10:00:03.000000Z", [READY], "heard of last at 10:00:03"),
        ("2026-11-28T10:00:05.000000Z", [{"type": "Ready", "status": "Unknown"}], "Ready is Unknown"),
        ("", None, "there is no Node w"),
    ],
)
def test_a_node_lives_if_its_kubelet_was_heard_of(lease: str, conditions: Any, said: str) -> None:
    node = {"status": {"conditions": conditions}} if conditions else None
    objects = Objects(Node=node, Lease={"spec": {"renewTime": lease}} if lease else None)
    after = "2026-11-28T10:00:04.000000Z"
    seen = asyncio.run(nodes.speaks_again(lab(objects), WORKER, after=after, within=1))
    assert seen.ok is not bool(said)
    assert said in seen.seen


def deployment(wants: int) -> Any:
    status = {"replicas": wants, "updatedReplicas": wants, "availableReplicas": wants, "observedGeneration": 1}
    return {"metadata": {"name": "web", "generation": 1}, "spec": {"replicas": wants}, "status": status}


def pod(uid: str, ready: bool = True) -> Any:
    return {"metadata": {"name": uid, "uid": uid}, "status": {"conditions": [READY] if ready else []}}


@pytest.mark.parametrize(
    ("wants", "pods", "said"),
    [
        (2, [pod("a"), pod("b")], ""),
        (1, [pod("a")], "1"),
        (2, [pod("a"), pod("killed")], "2 of 2"),
        (2, [pod("a"), pod("b"), pod("c", ready=False)], "2 of 3 pods are ready"),
        (2, [pod("a")], "1 of 1"),
        (None, [], "Deployments here: none"),
    ],
)
def test_a_deployment_is_whole_with_pods_that_are_there_now(
    monkeypatch: pytest.MonkeyPatch, wants: int | None, pods: list[Any], said: str
) -> None:
    async def found(*given: Any, **more: Any) -> Any:
        return pods

    async def rolled_out(*given: Any, **more: Any) -> Observation:
        return Observation(True, "rolled out", "rolled out")

    monkeypatch.setattr(nodes.deployments, "owned_pods", found)
    monkeypatch.setattr(nodes.deployments, "rolled_out", rolled_out)
    objects = Objects(Deployment=deployment(wants) if wants else None)
    whole = nodes.must_be_whole(lab(objects), "web", pods=2, within=1, why="because", without="killed")
    if not said:
        assert asyncio.run(whole) == pods
        return
    with pytest.raises(Failure) as failed:
        asyncio.run(whole)
    assert said in failed.value.seen


def test_this_moment_is_written_as_leases_have_it() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", nodes.now())


def test_a_namespace_that_takes_no_pods_is_a_failure() -> None:
    from mlops_lab.kube.errors import NotFound

    gone = NotFound("Pod trial: namespaces 'x' not found", "create it first")
    for look in (nodes.takes_a_pod, nodes.stays_away):
        seen = asyncio.run(look(lab(Objects(gone)), WORKER, within=1))
        assert not seen.ok
        assert "not found" in seen.seen


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        (None, "gone"),
        ({"spec": {"nodeName": "w"}, "status": {"phase": "Running"}}, "Running on w"),
        ({"spec": {}, "status": {"phase": "Pending"}}, "Pending, not looked at by a scheduler"),
        ({"spec": {}, "status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "reason": "Unschedulable", "message": "0/2 nodes"}]}}, "Pending, 0/2 nodes"),
    ],
)  # fmt: skip
def test_where_a_pod_is_said(pod: Any, said: str) -> None:
    assert said in nodes.placed(pod)


class Cluster:
    """An API server that answers once a file is there."""

    def __init__(self, mended: Path) -> None:
        self.mended = mended
        self.context, self.kubeconfig = "kind-other", None

    def find(self, kind: str, name: str, *where: Any) -> Any:
        if not self.mended.exists():
            raise DOWN
        return None


@pytest.fixture
def rendered(tmp_path: Path) -> Rendered:
    folder = made_up_task(tmp_path / "exam", "good", {"cka": "storage"})
    (folder / "setup/undo.sh").write_text('test -f "$MEND/worker.sh" && touch mended\n')
    (folder / "setup/outside.txt").unlink()
    return render(named("good", tmp_path / "exam"), 3, "exam-1", tmp_path / "rendered")


def test_a_set_up_that_broke_the_api_server_is_taken_back(rendered: Rendered, tmp_path: Path) -> None:
    workspace = tmp_path / "work"
    kube: Any = Cluster(workspace / "mended")
    with pytest.raises(Unreachable):  # it was never made
        standing.remove(Place(kube, "", breakable=True), rendered, workspace)
    workspace.mkdir()
    with pytest.raises(Unreachable):  # nobody may break this one
        standing.remove(Place(kube, ""), rendered, workspace)
    standing.remove(Place(kube, "", breakable=True), rendered, workspace)
    assert kube.mended.exists()
    kube.mended.unlink()
    kube.mended = tmp_path  # there: it answers, and has no such namespace
    standing.remove(Place(kube, "", breakable=True), rendered, workspace)
    assert not (workspace / "mended").exists(), "there was nothing to take back"


def test_who_deletes_the_namespace_has_its_nodes_mended_all_the_same(rendered: Rendered, tmp_path: Path) -> None:
    workspace = tmp_path / "work"
    workspace.mkdir()
    kube: Any = Cluster(tmp_path)  # it answers, and has no such namespace
    standing.remove(Place(kube, "", breakable=True), rendered, workspace, stood=True)
    assert (workspace / "mended").exists()


@pytest.mark.parametrize(("breakable", "there"), [(True, True), (False, None)])
def test_a_task_is_there_while_nobody_can_say_that_it_is_not(
    rendered: Rendered, tmp_path: Path, breakable: bool, there: bool | None
) -> None:
    clusters = Clusters()
    clusters._places = {
        rendered.task.about.cluster: Place(cast(Any, Cluster(tmp_path / "none")), "", breakable=breakable)
    }
    if there is None:
        with pytest.raises(Unreachable):
            clusters.there(rendered)
        return
    assert clusters.there(rendered) is True
    clusters._places = {rendered.task.about.cluster: Place(cast(Any, Cluster(tmp_path)), "", breakable=True)}
    assert clusters.there(rendered) is False


class Kubelets:
    """A cluster whose kubelets don't say what they use."""

    def list(self, *given: Any) -> Any:
        raise DOWN


def test_nodes_that_say_nothing_are_no_excuse(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def why(self: Any, windows: Any, *, programs: bool) -> str:
        asked.append("why")
        if len(asked) > 1:
            raise DOWN
        return "the machine could give 10 %"

    monkeypatch.setattr(running.Starvation, "why", why)
    watch = running.Watch(cast(Any, Kubelets()), "space")
    assert watch.why([(0.0, 1.0)], programs=False) == ""
    assert not asked, "the kubelets were not waited for"
    monkeypatch.setattr(watch, "read", lambda: "something")
    assert watch.why([(0.0, 1.0)], programs=False) == "the machine could give 10 %"
    assert watch.why([(0.0, 1.0)], programs=False) == "", "they have fallen silent meanwhile"


def test_only_where_nodes_may_be_broken_is_the_machine_watched_so(
    rendered: Rendered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches: list[Any] = []
    monkeypatch.setattr(running.running, "run", lambda lab, checks, **more: watches.append(type(lab.machine)) or [])
    for breakable in (True, False):
        running.check(Place(cast(Any, None), "", breakable=breakable), rendered, [], tmp_path)
    assert watches == [running.Watch, running.Starvation]


def test_what_is_left_is_seen_before_the_set_up_breaks_the_api_server(
    rendered: Rendered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(proof, "cache", lambda: tmp_path)
    monkeypatch.setattr(standing, "remove", lambda *given: done.append("removed"))
    monkeypatch.setattr(standing, "begin", lambda *given: done.append("begun"))
    monkeypatch.setattr(proof.TaskStage, "_there", lambda stage: [f"seen after {done[-1]}"])
    for breakable, seen in ((True, "seen after removed"), (False, "seen after begun")):
        stage = proof.TaskStage(rendered.task, Place(cast(Any, None), "", breakable=breakable), 5)
        stage.reset()
        assert stage.objects() == [seen]


def test_scripts_that_mend_nodes_are_shell() -> None:
    files = sorted(script._MEND.glob("*.sh"))
    assert [file.name for file in files] == ["control-plane.sh", "worker.sh"]
    for file in files:
        subprocess.run(["bash", "-n", file], check=True)
