"""What `lab doctor` and `lab up` see of the host before a cluster is made, beyond memory and ports."""

from __future__ import annotations

import collections
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.cluster import health, registry
from mlops_lab.engine.docker import Docker


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("MLOPS_LAB_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(registry, "port_taken", lambda: False)
    monkeypatch.setattr(Docker, "inspect", lambda *_: None)
    disk(monkeypatch, {})
    return tmp_path / "home"


def disk(monkeypatch: pytest.MonkeyPatch, free: dict[Path, float]) -> None:
    """Bytes that are free at these places; plenty elsewhere."""
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(health.shutil, "disk_usage", lambda path: usage(0, 0, free.get(path, 90e9)))


def engine(**facts: Any) -> Docker:
    return Docker({"ServerVersion": "28.1.0", "MemTotal": 16 * 10**9, "NCPU": 4, "CgroupVersion": "2", **facts})


@pytest.mark.parametrize(
    ("version", "seen"),
    [("5.2.2", "version 5.2.2, as Podman's are"), ("19.03.9", "version 19.03.9"), ("20.10.24+dfsg1", ""), ("dev", "")],
)
def test_an_engine_that_can_have_no_cluster_is_refused(
    version: str, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = engine(ServerVersion=version)
    monkeypatch.setattr(health, "asked", lambda: (found, ""))
    monkeypatch.setattr(health, "unable", lambda docker: "")
    line, _ = health._engine()
    assert line.verdict == ("fail" if seen else "ok")
    if not seen:
        health.require(found, "default")
        return
    assert line.seen == seen
    with pytest.raises(LabError, match=f"engine: {seen}") as error:
        health.require(found, "default")
    assert "20.10" in error.value.hint


SNAP = {"DockerRootDir": "/var/snap/docker/common/var-lib-docker"}


@pytest.mark.parametrize(
    ("place", "shut"), [("", True), (".other", True), ("mlops-lab-home", False), ("/srv/mlops-lab", True)]
)
def test_an_engine_from_snap_reads_only_what_is_not_hidden_in_home(
    place: str, shut: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place:
        monkeypatch.setenv("MLOPS_LAB_HOME", str(home / place))
    monkeypatch.setattr(health, "asked", lambda: (engine(**SNAP), ""))
    monkeypatch.setattr(health, "unable", lambda docker: "")
    line, docker = health._engine()
    assert docker and (line.verdict == "fail", "snap" in line.seen) == (shut, shut)
    health.require(engine(), "default")
    if not shut:
        health.require(engine(**SNAP), "default")
        return
    with pytest.raises(LabError, match="from snap, which may not read") as error:
        health.require(engine(**SNAP), "default")
    assert "MLOPS_LAB_HOME" in error.value.hint


def test_a_disk_of_the_engines_own_needs_room_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path) -> None:
    root, stat = tmp_path / "docker", Path.stat
    docker = engine(DockerRootDir=str(root), KernelVersion=os.uname().release)
    assert list(health._engine_disk(docker)) == [], "a folder that is not seen from here"
    root.mkdir()
    assert list(health._engine_disk(docker)) == [], "on the cache's disk"
    facts = os.stat_result((0, 0, -1, 0, 0, 0, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda path, **given: facts if path == root else stat(path, **given))
    for free, verdict in ((90e9, "ok"), (8e9, "warn"), (4e9, "fail")):
        disk(monkeypatch, {root: free})
        (line,) = health._engine_disk(docker)
        assert (line.what, line.verdict) == ("engine's disk", verdict)
    with pytest.raises(LabError, match=f"engine's disk: 4.0 GB free at {root}; at least 5 GB are needed"):
        health.require(docker, "default")
    health.require(engine(DockerRootDir=str(root), KernelVersion="Docker Desktop's"), "default")


def test_few_inotify_instances_are_a_warning_where_the_engine_is_this_hosts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file, here = tmp_path / "max_user_instances", engine(KernelVersion=os.uname().release)
    monkeypatch.setattr(health, "_WATCHERS", file)
    assert list(health._watchers(here)) == []
    file.write_text("128\n")
    (line,) = health._watchers(here)
    assert line.verdict == "warn" and "fs.inotify.max_user_instances=512" in line.todo
    assert list(health._watchers(engine(KernelVersion="another machine's"))) == []
    file.write_text("512\n")
    assert list(health._watchers(here)) == []


@pytest.mark.parametrize(
    ("address", "name", "away"),
    [
        ("ssh://ada@big-box", "big-box", True), ("tcp://10.0.0.1:2376", "big-box", True),
        ("tcp://127.0.0.1:2375", "docker-desktop", False), ("tcp://localhost:2375", "docker-desktop", False),
        ("unix:///home/ada/.docker/desktop/docker.sock", "docker-desktop", False),
        ("tcp://10.0.0.1:2376", socket.gethostname(), False), ("", "big-box", False),
    ],
)  # fmt: skip
def test_an_engine_on_another_machine_is_said_to_be_there(
    address: str, name: str, away: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What it publishes on 127.0.0.1 is not reached from here, which nobody found out before images were built."""
    (tmp_path / "docker").write_text(f"#!/bin/sh\necho '{address}'\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(health, "asked", lambda: (engine(Name=name), ""))
    monkeypatch.setattr(health, "unable", lambda docker: "")
    line, _ = health._engine()
    assert (line.verdict == "warn", "another machine" in line.seen) == (away, away)
    monkeypatch.setattr(registry, "_UP_WITHIN", 0.0)
    monkeypatch.setattr(registry, "answers", lambda: False)
    with pytest.raises(LabError, match="the registry") as error:
        registry.ensure(engine(Name=name), "registry:3")
    assert ("on another" in error.value.hint) == away
