"""Delete the kind cluster: its containers, network, volumes and kubeconfig entries. The image cache stays."""

from __future__ import annotations

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import find
from mlops_lab.base.progress import Progress
from mlops_lab.cluster import homes, kind, kubeconfig, names, record, registry, second
from mlops_lab.cluster.record import Cluster
from mlops_lab.engine import start
from mlops_lab.engine.docker import Docker, answering


def down(progress: Progress, sure: bool = False) -> list[str]:
    """Delete everything; safe to repeat. The caller has the cluster `exclusive`.

    Args:
        sure: also what another home has made; and forget a cluster on another engine, or on one that does not answer.

    Returns:
        What was removed, in words; empty when there was nothing.

    Raises:
        LabError: a cluster of that name is not ours, or another home's, or the engine can't be asked.
    """
    removed: list[str] = []
    made = record.made()
    if docker := _engine(made, progress, sure):
        require_own(docker, made, sure)
        with second.exclusive(progress):  # one that is being made would be there afterwards
            if second.remove(docker):
                removed.append(f"cluster {names.second()}")
        record.forget()  # if this is interrupted, what is left counts as unfinished
        if kind.remove(docker):
            removed.append(f"cluster {names.cluster()}")
        others = kind.all_nodes(docker)
        if not any(each.ours for each in others) and registry.remove(docker):
            removed.append("registry")
        if not others and (made is None or made.network_ours) and _remove_network(docker):
            removed.append("network")
    else:
        if made:
            progress.say("no Docker engine answers; what it may have of the cluster stays there")
            removed.append(f"record of the cluster {names.cluster()}")
        if kubeconfig.left(names.context()):
            removed.append("kubeconfig entry")
            kubeconfig.remove(names.context())
        second.forget()
        record.forget()
    return removed


def require_own(docker: Docker, made: Cluster | None, sure: bool) -> None:
    """See that what `down` would delete on this engine is ours.

    Args:
        made: the cluster as it is recorded.
        sure: as for `down`.

    Raises:
        LabError: it is not.
    """
    found = kind.nodes(docker)
    if not sure:
        homes.require_own_home(found, record.made_file())
        second.require_own_home(kind.nodes(docker, names.second()))
    if made and not found and not sure:
        record.require_engine(made, docker)
    homes.require_ours(found)


def _engine(made: Cluster | None, progress: Progress, sure: bool) -> Docker | None:
    """The engine; a dead one is started, since its containers come back with it.

    Args:
        made: the cluster as it is recorded.
        sure: it may be gone for good.

    Returns:
        None where there never was one; or, with `sure`, where none is recorded or it can't be started.

    Raises:
        LabError: it can't be started; or nothing is recorded, and it may have what is left of a cluster.
    """
    if docker := answering():
        return docker
    if not find("docker") or (sure and made is None):
        return None
    if made is None:
        raise LabError(
            "no Docker engine answers, so it is not known whether anything of a cluster is left",
            "start it, then: lab down; what was left comes back with it; if it is gone for good: lab down --yes",
        )
    try:
        return start.ensure(progress.say)
    except LabError:
        if not sure:
            raise
        return answering()  # one that can't run nodes can remove them


def _remove_network(docker: Docker) -> bool:
    """Remove kind's network, if nothing is on it any more; of containers only those that run are told."""
    found = docker.inspect("network", names.NETWORK)
    return (
        bool(found and not found.get("Containers"))
        and docker.run("network", "rm", names.NETWORK, check=False).code == 0
    )
