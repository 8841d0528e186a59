"""What decides how an engine is set up: capabilities, the runtime wrapper, who may start what."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.cluster import health
from mlops_lab.engine import docker as docker_module
from mlops_lab.engine import host, start
from mlops_lab.engine.docker import Docker, answering, architecture, asked


def bounding(folder: Path, bits: str, last: int = 40) -> tuple[str, ...]:
    (folder / "status").write_text(f"Name:\tx\nCapBnd:\t{bits}\nCapAmb:\t0\n")
    (folder / "last").write_text(f"{last}\n")
    return host.missing_capabilities(folder / "status", folder / "last")


def test_a_full_bounding_set_lacks_nothing(tmp_path: Path) -> None:
    assert bounding(tmp_path, "000001ffffffffff") == ()


def test_a_missing_bit_is_named(tmp_path: Path) -> None:
    assert bounding(tmp_path, "000001fffeffffff") == ("CAP_SYS_RESOURCE",)


def test_an_old_kernel_is_not_said_to_lack_what_it_does_not_know(tmp_path: Path) -> None:
    assert bounding(tmp_path, "0000003fffffffff", last=37) == ()


def test_no_proc_means_nothing_is_known(tmp_path: Path) -> None:
    assert host.missing_capabilities(tmp_path / "nowhere") == ()


@pytest.mark.parametrize(
    ("version", "dropped"),
    [("20.10.24+dfsg1", ("CAP_SYS_RESOURCE",)), ("23.0.1", ()), ("28.2.2", ()), ("", ())],
)
def test_only_old_engines_need_the_wrapper(version: str, dropped: tuple[str, ...]) -> None:
    assert host.capabilities_to_drop(version, ("CAP_SYS_RESOURCE",)) == dropped


@pytest.mark.parametrize(("machine", "name"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("arm64", "arm64")])
def test_architectures_are_spelled_as_go_spells_them(machine: str, name: str) -> None:
    assert architecture(machine) == name


def wrapper(folder: Path) -> Path:
    """The runtime wrapper, with a program in runc's place that notes its arguments."""
    runc = folder / "runc"
    runc.write_text(f'#!/bin/sh\necho "$@" >{folder}/called\n')
    runc.chmod(0o755)
    text = (files("mlops_lab.engine") / start.RUNTIME).read_text()
    script = folder / "wrapper"
    script.write_text(text.replace("@MISSING@", '["CAP_SYS_RESOURCE"]').replace("@RUNC@", str(runc)))
    script.chmod(0o755)
    return script


@pytest.mark.skipif(not shutil.which("jq"), reason="the wrapper uses jq, which is installed along with it")
@pytest.mark.parametrize("verb", ["create", "exec"])
def test_the_wrapper_takes_out_what_the_host_lacks_and_nothing_else(tmp_path: Path, verb: str) -> None:
    sets = {"bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"], "effective": ["CAP_SYS_RESOURCE"], "ambient": None}
    process: dict[str, Any] = {"args": ["sh"], "capabilities": sets}
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "config.json").write_text(json.dumps({"ociVersion": "1.0", "process": process}))
    (tmp_path / "process.json").write_text(json.dumps(process))
    words = {"create": ["--bundle", str(bundle)], "exec": ["--process", str(tmp_path / "process.json")]}[verb]
    subprocess.run([wrapper(tmp_path), "--log", "x", verb, *words, "id"], check=True)
    assert (tmp_path / "called").read_text().split() == ["--log", "x", verb, *words, "id"]
    path = {"create": bundle / "config.json", "exec": tmp_path / "process.json"}[verb]
    written = json.loads(path.read_text())
    held = (written["process"] if verb == "create" else written)["capabilities"]
    assert held == {"bounding": ["CAP_CHOWN"], "effective": [], "ambient": None}


@pytest.mark.skipif(not shutil.which("jq"), reason="the wrapper uses jq, which is installed along with it")
def test_the_wrapper_leaves_a_container_without_capabilities_alone(tmp_path: Path) -> None:
    config = {"process": {"args": ["sh"]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    subprocess.run([wrapper(tmp_path), "create", "-b", str(tmp_path), "id"], check=True)
    assert json.loads((tmp_path / "config.json").read_text()) == config


def fake_docker(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_no_engine_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_docker(monkeypatch, tmp_path, 'echo \'{"ServerErrors": ["Cannot connect"]}\'; exit 1')
    assert answering() is None


TOO_OLD = "Error response from daemon: client version 1.41 is too old. Minimum supported API version is 1.44"
SAID = "unable to resolve docker endpoint"


def test_what_docker_says_instead_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_docker(monkeypatch, tmp_path, f'echo \'{{"ServerErrors": ["{SAID}"]}}\'; echo first >&2; exit 1')
    assert asked() == (None, f"first\n{SAID}")
    monkeypatch.setattr(health.host, "can_install", lambda: False)
    line, _ = health._engine()
    assert (line.verdict, line.seen) == ("fail", f"no Docker engine answers ({SAID})")
    fake_docker(monkeypatch, tmp_path, f'echo \'{{"ServerErrors": ["{TOO_OLD}"]}}\'; exit 1')
    with pytest.raises(LabError, match="don't fit each other") as error:
        asked()
    assert error.value.detail == TOO_OLD
    fake_docker(monkeypatch, tmp_path, "echo; echo 'We recommend to activate the WSL integration.'; exit 1")
    assert asked() == (None, "We recommend to activate the WSL integration."), "what WSL2 has in docker's place"


def test_an_engine_without_rights_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_docker(monkeypatch, tmp_path, "echo 'permission denied while trying to connect' >&2; exit 1")
    with pytest.raises(LabError) as error:
        answering()
    assert "docker" in error.value.hint


UNREADABLE = "WARNING: Error loading config file: /home/u/.docker/config.json: permission denied"


def test_an_engine_that_answers_counts_though_the_client_can_not_read_its_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_docker(monkeypatch, tmp_path, f"echo '{UNREADABLE}' >&2; echo '{{\"ServerVersion\": \"28.1\"}}'")
    docker = answering()
    assert docker and docker.version == "28.1"
    fake_docker(monkeypatch, tmp_path, f"echo '{UNREADABLE}' >&2; exit 1")
    assert answering() is None, "no engine, which no group's membership mends"


def test_without_root_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "asked", lambda: (None, SAID))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(start, "context", lambda: "")
    monkeypatch.setattr(host, "apt_install", lambda *_, **__: pytest.fail("installed something"))
    monkeypatch.setattr(host.platform, "release", lambda: "6.1.0")
    with pytest.raises(LabError) as error:
        start.ensure()
    assert "root" in error.value.hint and error.value.detail == SAID
    monkeypatch.setattr(host.platform, "release", lambda: "5.15.167.4-microsoft-standard-WSL2")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(LabError) as error:
        start.ensure()
    assert "WSL integration" in error.value.hint and "root" not in error.value.hint


def test_elsewhere_than_linux_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "asked", lambda: (None, SAID))
    monkeypatch.setattr(host, "is_linux", lambda: False)
    with pytest.raises(LabError) as error:
        start.ensure()
    assert "Docker Desktop" in error.value.hint and error.value.detail == SAID


def test_an_engine_elsewhere_is_not_started_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "asked", lambda: (None, SAID))
    monkeypatch.setattr(host, "is_linux", lambda: True)
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2376")
    with pytest.raises(LabError) as error:
        start.ensure()
    assert "DOCKER_HOST" in error.value.message and error.value.detail == SAID


@pytest.mark.parametrize("by", ["settings", "variable"])
def test_an_engine_of_another_context_is_not_started_here(
    by: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Such as Docker Desktop's on Linux, or a rootless one: the host's own would be another, and would not be asked."""
    monkeypatch.setattr(start, "asked", lambda: (None, SAID))
    monkeypatch.setattr(health, "asked", lambda: (None, SAID))
    monkeypatch.setattr(start.host, "is_linux", lambda: True)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(start.shutil, "which", lambda name: pytest.fail(f"looked for {name}, to start it"))
    monkeypatch.setattr(health.host, "can_install", lambda: True)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    if by == "settings":
        monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
        (tmp_path / "config.json").write_text('{"currentContext": "desktop-linux"}')
    else:
        monkeypatch.setenv("DOCKER_CONTEXT", "desktop-linux")
    with pytest.raises(LabError, match="context desktop-linux") as error:
        start.ensure()
    assert ("unset DOCKER_CONTEXT" in error.value.hint) == (by == "variable") and error.value.detail == SAID
    line, _ = health._engine()
    assert line.verdict == "fail" and "context" in line.todo


def test_the_default_context_is_none_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert docker_module.context() == ""
    monkeypatch.delenv("DOCKER_CONTEXT")
    assert docker_module.context() == ""
    (tmp_path / "config.json").write_text('{"currentContext": "colima"}')
    assert docker_module.context() == "colima"
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock")  # counts before a context
    assert docker_module.context() == ""


def test_root_starts_an_engine_and_never_ends_one_that_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It may run, and not answer for another reason: a context that is not there, a certificate."""
    fake_docker(monkeypatch, tmp_path, f'echo \'{{"ServerErrors": ["{SAID}"]}}\'')
    programs = {"dockerd": "echo Docker version 28.1.0, build 1", "systemctl": f"echo $* >>{tmp_path}/told"}
    for program, said in programs.items():
        (tmp_path / program).write_text(f"#!/bin/sh\n{said}\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(host, "has_systemd", lambda: True)
    monkeypatch.setattr(host, "missing_capabilities", lambda: ())
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(start, "context", lambda: "")
    clock = iter(range(0, 10_000, 20))
    # A clock of its own: threads that other tests have left ask the machine's.
    own = SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda seconds: None)
    monkeypatch.setattr("mlops_lab.base.waiting.time", own)
    with pytest.raises(LabError, match=f"last seen: {SAID}"):
        start.ensure()
    assert (tmp_path / "told").read_text() == "start docker\n"


def engine(**facts: Any) -> Docker:
    return Docker({"ServerVersion": "20.10.24", "KernelVersion": os.uname().release, **facts})


def test_an_old_engine_on_a_restricted_host_is_unfit_without_the_wrapper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "missing_capabilities", lambda: ("CAP_SYS_RESOURCE",))
    assert "CAP_SYS_RESOURCE" in start.unable(engine(DefaultRuntime="runc"))
    assert start.unable(engine(DefaultRuntime=start.RUNTIME)) == ""
    assert start.unable(engine(ServerVersion="28.2.2", DefaultRuntime="runc")) == ""
    assert start.unable(engine(KernelVersion="another machine's")) == ""


def test_root_sets_a_running_engine_right_instead_of_refusing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "missing_capabilities", lambda: ("CAP_SYS_RESOURCE",))
    monkeypatch.setattr(start, "asked", lambda: (engine(DefaultRuntime="runc"), ""))
    monkeypatch.setattr(start, "_is_root_here", lambda: False)
    with pytest.raises(LabError, match="CAP_SYS_RESOURCE") as error:
        start.ensure()
    assert "root" in error.value.hint
    right = engine(DefaultRuntime=start.RUNTIME)
    monkeypatch.setattr(start, "_is_root_here", lambda: True)
    monkeypatch.setattr(start, "_wrap_running", lambda docker, say: right)
    assert start.ensure() is right


def test_facts_are_read_from_the_engine() -> None:
    facts = Docker({"Architecture": "aarch64", "NCPU": 8, "MemTotal": 5, "CgroupVersion": "2", "ServerVersion": "28"})
    assert (facts.arch, facts.cpus, facts.memory, facts.cgroup_version, facts.version) == ("arm64", 8, 5, 2, "28")
    assert docker_module.architecture("") in ("amd64", "arm64")
