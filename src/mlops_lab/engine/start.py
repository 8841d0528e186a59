"""Make sure that an engine answers: use the one that runs, else (as root on Debian or Ubuntu) install and start one.

On macOS and Windows, or without root, nothing is installed: the error says what to do.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import stat
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import cache
from mlops_lab.base.processes import run, start
from mlops_lab.base.state_files import Damaged, kept, write
from mlops_lab.base.waiting import wait_until
from mlops_lab.engine import host
from mlops_lab.engine.docker import Docker, answering, asked, context

RUNTIME = "runc-within-bounds"
_WRAPPER = Path("/usr/local/lib/mlops-lab") / RUNTIME
_CONFIG = Path("/etc/docker/daemon.json")
_PIDFILE = Path("/var/run/docker.pid")
_PIDFILES = {_PIDFILE: "dockerd", Path("/var/run/docker/containerd/containerd.pid"): "containerd"}


def ensure(say: Callable[[str], None] = lambda _: None) -> Docker:
    """The engine that answers, started if necessary.

    Args:
        say: called with a line for each thing that is installed or started.

    Raises:
        LabError: there is none and none can be started; or the one that runs can't run a cluster's nodes.
    """
    docker, said = asked()
    docker = docker or _start(say, said)
    if lacks := unable(docker):
        docker = _wrap_running(docker, say) if _is_root_here() else docker
        if unable(docker):
            raise LabError(lacks, "run `lab up` as root, which repairs this, or install Docker 23 or later")
    return docker


def unable(docker: Docker) -> str:
    """Why this engine can't run privileged containers on this host; empty when it can."""
    here = host.is_linux() and str(docker.facts.get("KernelVersion", "")) == os.uname().release
    missing = host.capabilities_to_drop(docker.version, host.missing_capabilities()) if here else ()
    if missing and docker.facts.get("DefaultRuntime") != RUNTIME:
        return f"Docker {docker.version} can't run privileged containers on a host without {', '.join(missing)}"
    return ""


def _start(say: Callable[[str], None], said: str) -> Docker:
    """Start an engine.

    Args:
        said: what docker said when none answered.
    """
    if not host.is_linux():
        todo = "start Docker Desktop (or another Docker engine) and try again"
        raise LabError("no Docker engine answers", todo, said)
    if where := os.environ.get("DOCKER_HOST"):
        raise LabError(f"no Docker engine answers at DOCKER_HOST={where}", "start it, or unset DOCKER_HOST", said)
    if name := context():
        other = "unset DOCKER_CONTEXT" if os.environ.get("DOCKER_CONTEXT") else "docker context use default"
        raise LabError(
            f"no Docker engine answers in the Docker context {name}",
            f"start its engine (`docker context ls` shows where it is), or use this host's own: {other}", said,
        )  # fmt: skip
    if os.geteuid() != 0:
        start = "sudo systemctl start docker" if shutil.which("dockerd") else "see docs.docker.com/engine/install"
        todo = f"start one ({start}), or run `lab up` as root, which starts one"
        if host.is_wsl() and not shutil.which("dockerd"):
            todo = "start Docker Desktop; its Settings, Resources, WSL integration must have this distribution on"
        raise LabError("no Docker engine answers", todo, said)
    if not shutil.which("dockerd") or not shutil.which("docker"):
        host.apt_install("docker.io", "iptables", "ca-certificates", say=say)
        if not shutil.which("docker"):
            host.apt_install("docker-cli", say=say)  # a package of its own from Debian 13 on
        if docker := answering():
            return docker  # the package started it
    version = run(["dockerd", "--version"], within=20).stdout.partition("version ")[2]
    missing = host.capabilities_to_drop(version, host.missing_capabilities())
    if missing:
        say(f"this host lacks {', '.join(missing)}: containers run without them")
        _install_wrapper(missing, say)
    if host.has_systemd():
        say("starting the Docker engine (systemd)")
        # Not anew: one that runs, and does not answer here, may have containers.
        run(["systemctl", "start", "docker"], within=120, hint="see: journalctl -u docker")
        return wait_until(_asked, what="the Docker engine", within=60, hint="see: journalctl -u docker")
    return _detached(say)


def _asked() -> tuple[Docker | None, str]:
    docker, said = asked()
    return docker, said.strip().rpartition("\n")[2] or "no answer"


def _wrap_running(docker: Docker, say: Callable[[str], None]) -> Docker:
    """Configure a running engine with the wrapper; it reloads its settings on SIGHUP, and containers keep running."""
    missing = host.capabilities_to_drop(docker.version, host.missing_capabilities())
    say(f"this host lacks {', '.join(missing)}: containers run without them")
    _install_wrapper(missing, say)
    with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
        os.kill(int(_PIDFILE.read_text()), signal.SIGHUP)

    def probe() -> tuple[Docker | None, str]:
        now = answering()
        return (now if now and not unable(now) else None), "the old settings"

    return wait_until(probe, what="the Docker engine", within=20, hint="restart it: systemctl restart docker")


def names_one() -> bool:
    """Has the user named an engine, by DOCKER_HOST or a context? Then none is started in its place."""
    return bool(os.environ.get("DOCKER_HOST") or context())


def _is_root_here() -> bool:
    return host.is_linux() and os.geteuid() == 0 and not names_one()


def _detached(say: Callable[[str], None]) -> Docker:
    """Start dockerd in its own session, so that it outlives this command."""
    for file, program in _PIDFILES.items():
        _remove_stale_pid_file(file, program)
    log = cache() / "logs" / "dockerd.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    say(f"starting the Docker engine (no systemd here; its log: {log})")
    with log.open("ab") as sink:
        daemon = start(["dockerd"], stdout=sink, stderr=sink, cwd=Path("/"))

    def probe() -> tuple[Docker | None, str]:
        if daemon.poll() is not None:
            last = "\n".join(log.read_text(errors="replace").strip().splitlines()[-15:])
            raise LabError("the Docker engine exited right after its start", f"read its log: {log}", last)
        return _asked()

    return wait_until(probe, what="the Docker engine", within=90, hint=f"read its log: {log}")


def _install_wrapper(missing: tuple[str, ...], say: Callable[[str], None]) -> None:
    """Install the runtime wrapper and make it the engine's default; other settings of the engine are kept."""
    settings = _settings()
    if not shutil.which("jq"):
        host.apt_install("jq", say=say)
    runc = shutil.which("runc") or "/usr/sbin/runc"
    text = (files("mlops_lab.engine") / RUNTIME).read_text()
    _WRAPPER.parent.mkdir(parents=True, exist_ok=True)
    _WRAPPER.write_text(text.replace("@MISSING@", json.dumps(list(missing))).replace("@RUNC@", runc))
    _WRAPPER.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    runtimes = {**(settings.get("runtimes") or {}), RUNTIME: {"path": str(_WRAPPER)}}
    write(_CONFIG, json.dumps({**settings, "runtimes": runtimes, "default-runtime": RUNTIME}, indent=2) + "\n")


def _settings() -> dict[str, Any]:
    """The engine's settings, which are the user's too; the engine takes an empty file for none."""
    if not _CONFIG.exists() or not _CONFIG.read_bytes().strip():
        return {}
    repair = "repair it, or move it away to do without its settings; then try again"
    settings = kept(_CONFIG, dict[str, Any], "the Docker engine's configuration", repair) or {}
    if not isinstance(settings.get("runtimes") or {}, dict):
        raise Damaged(_CONFIG, "the Docker engine's configuration", "has runtimes that are no object", repair)
    return settings


def _remove_stale_pid_file(file: Path, program: str) -> None:
    """Delete the pid file of a killed engine. If another process has got that pid, dockerd would take it for its own,
    and refuse to start or wait in vain for its containerd.
    """
    try:
        name = Path(f"/proc/{int(file.read_text())}/comm").read_text().strip()
    except (FileNotFoundError, ValueError, ProcessLookupError):
        name = ""
    if name != program:
        file.unlink(missing_ok=True)
