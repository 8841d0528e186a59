"""The second cluster: made beside the first, made anew when half made, left as it is when somebody broke it."""

from __future__ import annotations

import datetime
import io
import itertools
import json
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import cache
from mlops_lab.base.processes import Completed, TimedOut
from mlops_lab.base.progress import Progress
from mlops_lab.cluster import down, health, holder, kind, names, record, second, status, up
from mlops_lab.cluster.holder import EXAM, Holder
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.record import Cluster
from mlops_lab.engine.docker import Docker
from mlops_lab.images.recipes import exam_node, node
from mlops_lab.images.sources import Sources
from mlops_lab.images.steps import Step

FIRST = "mlops-lab-control-plane"
NODES = ("mlops-lab-exam-control-plane", "mlops-lab-exam-worker")


def packed(archive: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return opened.getnames()


class Engine(Docker):
    """Containers by name, and the commands that were given; free memory and disk as a node tells them."""

    def __init__(self) -> None:
        super().__init__({"ServerVersion": "28", "CgroupVersion": "2", "Architecture": "x86_64"})
        vars(self).update(containers={}, images={"node:1"}, told=[], free=9_000_000, disk=90 * 10**9, editors=True)
        vars(self).update(dropped=False)  # what the package manager sends
        vars(self).update(slow=0, frozen=False)  # removals until a container's end is seen, or until it is thawed

    def add(self, cluster: str, *roles: str, mounts: tuple[str, ...] = (), running: bool = True) -> None:
        for role in roles:
            places = [{"Source": f"{cache()}/node-registries", "Destination": each} for each in mounts]
            self.containers[f"{cluster}-{role}"] = {
                "Name": f"/{cluster}-{role}", "Mounts": places, "Config": {"Image": "node:1"}, "cluster": cluster,
                "State": {"Running": running}, "NetworkSettings": {"Networks": {"kind": {"IPAddress": "172.18.0.9"}}},
            }  # fmt: skip

    def run(self, *args: str | Path, stdin: Any = None, check: bool = True, **_: Any) -> Completed:
        words = [str(each) for each in args]
        self.told.append(" ".join([*words, str(packed(stdin))] if words[:2] == ["cp", "-"] else words))
        code, said = 0, ""
        if words[0] == "ps":
            label = next(word for word in words if word.startswith("label=")).split("=")
            wanted = label[2] if len(label) > 2 else None
            said = "\n".join(n for n, each in self.containers.items() if wanted in (None, each["cluster"]))
        elif words[:2] == ["inspect", "--format"]:
            said = f"id-of-{words[3]}"
        elif words[0] == "inspect":
            said = json.dumps([self.containers[name] for name in words[1:]])
        elif words[1] == "inspect":  # an image; nothing else is there
            there = words[2] in self.images
            return Completed(0, '[{"Id": "1"}]', "") if there else Completed(1, "[]", f"Error: No such {words[0]}")
        elif words[0] == "rm" and (self.slow or self.frozen):
            vars(self)["slow"] = max(0, self.slow - 1)
            if check:
                raise LabError("docker failed with exit code 1", "try again")
            return Completed(1, words[3], "cannot remove - tried to kill container, but did not receive an exit event")
        elif words[:2] == ["run", "--rm"]:
            vars(self)["frozen"] = False
        elif words[0] == "rm":
            for name in words[3:]:
                del self.containers[name]
        elif words[0] == "start":
            self.containers[words[1]]["State"]["Running"] = True
        elif words[0] == "exec" and "meminfo" in words[-1]:
            said = f"MemTotal: 99 kB\nMemAvailable:   {self.free} kB\n"
        elif words[0] == "exec" and words[2] == "df":
            said = f"Avail\n{self.disk}\n"
        elif words[0] == "exec" and "apt-get" in words[-1]:
            code = int(not self.editors)
            if self.dropped:
                raise TimedOut("docker did not end within 120 s", "try again")
        return Completed(code, said, "")

    def names(self) -> list[str]:
        return sorted(self.containers)


class Asked(Kubectl):
    """An API server that answers with the objects that a test wants."""

    items: list[dict[str, Any]]
    silent = 0

    def run(self, *args: str, **_: Any) -> Completed:
        if type(self).silent:
            type(self).silent -= 1
            raise LabError("kubectl did not end within 15 s", "")
        return Completed(0, json.dumps({"items": type(self).items}), "")


def objects(*unready: str) -> list[dict[str, Any]]:
    stamp = datetime.datetime.fromtimestamp(4e9, datetime.UTC).isoformat()
    found: list[dict[str, Any]] = []
    for name in NODES:
        status = {"conditions": [{"type": "Ready", "status": "False" if name in unready else "True"}]}
        spec = {"podCIDR": f"10.244.{len(found)}.0/24"}
        found.append({"kind": "Node", "metadata": {"name": name, "namespace": ""}, "spec": spec, "status": status})
        found.append({"kind": "Lease", "metadata": {"name": name}, "spec": {"renewTime": stamp}})
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1,
              "availableReplicas": int("coredns" not in unready)}  # fmt: skip
    meta = {"name": "coredns", "namespace": "kube-system", "generation": 1}
    return [*found, {"kind": "Deployment", "metadata": meta, "spec": {"replicas": 1}, "status": status}]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    """The first cluster is up; kind makes containers as its configuration says."""
    for name, value in {"MLOPS_LAB_HOME": "home", "KUBECONFIG": "kubeconfig"}.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.delenv("MLOPS_LAB_CLUSTER", raising=False)
    engine = Engine()
    engine.add("mlops-lab", "control-plane", mounts=("/etc/containerd/certs.d",))
    record.remember(Cluster("kind-mlops-lab", "localhost:5001", "small", "node:1"))
    tools = tmp_path / "tools"
    tools.mkdir()
    with tarfile.open(tools / "root.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("usr/local/bin/crictl"))

    def create(words: list[Any], **_: Any) -> None:
        given = dict(zip(words[3::2], words[4::2], strict=True))
        wanted = yaml.safe_load(Path(given["--config"]).read_text())
        engine.told.append(f"kind create {given['--name']} {given['--image']}")
        for each in wanted["nodes"]:
            places = tuple(mount["containerPath"] for mount in each["extraMounts"])
            engine.add(given["--name"], each["role"], mounts=places)
        Path(given["--kubeconfig"]).write_text(f"current-context: kind-{given['--name']}\n")

    brought: list[tuple[list[str], tuple[Any, ...]]] = []

    def bring(wanted: list[str], *given: Any) -> dict[str, Any]:
        brought.append((wanted, given[-1]))
        return {name: SimpleNamespace(ref="node:built") for name in wanted}

    Asked.items = objects()
    engine.told.clear()
    vars(engine)["brought"] = brought
    monkeypatch.setattr(kind, "run", create)
    monkeypatch.setattr(second, "bring", bring)
    monkeypatch.setattr(second.start, "ensure", lambda say: engine)
    monkeypatch.setattr(second, "answering", lambda: engine)
    monkeypatch.setattr(down, "answering", lambda: engine)
    monkeypatch.setattr(second.kind_program, "on_path", lambda: Path("kind"))
    monkeypatch.setattr(second.Store, "current", lambda _, name: tools)
    monkeypatch.setattr(second, "Kubectl", Asked)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return engine


def test_it_is_made_beside_the_first_and_found_again(engine: Engine) -> None:
    assert second.found() is None
    made = second.up(Progress())
    assert made == second.Second(second.kubeconfig_file(), "kind-mlops-lab-exam", NODES)
    assert engine.names() == sorted([FIRST, *NODES])
    assert made.kubeconfig.read_text() == "current-context: kind-mlops-lab-exam\n"
    assert made.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert (made.kubectl().context, made.kubectl().kubeconfig) == (made.context, str(made.kubeconfig))
    assert second.found() == made
    assert "kind create mlops-lab-exam node:1" in engine.told, "the first cluster's image"
    assert [wanted for wanted, _ in engine.brought] == [[]]
    engine.told.clear()
    assert second.up(Progress()) == made
    assert not any(line.startswith(("kind", "cp", "start", "rm")) for line in engine.told)


def test_its_nodes_get_programs_and_kubectl_a_kubeconfig(engine: Engine) -> None:
    second.up(Progress())
    for name in NODES:
        assert f"cp - {name}:/ ['usr/local/bin/crictl']" in engine.told
    links = [line for line in engine.told if "/root/.kube/config" in line]
    assert [line.split()[1] for line in links] == [NODES[0]], (
        "a worker has no administrator's kubeconfig, as in the exam"
    )


@pytest.mark.parametrize("how", [{"editors": False}, {"dropped": True}])
def test_a_node_without_an_editor_is_told_of_and_nothing_more(
    how: dict[str, bool], engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    vars(engine).update(how)
    assert second.up(Progress()).nodes == NODES
    assert capfd.readouterr().err.count("there is no editor on") == 2
    (fetching, _) = (line.split()[2:] for line in engine.told if "apt-get" in line)
    assert fetching[:2] == ["timeout", "100"], "it ends in the node as well"


def test_the_users_kubeconfig_and_the_first_cluster_are_not_touched(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("current-context: mine\n")
    before = record.made()
    second.up(Progress())
    assert second.down(Progress()) is True
    assert (tmp_path / "kubeconfig").read_text() == "current-context: mine\n"
    assert not list(tmp_path.glob("kubeconfig.lock"))
    assert engine.names() == [FIRST]
    assert record.made() == before
    assert not second.kubeconfig_file().exists()
    assert second.down(Progress()) is False


def test_an_image_that_the_engine_has_no_more_is_brought(engine: Engine) -> None:
    engine.images.clear()
    second.up(Progress())
    assert engine.brought[0][0] == [node.NAME]
    assert "kind create mlops-lab-exam node:built" in engine.told
    assert exam_node.files in engine.brought[0][1]


@pytest.mark.parametrize("kubeconfig", [False, True])
def test_what_was_not_made_whole_is_made_anew(engine: Engine, kubeconfig: bool) -> None:
    marks = ("/etc/containerd/certs.d", kind._SECOND)
    engine.add("mlops-lab-exam", *(("control-plane",) if kubeconfig else ("control-plane", "worker")), mounts=marks)
    if kubeconfig:
        second.kubeconfig_file().write_text("whole")
    assert second.found() is None
    second.up(Progress())
    rm = next(line for line in engine.told if line.startswith("rm"))
    assert "mlops-lab-exam-control-plane" in rm and FIRST not in rm
    assert engine.names() == sorted([FIRST, *NODES])


def test_a_container_that_ends_slowly_is_removed_again(engine: Engine) -> None:
    second.up(Progress())
    vars(engine)["slow"] = 2
    assert second.remove(engine)
    assert engine.names() == [FIRST]
    assert not [line for line in engine.told if line.startswith("run")]


def test_a_pod_that_was_left_frozen_does_not_keep_its_node(engine: Engine) -> None:
    second.up(Progress())
    vars(engine).update(frozen=True, facts={**engine.facts, "CgroupVersion": "1"})
    assert second.remove(engine)
    assert engine.names() == [FIRST]
    thawed = [line for line in engine.told if line.startswith("run --rm --privileged")]
    assert [line.split()[-1] for line in thawed] == [f"id-of-{name}" for name in NODES]
    assert all("/sys/fs/cgroup/freezer:/freezer" in line and " node:1 " in line for line in thawed)


def test_what_docker_can_not_remove_is_said(engine: Engine) -> None:
    second.up(Progress())
    vars(engine)["frozen"] = True  # with control groups of version 2 there is nothing to thaw
    with pytest.raises(LabError, match="docker failed"):
        second.remove(engine)


def test_one_that_cannot_be_made_leaves_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0, 60)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    Asked.items = objects("mlops-lab-exam-worker", "coredns")
    with pytest.raises(LabError, match=r"1 of 2 nodes are Ready, deployment coredns is not available"):
        second.up(Progress())
    assert engine.names() == [FIRST]
    assert not list(second.kubeconfig_file().parent.glob("*exam*"))


@pytest.mark.parametrize("mounts", [(), ("/etc/containerd/certs.d",)])
def test_a_cluster_of_that_name_that_is_another_one_is_left_alone(engine: Engine, mounts: tuple[str, ...]) -> None:
    """Somebody's own, or a first cluster of ours that was called so with MLOPS_LAB_CLUSTER."""
    engine.add("mlops-lab-exam", "control-plane", mounts=mounts)
    with pytest.raises(LabError, match="'mlops-lab-exam' that `lab` did not create"):
        second.up(Progress())
    assert second.down(Progress()) is False
    assert engine.names() == sorted([FIRST, NODES[0]])


def test_a_first_cluster_takes_no_second_one_for_its_own(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    second.up(Progress())
    monkeypatch.setenv("MLOPS_LAB_CLUSTER", "mlops-lab-exam")
    with pytest.raises(LabError, match="did not create"):
        up._settled(engine, None, Progress())
    assert engine.names() == sorted([FIRST, *NODES])


def test_stopped_nodes_are_started_and_told_the_ways(engine: Engine) -> None:
    second.up(Progress())
    for name in NODES:
        engine.containers[name]["State"]["Running"] = False
    leaders = [{"kind": "Lease", "metadata": {"name": f"kube-{each}"}, "spec": {}}
               for each in ("scheduler", "controller-manager")]  # fmt: skip
    Asked.items = [*objects(), *leaders]
    Asked.silent = 2  # an API server that begins may take a connection and not answer
    engine.told.clear()
    assert second.found() is not None, "it is there, though it does not run"
    assert second.up(Progress()).nodes == NODES
    assert [line for line in engine.told if line.startswith("start")] == [f"start {name}" for name in NODES]
    assert sum("ip route replace" in line for line in engine.told) == 2


def test_what_somebody_broke_is_no_error_after_a_restart(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    second.up(Progress())
    Asked.items = objects("mlops-lab-exam-worker")
    second.up(Progress())  # it runs, so nobody asks how it is
    engine.containers[NODES[1]]["State"]["Running"] = False
    clock = itertools.count(0, 60)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    assert second.up(Progress()).nodes == NODES
    assert "1 of 2 nodes are Ready" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("free", "disk", "lacks"), [(1_000_000, 90 * 10**9, "memory"), (9_000_000, 10**9, "disk"), (9_000_000, 9**12, "")]
)
def test_without_room_nothing_is_begun(engine: Engine, free: int, disk: int, lacks: str) -> None:
    vars(engine).update(free=free, disk=disk)
    if not lacks:
        assert second.up(Progress())
        return
    with pytest.raises(LabError, match=rf"{lacks} for a second cluster: 1\.0 GB free; at least") as error:
        second.up(Progress())
    assert "\n" not in error.value.message and "lab reset" in error.value.hint
    assert engine.names() == [FIRST] and not engine.brought


def test_without_a_node_to_ask_this_host_tells_its_memory(engine: Engine) -> None:
    engine.containers.clear()
    assert 0 < health._free_memory(engine, "") <= 10**15
    assert not any("meminfo" in line for line in engine.told)


def test_the_first_clusters_end_is_the_seconds(engine: Engine) -> None:
    second.up(Progress())
    assert down.down(Progress())[:2] == ["cluster mlops-lab-exam", "cluster mlops-lab"]
    assert engine.names() == []


def test_the_first_clusters_end_waits_for_one_that_is_being_made(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be there afterwards, and nobody would say so."""
    begun, go_on, create = threading.Event(), threading.Event(), kind.run

    def slowly(words: list[Any], **more: Any) -> Any:
        begun.set()
        assert go_on.wait(10)
        return create(words, **more)

    class Telling(Progress):
        def say(self, text: str) -> None:
            go_on.set()

    monkeypatch.setattr(kind, "run", slowly)
    with ThreadPoolExecutor(2) as pool:
        making = pool.submit(second.up, Progress())
        assert begun.wait(10)
        ending = pool.submit(down.down, Telling())
        ending.add_done_callback(lambda _: go_on.set())
        making.result(20)
        removed = ending.result(20)
    assert engine.names() == []
    assert removed[:2] == ["cluster mlops-lab-exam", "cluster mlops-lab"]


def test_it_goes_by_the_first_ones_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAB_CLUSTER", "mine")
    assert (names.second(), names.context(names.second())) == ("mine-exam", "kind-mine-exam")


def test_of_debians_packages_a_node_gets_what_it_lacks_and_no_library() -> None:
    wanted = {
        "./usr/bin/vim.tiny": "usr/bin/vim.tiny",
        "./bin/nano": "usr/bin/nano",
        "usr/share/bash-completion/bash_completion": "usr/share/bash-completion/bash_completion",
    }
    left = ("./lib/x86_64-linux-gnu/libc.so.6", "usr/bin/dpkg", "./etc/passwd")
    source, target = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=source, mode="w") as archive:
        for name in (*wanted, *left):
            archive.addfile(tarfile.TarInfo(name))
    source.seek(0)
    with tarfile.open(fileobj=source) as taken, tarfile.open(fileobj=target, mode="w") as archive:
        exam_node._take(taken, archive)
    assert set(packed(target.getvalue())) == set(wanted.values())


@pytest.mark.parametrize(("mode", "editors"), [("build", True), ("pull", False)])
def test_editors_are_packed_only_where_nodes_are_built(mode: Any, editors: bool) -> None:
    step: Step = exam_node.files(Sources({}, mode, "amd64"))
    assert [each.name for each in step.needs] == ["go/exam-node", *(["debian/exam-node"] if editors else [])]


def test_one_at_a_time_has_it(engine: Engine) -> None:
    lab = Holder("lab 24", "end it: lab reset 24 --end")
    second.up(Progress(), holder=lab)
    assert holder.noted() == lab
    with pytest.raises(LabError, match="the second cluster is in use by lab 24") as error:
        second.up(Progress())
    assert error.value.hint == "end it: lab reset 24 --end; then try again"
    assert second.found(lab) == second.found() is not None
    assert second.found(EXAM) is None
    assert second.down(Progress(), EXAM) is False, "the end of an exam is not the lab's"
    assert second.up(Progress(), holder=lab).nodes == NODES
    assert second.down(Progress(), lab) is True
    assert holder.noted() == EXAM
    second.up(Progress())
    with pytest.raises(LabError, match="in use by an exam"):
        second.up(Progress(), holder=lab)


def test_who_has_one_that_was_not_made_whole_does_not_count(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Holder("lab 24", "end it: lab reset 24 --end")
    second.up(Progress(), holder=lab)
    second.kubeconfig_file().unlink()
    assert second.up(Progress()).nodes == NODES
    assert holder.noted() == EXAM


def test_the_state_says_who_has_it(engine: Engine) -> None:
    assert status._second(engine) == []
    second.up(Progress(), holder=Holder("lab 24", "end it: lab reset 24 --end"))
    (part,) = status._second(engine)
    assert (part.what, part.healthy) == ("second cluster", True)
    assert part.seen == "2 running, for lab 24; end it: lab reset 24 --end"
    engine.containers[NODES[1]]["State"]["Running"] = False
    assert status._second(engine)[0].seen.startswith(f"stopped: {NODES[1]}, for lab 24")
    assert second.stopped() == [NODES[1]]
