"""Records of the cluster that can't be read: written again from what is there, or put out of the way of `lab down`.

A record is written only once its cluster was made whole, so a damaged one still says that much. Whoever calls this
holds the cluster.
"""

from __future__ import annotations

from collections.abc import Callable

from mlops_lab.base import state_files
from mlops_lab.base.processes import find
from mlops_lab.base.state_files import Damaged
from mlops_lab.cluster import kind, names, record
from mlops_lab.cluster.record import Cluster
from mlops_lab.engine import start
from mlops_lab.engine.docker import Docker, answering


def made(engine: Callable[[], Docker | None], say: Callable[[str], None]) -> Cluster | None:
    """The kind cluster, if it was made whole; a damaged record of it is written again from the cluster's containers.

    Args:
        engine: asked only for a damaged record.
    """
    try:
        return record.made()
    except Damaged as damaged:
        docker = engine()
        found = kind.nodes(docker) if docker else []
        sizes = {len(roles): size for size, roles in names.NODES.items()}
        aside = state_files.set_aside(damaged.file)
        if len(found) not in sizes:
            say(f"{damaged.message}; there is no whole cluster either, so it is now {aside.name}")
            return None
        cluster = Cluster(
            names.context(), names.REGISTRY_PREFIX, sizes[len(found)], found[0].image, network_ours=True
        )  # fmt: skip
        record.remember(cluster)
        say(f"{damaged.message}; it is written again from the cluster's {len(found)} containers")
        return cluster


def named(say: Callable[[str], None]) -> bool:
    """Whether the record of the user's own cluster can be read; one that can't is put out of the way."""
    try:
        record.named()
    except Damaged as damaged:
        aside = state_files.set_aside(damaged.file)
        say(f"{damaged.message}; it is now {aside.name}, and no cluster of yours is in use any more")
        return False
    return True


def installed(say: Callable[[str], None]) -> Docker | None:
    """The engine, started if it is there and does not answer."""
    return answering() or (start.ensure(say) if find("docker") else None)
