"""What is stored about a cluster between commands: which one is in use, and whether it was created completely.

Of the kind cluster also whether a class is in it, since one that does not answer can't be asked before it is deleted.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_lab.base import durable
from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import state
from mlops_lab.base.state_files import Damaged, kept, write
from mlops_lab.cluster import names

if TYPE_CHECKING:
    from mlops_lab.engine.docker import Docker


@dataclass(frozen=True)
class Cluster:
    """The cluster in use.

    Args:
        context: its kubeconfig context.
        registry: the prefix under which its nodes pull the project's images, such as localhost:5001.
        nodes: for a kind cluster `small` or `default`; empty for one that the user named.
        image: for a kind cluster, the engine's name of its node image.
        network_ours: kind's Docker network was not there before.
        kubeconfig: the file that holds the context, where it is not the default one.
        engine: for a kind cluster, the ID of the Docker engine that has it, as `docker info` tells it.
        engine_name: and that engine's name, such as docker-desktop.
    """

    context: str
    registry: str
    nodes: str = ""
    image: str = ""
    network_ours: bool = False
    kubeconfig: str = ""
    engine: str = ""
    engine_name: str = ""

    @property
    def is_kind(self) -> bool:
        """Was it made by `lab up` with kind, so that nodes are containers beside us?"""
        return bool(self.nodes)


def current() -> Cluster:
    """The cluster that commands work on.

    Raises:
        LabError: none was brought up.
    """
    found = named() or made()
    if found is None:
        raise LabError("there is no cluster", "create one: lab up")
    return found


def named() -> Cluster | None:
    """The existing cluster that the user named with `lab up --context`, if any.

    Raises:
        Damaged: its record can't be read.
    """
    return _read(_named_file(), "name it again: lab up --context NAME --registry PREFIX; or forget it: lab down")


def made() -> Cluster | None:
    """The kind cluster, if it was made whole.

    Raises:
        Damaged: its record can't be read; `mend` writes it again.
    """
    return _read(made_file(), "lab up writes it again; lab down deletes the cluster")


def remember(cluster: Cluster) -> None:
    """Use this cluster from now on."""
    path = made_file() if cluster.is_kind else _named_file()
    write(path, json.dumps(dataclasses.asdict(cluster), indent=1))


def on(cluster: Cluster, docker: Docker) -> Cluster:
    """The kind cluster, with the engine noted that has it."""
    return dataclasses.replace(
        cluster, engine=str(docker.facts.get("ID", "")), engine_name=str(docker.facts.get("Name", ""))
    )


def require_engine(cluster: Cluster, docker: Docker) -> None:
    """See that a kind cluster of which no container is found is not on another engine, where it may be well.

    Raises:
        LabError: it is.
    """
    if cluster.engine in ("", docker.facts.get("ID")):
        return
    raise LabError(
        f"the cluster {names.cluster()} is on another Docker engine ({cluster.engine_name}) than the one that answers"
        f" ({docker.facts.get('Name', '')}); nothing was changed",
        "use that one (docker context use NAME, or DOCKER_HOST); if it is gone for good: lab down --yes",
    )


def made_file() -> Path:
    """Where the record of the kind cluster is, once that was made whole."""
    return state() / "clusters" / f"kind-{names.cluster()}.json"


def forget(cluster: Cluster | None = None) -> None:
    """Forget a cluster; without an argument the kind cluster, which may be half made, and the class in it."""
    if cluster and not cluster.is_kind:
        _named_file().unlink(missing_ok=True)
        return
    made_file().unlink(missing_ok=True)
    note_class(False)


def note_class(there: bool) -> None:
    """Note that a class's gradebook is in the kind cluster, or that none is any more."""
    if not there:
        _class_file().unlink(missing_ok=True)
    elif not has_class():
        durable.write(_class_file(), "lab class up\n")


def has_class() -> bool:
    """Is a class's gradebook in the kind cluster, as far as is known here? That it is there counts, not its content."""
    return _class_file().exists()


def _named_file() -> Path:
    return state() / "clusters" / "named.json"


def _class_file() -> Path:
    return state() / "clusters" / f"kind-{names.cluster()}.class"


def _read(path: Path, todo: str) -> Cluster | None:
    what = "the record of the cluster in use"
    found = kept(path, Cluster, what, todo)
    if found and found.nodes not in (names.NODES if path == made_file() else ("",)):
        raise Damaged(path, what, f"is of another kind of cluster (nodes: {found.nodes!r})", todo)
    return found
