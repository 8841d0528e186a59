"""Labs that break nodes: on a cluster of their own, broken once, made anew by a reset and gone at the end."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.paths import project
from mlops_lab.checks.check import Check
from mlops_lab.checks.lab import Lab
from mlops_lab.checks.verdicts import Verdict
from mlops_lab.cluster import holder
from mlops_lab.cluster.holder import Holder
from mlops_lab.cluster.record import Cluster
from mlops_lab.cluster.second import Second
from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import Refused, Unreachable
from mlops_lab.labs.catalog import Exercise, about, exercises
from mlops_lab.labs.target import Target
from mlops_lab.labs.variants import solutions
from mlops_lab.learner import lifecycle
from mlops_lab.learner.records import Records
from mlops_lab.proof import nodes_stage
from mlops_lab.proof import stage as stages
from mlops_lab.tasks import grounds
from mlops_lab.tasks.lab import TaskLab
from tests.command import lab

CONTROL, WORKER = "mlops-lab-exam-control-plane", "mlops-lab-exam-worker"
DOWN = Unreachable("the API server does not answer", "lab status")
REFUSED = Refused("Namespace lab-30: etcdserver: request timed out", "try again", 500)
READY = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}, "metadata": {"name": CONTROL}, "spec": {}}
ABOUT = 'title = "a"\nlevel = "E"\nminutes = 1\nsummary = "b"\nneeds = ["cluster"]\n'
LEARNER = Holder("lab 30", "end it: lab reset 30 --end")


class ApiServer:
    """Namespaces of one cluster, until it is gone."""

    context = "kind-mlops-lab-exam"

    def __init__(self, file: Path) -> None:
        self.kubeconfig, self.objects, self.seeded = file, {("Node", CONTROL): READY}, 0
        self.down: LabError | None = None
        part = {"name": self.context, "cluster": {}, "user": {}, "context": {"cluster": self.context}}
        part["context"] = {"cluster": self.context, "user": self.context}
        file.write_text(yaml.safe_dump({"clusters": [part], "users": [part], "contexts": [part]}))

    def find(self, kind: str, name: str, namespace: str | None = None) -> Any:
        if self.down:
            raise self.down
        return self.objects.get((kind, name))

    def list(self, kind: str) -> list[Any]:
        if self.down:
            raise self.down
        return [item for (each, _), item in self.objects.items() if each == kind]

    def apply(self, objects: list[dict[str, Any]], namespace: str | None = None) -> None:
        for item in objects:
            self.objects.setdefault((item["kind"], item["metadata"]["name"]), item)
            self.seeded += item["kind"] == "Pod"

    def wait(self, *given: Any, **more: Any) -> tuple[Any, Any]:
        return True, {}

    def patch(self, kind: str, name: str, change: dict[str, Any], namespace: str | None = None) -> None:
        self.objects[kind, name]["metadata"].update(change["metadata"])


class World:
    """The second cluster: who has it, and each one's API server."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.holder: Holder | None = None
        self.told: list[str] = []
        self.made: list[ApiServer] = []
        self.stopped: list[str] = []
        self.size = "default"

    @property
    def kube(self) -> ApiServer:
        return self.made[-1]

    def up(self, progress: Any, *, holder: Holder) -> Second:
        if self.holder is None:
            self.holder = holder
            self.made.append(ApiServer(self.folder / f"config-{len(self.made)}"))
            self.told.append(f"up {holder.name}")
        if self.holder != holder:
            raise LabError(f"the second cluster is in use by {self.holder.name}", self.holder.ends)
        self.stopped = []
        return Second(self.kube.kubeconfig, "kind-mlops-lab-exam", (CONTROL, WORKER))

    def down(self, progress: Any, holder: Holder | None = None) -> bool:
        if self.holder is None or holder != self.holder:
            return False
        self.told.append(f"down {holder.name}")
        self.holder = None
        return True

    def found(self, holder: Holder) -> Second | None:
        stopped, found = self.stopped, self.up(None, holder=holder) if self.holder == holder else None
        self.stopped = stopped
        return found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    for name in ("up", "down", "found"):
        monkeypatch.setattr(grounds.second, name, getattr(world, name))
    monkeypatch.setattr(grounds.second, "stopped", lambda: world.stopped)
    monkeypatch.setattr(grounds, "connect", lambda context, file, timeout: world.kube)
    monkeypatch.setattr(grounds.shell, "environment", dict)
    monkeypatch.setattr(grounds.record, "current", lambda: Cluster("kind-mlops-lab", "localhost:5001", world.size))
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLOPS_LAB_WORKSPACE", str(tmp_path / "work"))
    return world


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    folder = tmp_path / "30-nodes"
    for name in ("start", "setup", "solution/mended"):
        (folder / name).mkdir(parents=True)
    (folder / "lab.toml").write_text(f'{ABOUT}cluster = "nodes"\n')
    (folder / "start/seed.yaml").write_text("kind: Pod\napiVersion: v1\nmetadata: {name: x}\n")
    (folder / "start/notes.txt").write_text("given\n")
    (folder / "setup/setup.sh").write_text("echo broken >>broken\ntest ! -f fails\n")
    (folder / "solution/mended/answer.sh").write_text("echo mended >mended\n")
    return Exercise(folder, "30", "nodes")


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "records.sqlite")


def start(exercise: Exercise, records: Records) -> lifecycle.Begun:
    return lifecycle.start(grounds.make(exercise), exercise, records)


def test_a_lab_stands_on_the_main_cluster_unless_it_says_so(exercise: Exercise) -> None:
    assert about(exercise).cluster == "nodes"
    (exercise.folder / "lab.toml").write_text(f'{ABOUT}cluster = "nodse"\n')
    with pytest.raises(UsageError, match=r"lab\.toml:6: field cluster: Invalid enum value 'nodse'"):
        about(exercise)
    (exercise.folder / "lab.toml").write_text(ABOUT)
    assert about(exercise).cluster == "main"


def test_a_lab_of_the_main_cluster_is_as_ever(
    exercise: Exercise, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (exercise.folder / "lab.toml").write_text(ABOUT)
    main = Target(cast(Kube, SimpleNamespace(context="main")), "r")
    monkeypatch.setattr("mlops_lab.labs.target.target", lambda timeout=10: main)
    assert grounds.find(exercise) is grounds.make(exercise) is main
    assert not grounds.of_its_own(main)
    assert grounds.nodes(main) == ()
    assert not grounds.is_set_up(main, "lab-30")
    grounds.set_up(main, exercise, "lab-30", Path("nowhere"))
    assert type(grounds.lab_object(main, exercise, "lab-30", Path("nowhere"))) is Lab
    assert grounds.environment(exercise) == {}
    assert isinstance(nodes_stage.live(exercise, []), stages.LiveStage)
    assert world.told == []


def test_a_start_makes_the_cluster_and_breaks_its_nodes_once(
    exercise: Exercise, records: Records, world: World
) -> None:
    with pytest.raises(UsageError, match="lab 30-nodes is not started: it has a cluster of its own"):
        grounds.find(exercise)
    begun = start(exercise, records)
    assert (begun.nodes, begun.seeded, world.told) == ((CONTROL, WORKER), 1, ["up lab 30"])
    folder = begun.files.folder
    assert (folder / "broken").read_text() == "broken\n"
    again = start(exercise, records)
    assert (folder / "broken").read_text() == "broken\n", "what the learner has mended stays so"
    assert (again.seeded, world.kube.seeded, world.told) == (0, 1, ["up lab 30"])
    assert lifecycle.begun(grounds.find(exercise), exercise) == folder


def test_a_set_up_that_failed_begins_again(exercise: Exercise, records: Records, world: World) -> None:
    folder = lifecycle.folder_of(exercise)
    folder.mkdir(parents=True)
    (folder / "fails").touch()
    with pytest.raises(LabError, match="exit code 1"):
        start(exercise, records)
    (folder / "fails").unlink()
    start(exercise, records)
    assert (folder / "broken").read_text() == "broken\nbroken\n"


def test_a_reset_makes_the_cluster_anew(exercise: Exercise, records: Records, world: World) -> None:
    folder = start(exercise, records).files.folder
    said: list[str] = []
    lifecycle.reset(grounds.make(exercise), exercise, records, said.append)
    assert world.told == ["up lab 30", "down lab 30", "up lab 30"]
    assert [line.rpartition(" ")[0] for line in said] == ["Your files are backed up in"]
    assert (folder / "broken").read_text() == "broken\n"


@pytest.mark.parametrize("how", [DOWN, REFUSED])
def test_a_reset_needs_no_api_server_that_works(
    exercise: Exercise, records: Records, world: World, how: LabError
) -> None:
    start(exercise, records)
    world.kube.down = how
    lifecycle.reset(grounds.make(exercise), exercise, records, print)
    assert world.told[1:] == ["down lab 30", "up lab 30"]


def test_a_reset_of_what_was_not_started_makes_one_cluster(exercise: Exercise, records: Records, world: World) -> None:
    lifecycle.reset(grounds.make(exercise), exercise, records, print)
    assert world.told == ["up lab 30"]


def test_the_end_takes_the_cluster_away(exercise: Exercise, records: Records, world: World) -> None:
    folder = start(exercise, records).files.folder
    said: list[str] = []
    lifecycle.end(grounds.find(exercise), exercise, said.append)
    assert [line.rpartition(" ")[0] for line in said] == ["Your files are backed up in"]
    assert not (folder / "notes.txt").exists()
    assert world.told == ["up lab 30", "down lab 30"]


def test_the_end_needs_no_nodes_that_run(
    exercise: Exercise, records: Records, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_LAB_LABS", str(exercise.folder.parent))
    start(exercise, records)
    world.stopped, world.kube.down = [CONTROL, WORKER], DOWN
    assert lab("reset", "30", "--end") == 0
    assert world.told == ["up lab 30", "down lab 30"]


def test_a_lab_whose_engine_was_stopped_was_started(
    exercise: Exercise, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").touch()
    holder.note(LEARNER)
    monkeypatch.setattr(grounds.second, "kubeconfig_file", lambda: tmp_path / "config")
    monkeypatch.setattr(grounds.second, "found", lambda _: None)
    monkeypatch.setattr(grounds, "answering", lambda: None)
    with pytest.raises(LabError, match="engine that runs lab 30's own cluster does not answer") as error:
        grounds.find(exercise)
    assert error.value.hint == "start it: lab start 30"
    holder.note(holder.EXAM)
    with pytest.raises(UsageError, match="is not started"):
        grounds.find(exercise)


def test_nobody_gets_a_cluster_that_another_has(exercise: Exercise, records: Records, world: World) -> None:
    world.up(None, holder=Holder("an exam", "end it: lab exam submit, or lab exam stop"))
    with pytest.raises(LabError, match="in use by an exam"):
        grounds.make(exercise)
    with pytest.raises(UsageError, match="is not started"):
        grounds.find(exercise)
    assert grounds.remove(exercise) is False


def test_beside_a_users_own_cluster_there_is_none(exercise: Exercise, world: World) -> None:
    world.size = ""
    with pytest.raises(LabError, match="lab 30 needs a cluster of its own beside one that `lab up` created"):
        grounds.make(exercise)
    assert world.told == []


def test_stopped_nodes_are_no_failure_of_the_learners(exercise: Exercise, records: Records, world: World) -> None:
    start(exercise, records)
    target = grounds.find(exercise)
    look = grounds.probe(target, exercise, "lab-30")
    assert look() == []
    world.stopped = [WORKER]
    assert look() == [f"nodes are stopped: {WORKER}; lab start 30 starts them"]
    with pytest.raises(LabError, match=f"nodes of lab 30's own cluster are stopped: {WORKER}") as error:
        grounds.find(exercise)
    assert error.value.hint == "start them: lab start 30"


@pytest.mark.parametrize("how", ["no answer", "refusal", "not ready", "gone"])
def test_a_control_plane_that_is_not_well_is_none_either(
    exercise: Exercise, records: Records, world: World, how: str
) -> None:
    start(exercise, records)
    look = grounds.probe(grounds.find(exercise), exercise, "lab-30")
    world.kube.down = {"no answer": DOWN, "refusal": REFUSED}.get(how)
    world.kube.objects["Node", CONTROL] = {"metadata": {"name": CONTROL}, "spec": {}} if how == "not ready" else READY
    if how == "gone":
        del world.kube.objects["Node", CONTROL]
    (said,) = look()
    assert said.endswith("lab reset 30 makes the cluster anew")


def test_a_cordon_that_a_killed_checker_left_is_lifted(
    exercise: Exercise, records: Records, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(grounds, "abandoned", lambda kube, nodes: [each["metadata"]["name"] for each in nodes])
    monkeypatch.setattr(grounds, "uncordon", lambda kube, name, within: opened.append(name))
    start(exercise, records)
    assert grounds.probe(grounds.find(exercise), exercise, "lab-30")() == []
    assert opened == [CONTROL]


def test_checks_get_the_nodes_as_machines(
    exercise: Exercise, records: Records, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(exercise, records)
    lab = grounds.lab_object(grounds.find(exercise), exercise, "lab-30", Path("work"), "some_check")
    assert isinstance(lab, TaskLab)
    assert (lab.namespace, lab.mistake, lab.machines.names) == ("lab-30", "some_check", [CONTROL, WORKER])
    assert lab.elsewhere("kube-system")._kube is world.kube


@pytest.mark.parametrize("how", [DOWN, REFUSED])
def test_a_shell_opens_though_the_api_server_is_what_is_broken(
    exercise: Exercise, records: Records, world: World, how: LabError
) -> None:
    folder = start(exercise, records).files.folder
    target = grounds.find(exercise)
    assert lifecycle.workspace(target, exercise) == folder
    world.kube.down = how
    assert lifecycle.workspace(target, exercise) == folder
    with pytest.raises(type(how)):
        lifecycle.workspace(Target(target.kube, "r"), exercise)


def test_a_proof_has_a_cluster_of_its_own_made_anew_for_each_step(
    exercise: Exercise, records: Records, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("mlops_lab.labs.target.target", lambda timeout=10: Target(cast(Kube, None), "r"))
    monkeypatch.setattr("mlops_lab.labs.images.bring", lambda names: None)
    stage = nodes_stage.live(exercise, [])
    stage.fresh()
    assert stage.workspace.joinpath("broken").read_text() == "broken\n"
    (way,) = solutions(exercise)
    stage.work(way)
    assert stage.workspace.joinpath("mended").exists()
    assert not stage.workspace.joinpath("notes.txt").exists(), "a variant is laid out in an empty folder"
    stage.reset()
    assert not stage.workspace.joinpath("mended").exists()
    assert stage.healthy(0) == []
    with pytest.raises(LabError, match="in use by `lab verify 30`"):
        grounds.make(exercise)
    stage.clear()
    assert world.told == [f"{way} `lab verify 30`" for way in ("up", "down", "up", "down")]
    assert not stage.workspace.exists()


def test_what_each_cluster_names_anew_is_not_left_behind(
    exercise: Exercise, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_lab.labs.target.target", lambda timeout=10: Target(cast(Kube, None), "r"))
    there = ["clustertrustbundles/kubernetes.io:kube-apiserver-serving:3cfd5eec", "clustertrustbundles/team", "nodes/x"]
    monkeypatch.setattr(stages.LiveStage, "objects", lambda _: there)
    assert nodes_stage.live(exercise, []).objects() == there[1:]


def test_an_outage_is_of_the_labs_own_control_plane(
    exercise: Exercise, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_lab.labs.target.target", lambda timeout=10: Target(cast(Kube, None), "r", "main"))
    monkeypatch.setattr("mlops_lab.measure.cluster.starvation.Starvation.read", lambda self: None)

    async def one(lab: Any) -> None:
        assert lab.machines.names == [CONTROL, WORKER]

    stage = nodes_stage.live(exercise, [Check("one", "One.", one, 1)])
    stage.fresh()
    paused: list[str] = []

    class Paused:
        def __init__(self, name: str, engine: str) -> None:
            paused.append(name)

        def __enter__(self) -> None: ...

        def __exit__(self, *given: Any) -> None: ...

    monkeypatch.setattr(stages, "paused_api_server", Paused)
    assert [each.verdict for each in stage.checked_in_outage(begun=False)] == [Verdict.PASS]
    assert paused == [CONTROL]


def test_labs_of_the_project_that_break_nodes_are_whole() -> None:
    for each in exercises(project() / "labs"):
        own = about(each).cluster == "nodes"
        script = each.folder / "setup/setup.sh"
        assert script.is_file() is own, each.slug
        if own:
            subprocess.run(["bash", "-n", script], check=True)
