"""Up and down where something is not as usual: another home, another engine, another program's cluster, a lost context.

What may be deleted is decided here, so the engine is a list of containers that remembers what it was told.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import cache, state
from mlops_lab.base.processes import Completed
from mlops_lab.base.progress import Progress
from mlops_lab.cluster import addons, down, kind, kubeconfig, names, record, second, up
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.record import Cluster
from mlops_lab.engine.docker import Docker
from mlops_lab.platform import remove
from tests.command import lab

NODES = ("mlops-lab-control-plane", "mlops-lab-worker", "mlops-lab-worker2")
HOSTS = "/etc/containerd/certs.d"
ALICES = "/home/alice/.cache/mlops-lab/node-registries"
HASHED = "/run/desktop/mnt/host/wsl/docker-desktop-bind-mounts/Ubuntu/5ca1ab1e"

ADMIN = {
    "clusters": [{"name": "mlops-lab", "cluster": {"server": "https://mlops-lab-control-plane:6443",
                                                   "certificate-authority-data": "ca"}}],
    "users": [{"name": "kubernetes-admin", "user": {"client-key-data": "key"}}],
    "contexts": [{"name": "x", "context": {"cluster": "mlops-lab", "user": "kubernetes-admin"}}],
}  # fmt: skip


class Engine(Docker):
    """Containers by name, as `docker inspect` tells of them, and the commands that were given."""

    containers: dict[str, dict[str, Any]]
    told: list[str]

    def __init__(self) -> None:
        super().__init__({"ServerVersion": "28", "CgroupVersion": "2", "ID": "one", "Name": "docker-desktop"})
        vars(self).update(containers={}, told=[])

    def add(self, name: str, cluster: str = "mlops-lab", mounts: dict[str, str] | None = None, **state: Any) -> None:
        mounts = {HOSTS: f"{cache()}/node-registries"} if mounts is None else mounts
        self.containers[name] = {
            "Name": f"/{name}", "cluster": cluster, "Config": {"Image": "node:1"},
            "State": {"Running": True, "Paused": False} | state,
            "Mounts": [{"Source": source, "Destination": place} for place, source in mounts.items()],
            "NetworkSettings": {"Networks": {"kind": {"IPAddress": "172.18.0.2"}}},
        }  # fmt: skip

    def add_cluster(self) -> None:
        """A whole one, with its record."""
        for name in NODES:
            self.add(name)
        port = {"6443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "40001"}]}
        self.containers[NODES[0]]["HostConfig"] = {"PortBindings": port}
        record.remember(Cluster("kind-mlops-lab", "localhost:5001", "default"))

    def run(self, *args: str | Path, check: bool = True, **_: Any) -> Completed:
        words = [str(each) for each in args]
        self.told.append(" ".join(words))
        if words[0] == "ps":
            wanted = words[-1].partition("io.x-k8s.kind.cluster")[2].lstrip("=")
            found = [name for name, each in self.containers.items() if wanted in ("", each["cluster"])]
            return Completed(0, "\n".join(found), "")
        if words[0] == "inspect":
            return Completed(0, json.dumps([self.containers[name] for name in words[1:]]), "")
        if words[:2] == ["network", "inspect"]:
            return Completed(0, '[{"Name": "kind", "Containers": {}}]', "")  # those that stand still are not listed
        if words[1] == "inspect":
            return Completed(1, "[]\n", f"Error: No such {words[0]}: {words[2]}")
        if words[2:] == ["cat", "/etc/kubernetes/admin.conf"]:
            return Completed(0, yaml.safe_dump(ADMIN), "")
        for name in words[3:] if words[0] == "rm" else ():
            del self.containers[name]
        return Completed(0, "", "")

    def removed(self) -> list[str]:
        return [line for line in self.told if line.split()[0] == "rm" or line.startswith("network rm")]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("MLOPS_LAB_CLUSTER", raising=False)
    engine = Engine()
    for module in (down, remove, second):
        monkeypatch.setattr(module, "answering", lambda: engine)
    return engine


def marked(home: str, mark: str = "/kind/mlops-lab", source: str = HASHED) -> dict[str, str]:
    return {HOSTS: source, f"{mark}{home}": source}


@pytest.mark.parametrize("mounts", [{HOSTS: ALICES}, marked("/home/alice/.local/state/mlops-lab")])
def test_a_cluster_that_another_home_made_is_not_cleared_away(
    mounts: dict[str, str], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NODES:
        engine.add(name, mounts=mounts)
    with pytest.raises(LabError, match=r"another home, whose files are in /home/alice/.*; nothing was deleted") as said:
        up._settled(engine, None, Progress())
    assert "lab down --yes" in said.value.hint
    assert lab("down") == 3
    assert "another home" in capsys.readouterr().err
    assert not engine.removed()
    assert lab("down", "--yes") == 0
    assert not engine.containers


def test_a_second_cluster_that_another_home_made_is_not_cleared_away(engine: Engine) -> None:
    engine.add("mlops-lab-exam-worker", "mlops-lab-exam", marked("/home/alice/state", kind._SECOND))
    with pytest.raises(LabError, match="cluster mlops-lab-exam that was made with another home") as said:
        second._settled(engine, Progress())
    assert "kind delete cluster --name mlops-lab-exam" in said.value.hint and "lab down" not in said.value.hint
    assert second.down(Progress()) is False
    with pytest.raises(LabError, match="another home"):
        down.down(Progress())
    assert not engine.removed()


def test_what_this_home_did_not_finish_is_cleared_away(engine: Engine) -> None:
    (mount,) = kind.config(["worker"], (), 2, kind.registries())["nodes"][0]["extraMounts"][1:]
    engine.add(NODES[0], mounts={HOSTS: HASHED, mount["containerPath"]: HASHED})
    engine.add(NODES[1])
    assert up._settled(engine, None, Progress()) is None
    assert not engine.containers


def test_with_its_record_a_cluster_is_ours_wherever_its_cache_was(engine: Engine) -> None:
    record.remember(Cluster("kind-mlops-lab", "localhost:5001", "default"))
    for name in NODES:
        engine.add(name, mounts={HOSTS: ALICES})
    assert up._settled(engine, None, Progress()) == record.made()
    assert lab("down") == 0 and not engine.containers


@pytest.mark.parametrize("is_second", [False, True])
def test_an_engine_that_tells_another_source_of_what_is_mounted_has_our_nodes(is_second: bool, engine: Engine) -> None:
    mounts = kind.config(["worker"], (), 2, kind.registries(), is_second)["nodes"][0]["extraMounts"]
    engine.add("a", mounts={each["containerPath"]: HASHED for each in mounts})
    (item,) = engine.containers.values()
    assert kind._node(item, is_second).ours and not kind._node(item, is_second).elsewhere
    assert not kind._node(item, not is_second).ours
    assert str(state()) in mounts[1]["containerPath"]


@pytest.mark.parametrize(("theirs", "refused"), [("record", True), ("closed", True), ("moved", False)])
def test_a_record_of_an_earlier_cluster_makes_another_homes_no_own_one(
    theirs: str, refused: bool, engine: Engine, tmp_path: Path
) -> None:
    """It stands when another home has deleted that cluster and made one; a state folder that was moved has no other."""
    record.remember(Cluster("kind-mlops-lab", "localhost:5001", "default"))
    folder = tmp_path / "theirs/clusters"
    folder.parent.mkdir()
    if theirs == "closed":
        folder.symlink_to(folder)  # a loop: unlike permissions it holds for root, too
    elif theirs == "record":
        folder.mkdir()
        (folder / "kind-mlops-lab.json").touch()
    for name in NODES:
        engine.add(name, mounts=marked(str(folder.parent)))
    if not refused:
        assert up._settled(engine, None, Progress()) == record.made()
        assert lab("down") == 0 and not engine.containers
        return
    for act in (lambda: up._settled(engine, None, Progress()), lambda: down.down(Progress())):
        with pytest.raises(LabError, match=f"another home, whose files are in {folder.parent}; nothing was deleted"):
            act()
    assert not engine.removed()
    assert lab("down", "--yes") == 0 and not engine.containers


def test_a_record_of_an_earlier_second_cluster_makes_another_homes_no_own_one(engine: Engine, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs/clusters/kind-mlops-lab-exam.kubeconfig"
    for file in (theirs, second.kubeconfig_file()):
        file.parent.mkdir(parents=True)
        file.touch()
    for name in ("mlops-lab-exam-control-plane", "mlops-lab-exam-worker"):
        engine.add(name, "mlops-lab-exam", marked(str(tmp_path / "theirs"), kind._SECOND))
    assert second.found() is None
    assert second.down(Progress()) is False
    for act in (lambda: second._settled(engine, Progress()), lambda: down.down(Progress())):
        with pytest.raises(LabError, match="cluster mlops-lab-exam that was made with another home"):
            act()
    assert not engine.removed()
    theirs.unlink()
    assert second.found() and second.down(Progress()), "the state folder was moved"


def user(server: str) -> dict[str, Any]:
    """A kubeconfig of the user's with this project's context, copied from another machine."""
    cluster, context = {"server": server}, {"cluster": "theirs", "user": "theirs"}
    clusters, contexts = [{"name": "theirs", "cluster": cluster}], [{"name": names.context(), "context": context}]
    return {"clusters": clusters, "contexts": contexts, "current-context": "kind-mlops-lab"}


@pytest.mark.parametrize(
    ("before", "answers", "after"),
    [
        (None, False, "https://127.0.0.1:40001"),
        (user("https://127.0.0.1:39999"), False, "https://127.0.0.1:40001"),
        (user("https://tunnel:6443"), True, "https://tunnel:6443"),
    ],
    ids=["gone", "another machine's", "the user's own way"],
)
def test_a_context_that_the_kubeconfig_has_lost_is_put_back(
    before: dict[str, Any] | None, answers: bool, after: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.add_cluster()
    if before:
        kubeconfig.merge(before)
    monkeypatch.setattr(Kubectl, "answers", lambda self: answers)
    monkeypatch.setattr(up.start, "ensure", lambda say: engine)
    monkeypatch.setattr(up, "_images", lambda *_: {up.load.NAME: SimpleNamespace(key="k")})
    monkeypatch.setattr(up, "_serve", lambda *_: None)
    monkeypatch.setattr(up.addons, "lacking", lambda *_: [])
    led: list[str] = []
    monkeypatch.setattr(up, "_install", lambda *_, within: led.append(kubeconfig.server("kind-mlops-lab")))
    up.up(None, "auto", Progress())
    assert led == [after]
    whole = yaml.safe_load(kubeconfig.target().read_text())
    if not answers:
        (user,) = (each["user"] for each in whole["users"] if each["name"] == "kind-mlops-lab")
        assert user == {"client-key-data": "key"}
    assert kubeconfig.contexts() == ["kind-mlops-lab"]


def test_to_keep_data_of_what_is_not_known_deletes_nothing(engine: Engine) -> None:
    assert remove.delete(Progress(), keep_data=True, sure=True) == ([], ["network"]), "there is no cluster"
    engine.told.clear()
    engine.add(NODES[0])
    for sure in (True, False):
        with pytest.raises(LabError, match="its data can't be kept; nothing was deleted"):
            remove.delete(Progress(), keep_data=True, sure=sure)
    assert not engine.removed()


def test_no_part_is_stopped_to_keep_its_data_where_the_deletion_is_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.add_cluster()
    engine.add("mlops-lab-exam-worker", "mlops-lab-exam", marked("/home/alice/state", kind._SECOND))
    saved: list[str] = []
    monkeypatch.setattr(remove, "save", lambda cluster, progress: saved.append(cluster.context) or ["it"])
    with pytest.raises(LabError, match="cluster mlops-lab-exam that was made with another home"):
        remove.delete(Progress(), keep_data=True)
    assert not saved and not engine.removed()
    del engine.containers["mlops-lab-exam-worker"]
    assert remove.delete(Progress(), keep_data=True)[0] == ["it"]
    assert saved == ["kind-mlops-lab"] and not engine.containers


@pytest.mark.parametrize(
    ("mounts", "kept"),
    [({}, []), (None, ["registry"]), (marked("/home/alice/state"), ["registry"])],
    ids=["the user's own", "by MLOPS_LAB_CLUSTER", "another home's"],
)
def test_what_another_kind_cluster_needs_stays_as_long_as_it_is_there(
    mounts: dict[str, str] | None, kept: list[str], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[str] = []
    monkeypatch.setattr(down.registry, "remove", lambda docker: gone.append("registry") or True)
    engine.add("other-control-plane", "other", mounts, Running=False)
    down.down(Progress())
    assert gone == [each for each in ("registry",) if each not in kept]
    assert not engine.removed()
    engine.containers.clear()
    assert down.down(Progress()) == ["registry", "network"]
    assert engine.removed() == ["network rm kind"]


def test_what_is_left_of_a_cluster_that_was_whole_is_not_cleared_away(engine: Engine) -> None:
    engine.add_cluster()
    del engine.containers[NODES[2]]
    with pytest.raises(LabError, match=r"of the cluster's 3 containers there are 2 \(.*-worker\); nothing") as said:
        up._settled(engine, None, Progress())
    assert "lab down" in said.value.hint and not engine.removed()
    assert lab("down") == 0 and not engine.containers


def test_what_an_interrupted_down_has_left_is_cleared_away(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.add_cluster()
    whole = engine.run

    def interrupted(_: Engine, *args: str | Path, **given: Any) -> Completed:
        if args[0] == "rm":
            whole(*args[:-1], **given)
            raise KeyboardInterrupt
        return whole(*args, **given)

    with monkeypatch.context() as meanwhile, pytest.raises(KeyboardInterrupt):
        meanwhile.setattr(Engine, "run", interrupted)
        down.down(Progress())
    assert len(engine.containers) == 1
    assert up._settled(engine, None, Progress()) is None
    assert not engine.containers


def test_a_down_that_is_refused_forgets_nothing(engine: Engine) -> None:
    engine.add_cluster()
    engine.add("mlops-lab-worker3", mounts={})
    with pytest.raises(LabError, match="`lab` did not create"):
        down.down(Progress(), sure=True)
    assert record.made() and not engine.removed()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], dict[str, str]]:
    """Has kind make a cluster, and tells with which environment; no proxy is set but by the test."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    program = tmp_path / "kind"
    program.write_text(f'#!/bin/sh\nenv >{tmp_path}/env\necho "{{}}" >"$KUBE"\n')
    program.chmod(0o755)

    def create() -> dict[str, str]:
        entries = tmp_path / "entries"
        monkeypatch.setenv("KUBE", str(entries))
        kind.create_second(Engine(), program, "node:1", entries)
        return dict(line.partition("=")[::2] for line in (tmp_path / "env").read_text().splitlines())

    return create


def test_nodes_ask_no_proxy_for_the_registry(
    engine: Engine, asked: Callable[[], dict[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "NO_PROXY" not in asked()
    monkeypatch.setenv("https_proxy", "http://p:3128")
    assert asked()["NO_PROXY"] == "mlops-lab-registry"
    monkeypatch.setenv("no_proxy", "example.org")
    found = asked()
    assert found["NO_PROXY"] == found["no_proxy"] == "example.org,mlops-lab-registry"
    monkeypatch.delenv("https_proxy")
    assert asked()["no_proxy"] == "example.org", "no proxy is set"
    proxies = {"default": {"httpProxy": "http://p:3128", "noProxy": "10.0.0.0/8"}, "tcp://x": {"httpProxy": "http://q"}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": {}, "proxies": proxies}))
    assert asked()["NO_PROXY"] == "example.org,10.0.0.0/8,mlops-lab-registry"
    (tmp_path / "config.json").write_text("[")
    assert asked()["no_proxy"] == "example.org"


def test_the_users_settings_for_other_processors_and_programs_do_not_count(
    engine: Engine, asked: Callable[[], dict[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_DEFAULT_PLATFORM", "linux/amd64")
    monkeypatch.setenv("BUILDX_BUILDER", "in-a-container")  # what is empty counts as not set for Docker's client
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "podman")
    monkeypatch.setenv("KIND_EXPERIMENTAL_DOCKER_NETWORK", "mine")
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nenv\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert {"DOCKER_DEFAULT_PLATFORM=", "BUILDX_BUILDER="} <= set(Docker({}).run("run").stdout.splitlines())
    found = asked()
    assert found["DOCKER_DEFAULT_PLATFORM"] == ""
    assert (found["KIND_EXPERIMENTAL_PROVIDER"], found["KIND_EXPERIMENTAL_DOCKER_NETWORK"]) == ("docker", "kind")


@pytest.mark.parametrize("act", [lambda engine: up._settled(engine, None, Progress()), lambda _: down.down(Progress())])
def test_a_cluster_on_another_engine_is_not_forgotten(act: Callable[[Engine], Any], engine: Engine) -> None:
    engine.add_cluster()
    kubeconfig.merge(user("https://127.0.0.1:40001"))
    made = record.made()
    assert made
    record.remember(record.on(made, engine))
    here = dict(engine.containers)
    engine.containers.clear()
    vars(engine)["facts"] = {**engine.facts, "ID": "two", "Name": "colima"}
    with pytest.raises(LabError, match=r"another Docker engine \(docker-desktop\) than .* \(colima\)") as said:
        act(engine)
    assert "lab down --yes" in said.value.hint
    assert record.made() and kubeconfig.contexts() == ["kind-mlops-lab"]
    engine.containers.update(here)
    assert up._settled(engine, None, Progress()), "an engine that got another ID, and has the cluster"
    engine.containers.clear()
    assert lab("down", "--yes") == 0
    assert record.made() is None


def test_a_cluster_that_is_gone_from_its_engine_is_forgotten(engine: Engine) -> None:
    record.remember(record.on(Cluster("kind-mlops-lab", "localhost:5001", "default"), engine))
    assert up._settled(engine, None, Progress()) is None
    assert record.made() is None


def test_a_paused_node_goes_on(engine: Engine) -> None:
    engine.add(NODES[0], Running=False)
    engine.add(NODES[1], Paused=True)
    kind.start(engine, [each for each in kind.nodes(engine) if not each.running])
    assert engine.told[-2:] == [f"start {NODES[0]}", f"unpause {NODES[1]}"]


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_nodes_that_were_started_again_count_by_their_own_clock(
    hours: int, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual machine's clock stands still while the laptop sleeps."""
    there = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)
    told = Engine.run

    def run(self: Engine, *args: str, **more: Any) -> Completed:
        if args[0] == "info":
            return Completed(0, f"{there:%Y-%m-%dT%H:%M:%S.%f}123Z\n", "")
        return told(self, *args, **more)

    monkeypatch.setattr(Engine, "run", run)
    engine.add(NODES[0], Running=False)
    started = kind.start(engine, kind.nodes(engine))

    def missing(seconds: float) -> list[str]:
        """What lacks where the node was heard from so long after its start."""
        at = {"renewTime": (there + datetime.timedelta(seconds=seconds)).isoformat()}
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        names_ = (NODES[0], "kube-scheduler", "kube-controller-manager")
        leases = [{"kind": "Lease", "metadata": {"name": name}, "spec": at} for name in names_]
        node = {"kind": "Node", "metadata": {"name": NODES[0]}, "spec": {}, "status": ready}
        return addons.unready([node, *leases], 1, started)

    assert missing(-5) == ["0 of 1 nodes are Ready"]
    assert missing(5) == []


def test_an_engine_that_does_not_answer_may_have_something_left(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(down, "answering", lambda: None)
    monkeypatch.setattr(down, "find", lambda name: Path("/usr/bin/docker"))
    assert lab("down") == 3
    assert "no Docker engine answers, so it is not known" in capsys.readouterr().err
    monkeypatch.setattr(down, "find", lambda name: None)
    assert lab("down") == 0
    assert "Nothing to remove" in capsys.readouterr().out


def test_a_cluster_on_an_engine_that_is_gone_for_good_is_forgotten(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ensure(_: Callable[[str], None]) -> Docker:
        raise LabError("no Docker engine answers", "start one")

    monkeypatch.setattr(down, "answering", lambda: None)
    monkeypatch.setattr(down, "find", lambda name: Path("/usr/bin/docker"))
    monkeypatch.setattr(down.start, "ensure", ensure)
    engine.add_cluster()
    kubeconfig.merge(user("https://127.0.0.1:40001"))
    second.kubeconfig_file().touch()
    assert lab("down") == 3
    assert record.made() and kubeconfig.contexts()
    capsys.readouterr()
    assert lab("down", "--yes") == 0
    said = capsys.readouterr()
    assert said.out == "Removed: record of the cluster mlops-lab, kubeconfig entry\n"
    assert "no Docker engine answers; what it may have of the cluster stays there" in said.err
    assert (record.made(), kubeconfig.contexts(), second.kubeconfig_file().exists()) == (None, [], False)
    assert lab("down", "--yes") == 0
    assert "Nothing to remove" in capsys.readouterr().out


def test_an_engine_that_can_run_no_nodes_removes_them(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def ensure(_: Callable[[str], None]) -> Docker:
        monkeypatch.setattr(down, "answering", lambda: engine)
        raise LabError("Docker can't run privileged containers", "install another one")

    monkeypatch.setattr(down, "answering", lambda: None)
    monkeypatch.setattr(down, "find", lambda name: Path("/usr/bin/docker"))
    monkeypatch.setattr(down.start, "ensure", ensure)
    engine.add_cluster()
    assert lab("down", "--yes") == 0
    assert not engine.containers


@pytest.mark.parametrize(
    ("said", "absent"),
    [
        ("Error response from daemon: No such image: x", True),
        ("Error: No such object: x", True),
        ("Error response from daemon: network x not found", True),
        ("Error response from daemon: invalid reference format", True),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", False),
        ("error during connect: EOF", False),
        ("failed to connect: dial unix /var/run/docker.sock: connect: no such file or directory", False),
    ],
)
def test_an_engine_that_went_away_is_not_one_that_has_nothing(
    said: str, absent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Docker, "run", lambda *_, **__: Completed(1, "[]\n", f"{said}\n"))
    if absent:
        assert Docker({}).inspect("image", "x") is None
        return
    with pytest.raises(LabError, match="does not say whether there is an image x") as error:
        Docker({}).inspect("image", "x")
    assert error.value.detail == said
