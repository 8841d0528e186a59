"""The base host: a shell, or an environment for a program, in which `ssh NODE` leads to root on a node of the clusters.

`k`, kubectl's completion and the kubeconfigs are there, as in the exam. The kubeconfig is a copy: what is set in it
(`kubectl config set-context --current --namespace x`) is not set in the user's own. All of it is in a folder of its own
below the user's records; nothing listens, and the user's own settings of the shell count too.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import state
from mlops_lab.base.processes import find
from mlops_lab.base.state_files import write
from mlops_lab.cluster import kind, names, record, second
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.engine.docker import answering
from mlops_lab.images.recipes import helm as recipe
from mlops_lab.images.store import Store

# What is in the folder: its path -> the file of this package, and whether it is a program.
_FILES = {
    "bin/ssh": ("ssh", True),
    "bin/k": ("k", True),
    "bashrc": ("bashrc", False),
    "settings.zsh": ("settings.zsh", False),
}


def folder() -> Path:
    """The folder that holds what the base host has."""
    return state() / "base-host" / names.cluster()


def hosts() -> dict[str, str]:
    """What `ssh` takes: the nodes' names, whole and without the name that all of them begin with -> the container.

    Raises:
        LabError: the engine can't be asked.
    """
    docker = answering()
    if docker is None:
        return {}
    there = [*kind.nodes(docker), *kind.nodes(docker, names.second())]
    ours = [each.name for each in there if each.ours]
    return {name: name for name in ours} | {name.removeprefix(f"{names.cluster()}-"): name for name in ours}


def environment(kubeconfig: str = "") -> dict[str, str]:
    """Variables to add to a program's: with them it finds `ssh NODE`, `k`, kubectl and the kubeconfigs.

    It is made for the clusters that are there now. A second cluster that comes later is known to programs that run
    already once this was called again.

    Args:
        kubeconfig: what kubectl is to use instead of both clusters' contexts, such as a task's own file.

    Raises:
        LabError: there is no cluster, or it can't be asked.
    """
    base = folder()
    for place, (source, program) in _FILES.items():
        _keep(base / place, _text(source), 0o777 if program else 0o666)
    _keep(base / "hosts", "".join(f"{name} {node}\n" for name, node in sorted(hosts().items())), 0o666)
    if not kubeconfig:
        _copy_kubeconfig(base / "kubeconfig")
    own = [str(base / "bin")]
    path = [each for each in os.environ.get("PATH", os.defpath).split(os.pathsep) if each not in own]
    # Where `lab` itself is, and kubectl with it, and the helm that installs the platform.
    beside = str(Path(sys.executable).parent)
    helm = recipe.path(Store())
    config = kubeconfig or os.pathsep.join(map(str, (base / "kubeconfig", second.kubeconfig_file())))
    return {
        "PATH": os.pathsep.join(dict.fromkeys([*own, *path, beside, *([str(helm.parent)] if helm else [])])),
        "KUBECONFIG": config,
        "MLOPS_LAB_BASE": str(base),
        "MLOPS_LAB_KUBECONFIG": config,
    }


def to_nodes() -> dict[str, str]:
    """What leads to the nodes (`ssh NODE`) from a shell with a kubeconfig of its own; nothing without an engine."""
    try:
        whole = environment()
    except LabError:
        return {}
    return {name: value for name, value in whole.items() if "KUBECONFIG" not in name}


def show(place: str) -> None:
    """Have the prompts of all open shells show this, such as a task's host and namespace; empty for nothing."""
    _keep(folder() / "place", f"{' '.join(place.split())}\n", 0o666)


def command(kubeconfig: str = "") -> tuple[list[str], dict[str, str]]:
    """The words of the user's shell (zsh if that is theirs, else bash), and the variables to add.

    Args:
        kubeconfig: as `environment`.

    Raises:
        LabError: there is no bash, or no cluster.
    """
    added, base = environment(kubeconfig), folder()
    if found := zsh(base / "settings.zsh"):
        words, more = found
        return words, {**added, **more}
    bash = theirs("bash") or find("bash")
    if not bash:
        raise LabError("there is no bash", "install it (Debian: apt-get install bash)")
    return [str(bash), "--rcfile", str(base / "bashrc"), "-i"], added


def theirs(name: str) -> str:
    """The user's shell, if that is the one of this name and is there; else empty."""
    found = os.environ.get("SHELL", "")
    return found if Path(found).name == name and shutil.which(found) else ""


def zsh(settings: Path) -> tuple[list[str], dict[str, str]] | None:
    """Where zsh is the user's shell: its words, and the variables with which it reads settings after the user's own.

    Raises:
        LabError: the files that zsh reads instead of the user's can't be written.
    """
    program, place = theirs("zsh"), state() / "zsh"
    if not program:
        return None
    for name in ("zshenv", "zshrc"):
        _keep(place / f".{name}", _text(name), 0o666)
    before = {"MLOPS_LAB_ZDOTDIR": os.environ["ZDOTDIR"]} if os.environ.get("ZDOTDIR") else {}
    return [program, "-i"], {**before, "ZDOTDIR": str(place), "MLOPS_LAB_ZSHRC": str(settings)}


def enter(kubeconfig: str = "") -> None:
    """Become that shell: when it ends, so does this process.

    Args:
        kubeconfig: as `environment`.

    Raises:
        LabError: as `command`.
    """
    words, added = command(kubeconfig)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(words[0], words, {**os.environ, **added})


def _copy_kubeconfig(file: Path) -> None:
    """The first cluster's context alone; what was set in the copy stays while it leads to the same cluster."""
    cluster = record.current()
    kubectl = Kubectl(cluster.context, cluster.kubeconfig)
    whole = yaml.safe_load(kubectl.run("config", "view", "--raw", "--flatten", "--minify").stdout)
    before: dict[str, Any] = {}
    if file.exists():
        try:
            before = yaml.safe_load(file.read_text()) or {}
        except (yaml.YAMLError, ValueError, RecursionError):  # whoever has spoilt it gets it back
            before = {}
    parts = ("clusters", "users")
    if not isinstance(before, dict) or any(before.get(part) != whole.get(part) for part in parts):
        write(file, yaml.safe_dump(whole, sort_keys=False), mode=0o600)


def _text(name: str) -> str:
    return (files("mlops_lab.cluster") / "base_host" / name).read_text()


def _keep(file: Path, text: str, mode: int) -> None:
    """Write a file unless it is there as it should be."""
    if not file.exists() or file.read_bytes() != text.encode():
        write(file, text, mode=mode)
