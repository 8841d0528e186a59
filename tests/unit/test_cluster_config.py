"""The cluster's decisions that need no engine: kind's configuration, the kubeconfig, the lines of the doctor."""

from __future__ import annotations

import ast
import collections
import datetime
import errno
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.locking import alone, among_others, at_once, in_turn
from mlops_lab.base.paths import project
from mlops_lab.base.processes import Completed
from mlops_lab.base.progress import Progress
from mlops_lab.base.versions import versions
from mlops_lab.cluster import addons, existing, health, kind, kubeconfig, names, own, record, registry, up
from mlops_lab.cluster.kubectl import Kubectl, manifest
from mlops_lab.cluster.record import Cluster
from mlops_lab.engine.docker import Docker
from mlops_lab.images.recipes import node
from mlops_lab.platform import kept


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("MLOPS_LAB_CLUSTER", raising=False)
    return tmp_path / "home"


def config(size: str = "default", missing: tuple[str, ...] = (), cgroup: int = 2) -> dict[str, Any]:
    return kind.config(names.NODES[size], missing, cgroup, Path("/hosts"))


def test_sizes_are_one_node_and_three() -> None:
    assert [node["role"] for node in config("small")["nodes"]] == ["control-plane"]
    assert [node["role"] for node in config()["nodes"]] == ["control-plane", "worker", "worker"]


@pytest.mark.parametrize("name", ["My_Labs", "-labs", "a/b", "é"])
def test_a_name_that_kind_would_refuse_is_said_before_anything_is_built(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_LAB_CLUSTER", name)
    monkeypatch.setattr(up.start, "ensure", lambda say: pytest.fail("looked for an engine"))
    with pytest.raises(UsageError, match="MLOPS_LAB_CLUSTER"):
        up.up(None, "auto", Progress())


def test_an_empty_name_is_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """kind would take it for `kind`, and nobody would find what it has made."""
    monkeypatch.setenv("MLOPS_LAB_CLUSTER", "")
    assert (names.cluster(), names.second()) == ("mlops-lab", "mlops-lab-exam")


def test_an_ordinary_host_gets_no_patches_for_restricted_ones() -> None:
    text = yaml.safe_dump(config())
    assert "restrict_oom_score_adj" not in text
    assert "failCgroupV1" not in text


def test_a_restricted_host_gets_the_patch_that_it_needs_and_no_other() -> None:
    lacking = yaml.safe_dump(config(missing=("CAP_SYS_RESOURCE",)))
    assert "restrict_oom_score_adj" in lacking and "failCgroupV1" not in lacking
    assert "restrict_oom_score_adj" not in yaml.safe_dump(config(missing=("CAP_SYS_TIME",)))
    old = config(cgroup=1)
    assert yaml.safe_load(old["kubeadmConfigPatches"][0]) == {"kind": "KubeletConfiguration", "failCgroupV1": False}


@pytest.mark.parametrize("size", names.NODES)
def test_containerd_does_not_measure_all_containers_each_second(size: str) -> None:
    settings = [tomllib.loads(text)["plugins"] for text in config(size)["containerdConfigPatches"]]
    (runtime,) = (each["io.containerd.cri.v1.runtime"] for each in settings if "io.containerd.cri.v1.runtime" in each)
    assert runtime == {"stats_collect_period": "1m"}


def test_the_api_server_listens_on_the_loopback_address_only() -> None:
    assert config()["networking"] == {"apiServerAddress": "127.0.0.1"}


def test_nodes_ask_the_registry_beside_the_cluster_first() -> None:
    folder = kind.registries()
    ours = (folder / names.REGISTRY_PREFIX / "hosts.toml").read_text()
    assert ours.startswith(f'server = "http://{names.REGISTRY}:5000"')
    assert "server =" not in (folder / "_default" / "hosts.toml").read_text(), "other names fall back to their own"


def node_facts(**changes: Any) -> dict[str, Any]:
    mount = {"Source": "/x/node-registries", "Destination": "/etc/containerd/certs.d"}
    state = {"Running": True, "Paused": False}
    network = {"Networks": {"kind": {"IPAddress": "172.18.0.2"}}}
    facts = {"Name": "/n", "State": state, "Mounts": [mount], "Config": {"Image": "i"}, "NetworkSettings": network}
    return {**facts, **changes}


def test_a_node_has_the_address_of_its_network() -> None:
    assert kind._node(node_facts()).address == "172.18.0.2"
    assert kind._node(node_facts(NetworkSettings={"Networks": {}})).address == ""


def test_a_cluster_is_known_as_ours_by_what_is_mounted() -> None:
    assert kind._node(node_facts()).ours
    assert not kind._node(node_facts(Mounts=[])).ours


def test_a_paused_node_does_not_count_as_running() -> None:
    assert not kind._node(node_facts(State={"Running": True, "Paused": True})).running


ADDITION = {
    "clusters": [{"name": "kind-x", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "kind-x", "user": {}}],
    "contexts": [{"name": "kind-x", "context": {"cluster": "kind-x", "user": "kind-x"}}],
    "current-context": "kind-x",
}


class Listing:
    """An engine that lists a container some time before it can be inspected."""

    def __init__(self, after: int) -> None:
        self.left = after

    def run(self, *args: str, check: bool = True) -> Completed:
        if args[0] == "ps":
            return Completed(0, "4c0ffee\n", "")
        self.left -= 1
        if self.left >= 0:
            return Completed(1, "[]\n", "Error: No such object: 4c0ffee")
        return Completed(0, json.dumps([node_facts()]), "")


def test_a_container_that_is_being_made_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    found = kind.nodes(Listing(after=3))  # type: ignore[arg-type]
    assert [each.name for each in found] == [node_facts()["Name"].lstrip("/")]


def test_a_container_that_cannot_be_inspected_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with pytest.raises(LabError, match=r"last seen: 0 of 1 containers"):
        kind.nodes(Listing(after=10_000))  # type: ignore[arg-type]


def test_a_first_context_becomes_the_current_one() -> None:
    kubeconfig.merge(ADDITION)
    whole = yaml.safe_load(kubeconfig.target().read_text())
    assert whole["current-context"] == "kind-x"
    assert kubeconfig.target().stat().st_mode & 0o777 == 0o600
    assert kubeconfig.contexts() == ["kind-x"]


def test_the_users_current_context_and_entries_stay() -> None:
    mine = {"apiVersion": "v1", "kind": "Config", "current-context": "mine", "contexts": [{"name": "mine"}]}
    mine |= {"clusters": [{"name": "mine"}], "users": None, "extensions": [{"name": "kept"}]}
    kubeconfig.target().write_text(yaml.safe_dump(mine))
    kubeconfig.merge(ADDITION)
    kubeconfig.merge(ADDITION)
    whole = yaml.safe_load(kubeconfig.target().read_text())
    assert whole["current-context"] == "mine"
    assert kubeconfig.contexts() == ["mine", "kind-x"]
    assert whole["extensions"] == [{"name": "kept"}]
    kubeconfig.remove("kind-x")
    whole = yaml.safe_load(kubeconfig.target().read_text())
    assert kubeconfig.contexts() == ["mine"]
    assert (whole["current-context"], whole["clusters"], whole["users"]) == ("mine", [{"name": "mine"}], [])


def test_a_kubeconfig_that_root_changes_stays_its_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[Path, int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda file, *owner: given.append((file, *owner)))
    kubeconfig.merge(ADDITION)
    assert given == [], "a new one is root's"
    before = kubeconfig.target().stat()
    kubeconfig.remove("kind-x")
    assert given == [(kubeconfig.target(), before.st_uid, before.st_gid)]


def test_removing_clears_a_current_context_that_would_dangle() -> None:
    kubeconfig.merge(ADDITION)
    kubeconfig.remove("kind-x")
    assert yaml.safe_load(kubeconfig.target().read_text())["current-context"] == ""
    assert not list(kubeconfig.target().parent.glob("*.lock"))


def test_a_kubeconfig_that_cannot_be_read_is_named() -> None:
    kubeconfig.target().write_text("a: [")
    with pytest.raises(LabError) as error:
        kubeconfig.merge(ADDITION)
    assert str(kubeconfig.target()) in error.value.message
    assert kubeconfig.target().read_text() == "a: ["


def test_a_locked_kubeconfig_is_not_written() -> None:
    lock = kubeconfig.target().with_name("kubeconfig.lock")
    lock.touch()
    with pytest.raises(LabError, match="locked"), kubeconfig._locked(kubeconfig.target(), within=0.1):
        pass
    assert lock.exists()


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder where nothing may be made, as another user's or one on a medium that is read only."""
    folder, opened = tmp_path / "closed", os.open
    folder.mkdir()

    def open_(path: Any, *given: Any, **more: Any) -> int:
        if Path(path).parent == folder and given[0] & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return opened(path, *given, **more)

    monkeypatch.setattr(os, "open", open_)
    return folder


def test_what_can_not_be_changed_and_has_nothing_of_the_cluster_is_left_alone(
    closed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (closed / "k3s.yaml").write_text("contexts: [{name: mine}]")
    monkeypatch.setenv("KUBECONFIG", f"{closed / 'none'}:{closed / 'k3s.yaml'}:{tmp_path / 'own'}")
    (tmp_path / "own").write_text("contexts: [{name: kind-x}]")
    kubeconfig.remove("kind-x")
    assert kubeconfig.contexts() == ["mine"]


def test_a_kubeconfig_that_can_not_be_changed_is_said_and_left(
    closed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (closed / "config").write_text("contexts: [{name: kind-x}]")
    link = tmp_path / "link"
    link.symlink_to(closed / "config")
    for file in (closed / "config", link):
        monkeypatch.setenv("KUBECONFIG", str(file))
        kubeconfig.remove("kind-x")
        assert kubeconfig.left("kind-x") == [file]
        assert kubeconfig.contexts() == ["kind-x"]
        with pytest.raises(LabError, match="can't be changed: Read-only file system") as error:
            kubeconfig.merge(ADDITION)
        assert str(file) in error.value.message and "KUBECONFIG" in error.value.hint
        assert not file.with_name(f"{file.name}.lock").exists()


def test_an_up_says_at_once_that_its_context_would_have_no_place(
    closed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kubeconfig.check()
    assert not kubeconfig.target().exists(), "nothing is written"
    link = tmp_path / "link"
    link.symlink_to(closed / "config")
    (closed / "config").write_text("")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed and access(path, mode))
    for file in (closed / "config", link, tmp_path / "a file" / "config"):
        (tmp_path / "a file").touch()
        monkeypatch.setenv("KUBECONFIG", str(file))
        with pytest.raises(LabError, match=f"{file} can't be changed"):
            kubeconfig.check()
    monkeypatch.setattr(up.start, "ensure", lambda say: None)
    monkeypatch.setattr(up, "_settled", lambda *_: None)
    monkeypatch.setattr(up.health, "require", lambda *_: None)
    with pytest.raises(LabError, match="can't be changed"):
        up.up(None, "auto", Progress())


def test_what_is_to_be_typed_is_so_too_where_a_folder_has_blanks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "Ada L"
    monkeypatch.setenv("MLOPS_LAB_HOME", str(home))
    monkeypatch.setenv("KUBECONFIG", str(home / "config"))
    (home / "state/clusters").mkdir(parents=True)
    (home / "config.lock").touch()
    with pytest.raises(LabError) as locked, kubeconfig._locked(kubeconfig.target(), within=0.1):
        pass
    own._file("x").write_text("")
    with pytest.raises(LabError) as damaged:
        own.recorded("x")
    typed = [each.value.hint.rpartition(": ")[2] for each in (locked, damaged)]
    typed += [kept._todo().rpartition(": ")[2]]
    assert [shlex.split(each) for each in typed] == [
        ["rm", str(home / "config.lock")],
        ["rm", str(own._file("x"))],
        ["mv", str(kept.folder()), f"{kept.folder()}.aside"],
    ]


def test_of_several_files_the_first_that_exists_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}")
    assert kubeconfig.target() == second
    first.write_text("")
    assert kubeconfig.target() == first


def test_no_cluster_is_up_until_one_is_remembered() -> None:
    with pytest.raises(LabError, match="there is no cluster"):
        record.current()
    record.remember(Cluster("kind-mlops-lab", "localhost:5001", "small", "image"))
    assert record.current().is_kind
    record.remember(Cluster("theirs", "example.org/labs"))
    assert record.current().context == "theirs"
    record.forget(record.named())
    assert record.current().context == "kind-mlops-lab"
    record.forget()
    assert record.made() is None


def engine(memory: float = 16e9, cpus: int = 4) -> Docker:
    facts = {"ServerVersion": "28.1", "MemTotal": int(memory), "NCPU": cpus, "Architecture": "x86_64"}
    return Docker({**facts, "CgroupVersion": "2"})


@pytest.mark.parametrize(
    ("memory", "size", "verdict"),
    [(16e9, "default", "ok"), (5e9, "default", "warn"), (3e9, "default", "fail"), (3e9, "small", "warn")],
)
def test_memory_is_judged_by_the_size_of_the_cluster(memory: float, size: str, verdict: str) -> None:
    line = health._memory(engine(memory), size)
    assert line.verdict == verdict
    assert bool(line.todo) == (verdict != "ok")


@pytest.mark.parametrize(("free", "verdict"), [(50e9, "ok"), (15e9, "warn"), (9e9, "fail")])
def test_under_ten_gigabytes_of_disk_is_too_little(free: float, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = collections.namedtuple("usage", "total used free")(100, 0, free)
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _: usage)
    assert health._disk().verdict == verdict


def test_what_fails_ends_the_command_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "port_taken", lambda: False)
    monkeypatch.setattr(Docker, "inspect", lambda *_: None)
    health.require(engine(), "default")
    with pytest.raises(LabError) as error:
        health.require(engine(memory=1e9), "default")
    assert "memory" in error.value.message and error.value.hint


def test_a_port_taken_by_another_program_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Docker, "inspect", lambda *_: None)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert registry.port_taken(port)
        monkeypatch.setattr(registry, "port_taken", lambda: True)
        line = health._port(engine())
        assert (line.verdict, line.seen) == ("fail", "port 5001 on 127.0.0.1 is taken by another program")
        row = next(row for row in (project() / "docs" / "trouble.md").read_text().splitlines() if line.seen in row)
        for linux in (True, False):
            monkeypatch.setattr(registry.host, "is_linux", lambda linux=linux: linux)
            with pytest.raises(LabError) as error:
                registry.ensure(engine(), "image")
            assert error.value.message == line.seen
            (shows,) = re.findall("`(.*)`", error.value.hint)
            assert f"`{shows}`" in row and shows.startswith("ss" if linux else "lsof")
    monkeypatch.setattr(registry, "port_taken", lambda: False)
    assert health._port(engine()).verdict == "ok"


@pytest.mark.parametrize(
    ("facts", "release", "as_user"),
    [
        ({"SecurityOptions": ["name=seccomp,profile=builtin"], "OperatingSystem": "Debian"}, "6.1.0", True),
        ({"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}, "6.1.0", False),
        ({"OperatingSystem": "Docker Desktop"}, "6.1.0", False),
        ({"OperatingSystem": "Docker Desktop"}, "5.15.167.4-microsoft-standard-WSL2", True),
    ],
)
def test_the_registry_runs_as_who_may_write_to_its_folder(
    facts: dict[str, Any], release: str, as_user: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rootless engine, and Docker Desktop's on Linux, have the user as a container's root."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(os, "getgid", lambda: 1000)
    monkeypatch.setattr(registry.host, "is_linux", lambda: True)
    monkeypatch.setattr(registry.platform, "release", lambda: release)
    for name, value in (("port_taken", False), ("answers", True)):
        monkeypatch.setattr(registry, name, lambda value=value: value)
    said: list[tuple[str, ...]] = []
    monkeypatch.setattr(Docker, "inspect", lambda *_: None)
    monkeypatch.setattr(Docker, "run", lambda self, *words: said.append(words))
    registry.ensure(Docker(facts), "registry:3")
    (words,) = said
    assert ("--user" in words) == ("1000:1000" in words) == as_user


def test_an_old_cgroup_version_is_a_warning_with_advice() -> None:
    assert health._cgroup(Docker({"CgroupVersion": "1"})).verdict == "warn"
    assert health._cgroup(Docker({"CgroupVersion": "2"})).verdict == "ok"


def test_no_engine_fails_only_where_none_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "asked", lambda: (None, ""))
    monkeypatch.setattr(health, "names_one", lambda: False)
    monkeypatch.setattr(health.host, "can_install", lambda: True)
    assert health._engine()[0].verdict == "warn"
    monkeypatch.setattr(health.host, "can_install", lambda: False)
    assert health._engine()[0].verdict == "fail"


def test_other_nodes_than_the_cluster_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    record.remember(Cluster("kind-mlops-lab", "localhost:5001", "small"))
    found = [kind.Node("mlops-lab-control-plane", running=True, ours=True, image="i")]
    monkeypatch.setattr(kind, "nodes", lambda _: found)
    with pytest.raises(UsageError) as error:
        up._settled(engine(), "default", Progress())
    assert "lab down" in error.value.hint
    assert up._settled(engine(), None, Progress()) is not None


def test_what_was_not_made_whole_is_cleared_away(monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[Docker] = []
    monkeypatch.setattr(kind, "nodes", lambda _: [kind.Node("a-control-plane", True, True, "i")])
    monkeypatch.setattr(kind, "remove", removed.append)
    record.note_class(True)
    with pytest.raises(LabError, match="gradebook"):
        up._settled(engine(), None, Progress())
    assert not removed
    record.note_class(False)
    assert up._settled(engine(), None, Progress()) is None
    assert removed


def test_a_cluster_of_somebody_else_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "nodes", lambda *_: [kind.Node("a-control-plane", True, False, "i")])
    monkeypatch.setattr(Docker, "run", lambda *_, **__: pytest.fail("touched it"))
    for act in (lambda: up._settled(engine(), None, Progress()), lambda: kind.remove(engine())):
        with pytest.raises(LabError, match="did not create"):
            act()


def test_a_context_needs_a_kubeconfig_a_name_that_is_in_it_and_a_registry() -> None:
    with pytest.raises(UsageError, match="no kubeconfig"):
        existing.use("theirs", "example.org", Progress())
    kubeconfig.merge(ADDITION)
    with pytest.raises(UsageError, match="no context 'theirs'") as error:
        existing.use("theirs", "example.org", Progress())
    assert "kind-x" in error.value.hint
    with pytest.raises(UsageError) as error:
        existing.use("kind-x", "", Progress())
    assert "lab images push" in error.value.hint


class FakeKubectl(Kubectl):
    """Answers as a cluster without metrics and storage would."""

    def run(self, *args: str, **_: Any) -> Any:
        if args[0] == "version":
            return Completed(0, '{"serverVersion": {"major": "1", "minor": "27+", "gitVersion": "v1.27.1"}}', "")
        return Completed(0, "no", "")

    def get(self, what: str, *args: str, within: float = 10) -> list[dict[str, Any]]:
        return []


def test_all_that_a_cluster_lacks_is_said() -> None:
    lacking = " ".join(what for what, _ in existing.missing(FakeKubectl("x")))
    for part in ("v1.27.1", "create namespaces", "list nodes", "list secrets"):
        assert part in lacking
    assert "metrics API" not in lacking, "what can't be seen may be there"


def test_of_a_cluster_that_may_be_looked_at_all_that_it_lacks_is_said() -> None:
    class Open(FakeKubectl):
        def run(self, *args: str, **given: Any) -> Any:
            if args[0] != "auth" or args[3] == "pods/exec":
                return super().run(*args, **given)
            return Completed(124 if args[3] == "secrets" else 0, "" if args[3] == "secrets" else "yes\n", "")

    assert [what for what, _ in existing.missing(Open("x"))] == [
        "is Kubernetes v1.27.1",
        "has no metrics API",
        "has no default storage class",
        "does not let you create pods/exec in all namespaces",
        "does not say that it lets you list secrets in all namespaces",
    ]


def test_who_may_not_look_is_not_made_to_wait() -> None:
    class Refusing(Kubectl):
        def run(self, *args: str, **_: Any) -> Any:
            said = 'Error from server (Forbidden): nodes is forbidden: User "u" cannot list resource "nodes"'
            raise LabError("kubectl failed with exit code 1", "", said)

    with pytest.raises(LabError, match="does not let you see what is ready") as error:
        addons.wait(Refusing("x"), 0, {})
    assert "administrator" in error.value.hint and "cannot list" in error.value.detail


@pytest.mark.parametrize(
    ("status", "done"),
    [
        ({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, True),
        ({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, False),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1}, False),
        ({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}, False),
    ],
)
def test_a_deployment_counts_when_only_its_newest_pods_are_left(status: dict[str, int], done: bool) -> None:
    assert addons._rolled_out({"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": status}) is done


class CountingKubectl(Kubectl):
    """Answers with these objects, and notes what was asked for."""

    items: tuple[dict[str, Any], ...]
    asked: list[str]

    def run(self, *args: str, **_: Any) -> Any:
        self.asked.append(args[1])
        kinds = args[1].split(",")
        found = [item for item in self.items if f"{item['kind'].lower()}s" in kinds]
        return Completed(0, json.dumps({"items": found}), "")


def counting(*items: dict[str, Any]) -> CountingKubectl:
    kubectl = CountingKubectl("x")
    vars(kubectl).update(items=items, asked=[])
    return kubectl


def deployment(name: str, namespace: str, available: int) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "generation": 1},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": "here/load:v1"}]}}},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available},
    }


def waiting_pod(reason: str) -> dict[str, Any]:
    state = {"image": "here/load:v1", "state": {"waiting": {"reason": reason, "message": "no such tag"}}}
    return {
        "kind": "Pod",
        "metadata": {"name": "load-x", "namespace": names.NAMESPACE},
        "status": {"containerStatuses": [state]},
    }


METRICS = {
    "kind": "APIService",
    "metadata": {"name": "v1beta1.metrics.k8s.io"},
    "status": {"conditions": [{"type": "Available", "status": "True"}]},
}


@pytest.mark.parametrize(("prefix", "todo"), [
    ("registry.example.org/me", "push the project's images there: lab images push registry.example.org/me"),
    (names.REGISTRY_PREFIX, "`lab up` puts it there again"),
])  # fmt: skip
def test_an_image_that_is_missing_comes_again_from_who_put_it_there(prefix: str, todo: str) -> None:
    item, pod = deployment("load", names.NAMESPACE, 0), waiting_pod("ImagePullBackOff")
    for each in (*item["spec"]["template"]["spec"]["containers"], *pod["status"]["containerStatuses"]):
        each["image"] = f"{prefix}/load:v1"
    with pytest.raises(LabError, match="can't be used: ImagePullBackOff") as error:
        addons.fail_if_stuck(Kubectl("x"), item, [pod])
    assert error.value.hint == todo


@pytest.mark.parametrize(("nodes", "calls"), [(1, 1), (0, 2)])
def test_a_cluster_of_ours_is_looked_at_with_one_call_and_an_image_that_is_missing_ends_the_wait(
    nodes: int, calls: int
) -> None:
    starting = counting(
        METRICS,
        deployment("load", names.NAMESPACE, 0),
        deployment("theirs", "team", 0),
        waiting_pod("ContainerCreating"),
    )
    nodes_are = ["0 of 1 nodes are Ready"] if nodes else []
    assert addons.lacking(starting, nodes) == [*nodes_are, "deployment load is not available"]
    assert len(starting.asked) == calls
    stuck = counting(METRICS, deployment("load", names.NAMESPACE, 0), waiting_pod("ImagePullBackOff"))
    with pytest.raises(LabError, match="here/load:v1 can't be used: ImagePullBackOff"):
        addons.lacking(stuck, nodes)
    crashing = waiting_pod("CrashLoopBackOff")
    (container,) = crashing["status"]["containerStatuses"]
    container |= {"restartCount": 9, "lastState": {"terminated": {"exitCode": 1}}}
    crashing["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    crashing["spec"] = {"nodeName": "a"}
    again = counting(METRICS, deployment("load", names.NAMESPACE, 0), crashing)
    with pytest.raises(LabError, match="crashes again and again"):
        addons.lacking(again, nodes)
    after = addons.lacking(again, nodes, {"a": 2e9})  # its restarts are those of its node
    assert "deployment load is not available" in after
    ready = counting(METRICS, deployment("load", names.NAMESPACE, 1))
    assert addons.lacking(ready, nodes) == nodes_are
    assert len(ready.asked) == 1


class Applying(Kubectl):
    """An API server for the add-ons: what is there by kind and name, how often it was asked, and its refusal."""

    there: dict[tuple[str, str], dict[str, Any]]
    asked: list[str]

    def run(self, *args: str, stdin: str | None = None, **_: Any) -> Any:
        self.asked.append(args[0])
        items = list(yaml.safe_load_all(stdin or ""))
        keys = [(item["kind"], item["metadata"]["name"]) for item in items]
        if args[0] == "apply":
            self.there.update(zip(keys, items, strict=True))
        found = [self.there[key] for key in keys if key in self.there]
        if "refused" in self.asked:
            return Completed(1, "", "connection refused")
        return Completed(0, json.dumps({"items": found} if len(found) > 1 else found[0]) if found else "", "")


@pytest.mark.parametrize("metrics", [True, False])
def test_add_ons_are_applied_again_where_something_is_missing_or_scaled_to_none(metrics: bool) -> None:
    kubectl = Applying("x")
    vars(kubectl).update(there={}, asked=[])
    vars(kubectl)["create"] = lambda item: {**item, "metadata": {**item["metadata"], "uid": "1"}}

    def install() -> bool:
        kubectl.asked.clear()
        return addons.install(kubectl, "here", "content", metrics)

    assert install() and not install() and kubectl.asked == ["get"], "a warm `lab up` asks once"
    whole = dict(kubectl.there)
    assert (("APIService", "v1beta1.metrics.k8s.io") in whole) is metrics
    for key in whole:
        del kubectl.there[key]
        assert install() and kubectl.there.keys() == whole.keys() and not install(), key
    for name in ("load", "metrics-server") if metrics else ("load",):
        kubectl.there["Deployment", name]["spec"]["replicas"] = 0
        assert install() and kubectl.there["Deployment", name]["spec"]["replicas"] == 1 and not install()
    kubectl.asked.append("refused")
    with pytest.raises(LabError, match="does not say what is there") as error:
        addons.stands(kubectl, "kind: Namespace\nmetadata: {name: x}\n", "x", "1")
    assert error.value.detail == "connection refused"


@pytest.mark.parametrize(("name", "namespace", "done"), [
    ("load", names.NAMESPACE, False), ("metrics-server", "kube-system", False), ("theirs", "kube-system", True),
])  # fmt: skip
def test_a_deployment_of_ours_that_was_scaled_to_none_is_not_available(name: str, namespace: str, done: bool) -> None:
    idle = deployment(name, namespace, 0)
    idle["spec"]["replicas"] = 0
    idle["status"] |= {"replicas": 0, "updatedReplicas": 0}
    assert (addons.unavailable([idle], (namespace,)) == []) is done


def test_a_deployment_of_the_users_called_load_is_not_ours() -> None:
    assert "deployment load does not exist" in addons.lacking(counting(METRICS, deployment("load", "team", 1)), 0)


def test_nodes_that_were_started_again_have_to_tell_the_schema_that_kubectl_apply_asks_for() -> None:
    schema = iter([1, 0])

    class Started(CountingKubectl):
        def run(self, *args: str, **given: Any) -> Any:
            if args[:2] == ("get", "--raw"):
                return Completed(next(schema), "", "failed to download openapi: unknown")
            return super().run(*args, **given)

    kubectl = Started("x")
    vars(kubectl).update(items=(METRICS, deployment("load", names.NAMESPACE, 1)), asked=[])
    assert addons.lacking(kubectl, 0, {"a": 1.0}) == ["the API server does not tell its schema yet"]
    assert addons.lacking(kubectl, 0, {"a": 1.0}) == []
    assert addons.lacking(kubectl, 0) == []  # nobody has started it: not asked


def stamp(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def lease(name: str, renewed: float) -> dict[str, Any]:
    return {"kind": "Lease", "metadata": {"name": name}, "spec": {"renewTime": stamp(renewed)}}


def test_nodes_that_were_started_again_are_ready_when_what_is_told_of_them_is_new() -> None:
    """A second after the kill the API server still tells that all pods are Ready: nobody has told it otherwise."""
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    role = {"node-role.kubernetes.io/control-plane": ""}

    def of(node: str, begun: float) -> dict[str, Any]:
        status = {**ready, "containerStatuses": [{"state": {"running": {"startedAt": stamp(begun)}}}]}
        meta = {"name": f"on-{node}", "namespace": "x"}
        return {"kind": "Pod", "metadata": meta, "spec": {"nodeName": node}, "status": status}

    def seen(leader: float, begun: float) -> list[str]:
        kubectl = counting(
            METRICS,
            deployment("load", names.NAMESPACE, 1),
            {"kind": "Node", "metadata": {"name": "a", "labels": role}, "status": ready},
            {"kind": "Node", "metadata": {"name": "b"}, "status": ready},
            *(lease(name, 1010) for name in ("a", "kube-scheduler")),
            lease("kube-controller-manager", leader),
            lease("b", 1),
            of("a", begun),
            of("b", 5),
        )
        return addons.lacking(kubectl, 2, {"a": 1000.7})

    assert seen(leader=990, begun=1005) == ["kube-controller-manager has not begun yet"]
    assert seen(leader=1005, begun=990) == ["1 pods have not begun again yet, such as on-a"]
    assert seen(leader=1005, begun=1000) == [], "pods tell whole seconds; node b was not started again"


def test_a_node_counts_once_it_has_been_heard_from() -> None:
    node = {
        "kind": "Node",
        "metadata": {"name": "a"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    silent = counting(METRICS, deployment("load", names.NAMESPACE, 1), node)
    assert addons.lacking(silent, 1) == ["0 of 1 nodes are Ready"]
    heard = counting(METRICS, deployment("load", names.NAMESPACE, 1), node, lease("a", 1))
    assert addons.lacking(heard, 1) == []


def test_nodes_that_were_started_again_are_told_the_ways_to_each_others_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Engine:
        def run(self, *words: str) -> None:
            told.append(" ".join(words[1:]))

    addresses = {"a": "172.18.0.4", "b": "172.18.0.2"}
    here = [kind.Node(name, running=True, ours=True, image="x", address=at) for name, at in addresses.items()]
    monkeypatch.setattr(kind, "nodes", lambda *_: here)
    kind.connect(cast(Docker, Engine()), {"a": "10.244.0.0/24", "b": "10.244.1.0/24"})
    assert told == [
        "a ip route replace 10.244.1.0/24 via 172.18.0.2",
        "b ip route replace 10.244.0.0/24 via 172.18.0.4",
    ]


def test_a_second_command_says_who_has_it_and_ends_where_it_must_not_wait(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "lock").write_text("`lab up` (process 1, since yesterday)")  # left by a command that was killed
    with alone(tmp_path / "lock", "the cluster", said.append):
        holder = f"""
from pathlib import Path
from mlops_lab.base.locking import alone
with alone(Path({str(tmp_path / "lock")!r}), "the cluster", print, wait=False): pass
"""
        done = subprocess.run([sys.executable, "-c", holder], capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert re.search(
            rf"another `lab` command is using the cluster: `lab.*` \(process {os.getpid()}, since \d\d:\d\d:\d\d\)",
            done.stderr,
        )
    assert (tmp_path / "lock").read_text() == ""
    assert subprocess.run([sys.executable, "-c", holder], check=False).returncode == 0


@pytest.mark.parametrize(
    "hold",
    [
        lambda file: alone(file, "it", print),
        lambda file: among_others(file, "it", print),
        at_once,
        lambda file: in_turn(file, "it", print, threading.Event()),
    ],
)
def test_a_lock_that_can_not_be_made_is_one_line_and_what_to_do(
    hold: Callable[[Path], AbstractContextManager[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for file in (tmp_path / "file" / "lock", tmp_path / "folder"):
        with pytest.raises(LabError, match=f"{file} cannot be written: ") as said, hold(file):
            pass
        assert "MLOPS_LAB_HOME" in said.value.hint
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: _raise(OSError(errno.ENOSPC, "no space")))
    with pytest.raises(OSError, match="no space"), hold(tmp_path / "file" / "lock"):  # `lab` says that of any file
        pass


def _raise(error: OSError) -> None:
    raise error


def test_manifests_are_whole_and_their_images_are_filled_in() -> None:
    texts = {
        "system.yaml": manifest("system.yaml", registry="example.org", content="x", fingerprint="f"),
        "metrics-server.yaml": manifest("metrics-server.yaml", metrics_server="m:1"),
        "kube-router.yaml": manifest("kube-router.yaml", image="r:1", pods="10.1.0.0/16", services="10.2.0.0/16"),
        "traefik.yaml": manifest("traefik.yaml", image="t:1", fingerprint="f"),
    }
    assert set(texts) == {path.name for path in (project() / "manifests").iterdir()}
    for text in texts.values():
        objects = [item for item in yaml.safe_load_all(text) if item]
        assert objects and all(item["kind"] and item["metadata"]["name"] for item in objects)
        assert "$image" not in text and "$registry" not in text
    assert "example.org/load:v1" in texts["system.yaml"]
    assert "from 10.1.0.0/16 to 10.2.0.0/16 unreachable" in texts["kube-router.yaml"]
    assert "-A POSTROUTING -s 10.1.0.0/16 ! -d 10.1.0.0/16 -j MASQUERADE" in texts["kube-router.yaml"]


def test_no_other_file_repeats_a_pin() -> None:
    pins = [value for table in versions().values() for value in _leaves(table)]
    files = [file for folder in _WITHOUT_PINS for file in (project() / folder).rglob("*") if file.is_file()]
    for path in files:
        if not _may_repeat(path.relative_to(project())):
            text = _told(path)
            assert [value for value in pins if value in text] == [], path
    assert node.NAME in pins and len(pins) > 8


_WITHOUT_PINS = ("src", "manifests", "images", "components", "scripts", "labs")


def _may_repeat(path: Path) -> bool:
    """Modules and locks have pins of their own; lab 17's manifests go as they are, and a test compares them."""
    locked = path.name in ("go.mod", "go.sum") or path.suffix == ".lock"
    return locked or "__pycache__" in path.parts or path.parts[:2] == ("labs", "17-alert-that-matters")


def _told(path: Path) -> str:
    """A file's text; a Python module's without its docstring, which may say what it makes."""
    text = path.read_text(errors="replace")
    return text.replace(ast.get_docstring(ast.parse(text), clean=False) or "", "") if path.suffix == ".py" else text


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    return [str(value)]


def test_a_cluster_that_has_just_started_may_refuse_its_add_ons_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [LabError("failed to download openapi", ""), LabError("no answer", ""), False]

    def install(*_: Any, **__: Any) -> bool:
        answer = answers.pop(0)
        if isinstance(answer, LabError):
            raise answer
        return bool(answer)

    monkeypatch.setattr(up.addons, "install", install)
    up._install(Kubectl("none"), "localhost:5001", "content", within=5)
    assert not answers
    answers = [LabError("no answer", "", "E1 x\nconnection refused")]
    with pytest.raises(LabError, match=r"last seen: no answer \(connection refused\)") as error:
        up._install(Kubectl("none"), "localhost:5001", "content", within=0)
    assert "lab down" in error.value.hint
