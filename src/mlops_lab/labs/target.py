"""The cluster that labs use: the connection, the prefix of its images, and the control plane that may be paused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlops_lab.kube.client import Kube


@dataclass(frozen=True)
class Target:
    """A cluster for labs.

    Attributes:
        registry: the prefix of image names there.
        control_plane: the name of the container of its control plane, empty on a cluster that is not ours.
        engine: the program that runs that container.
    """

    kube: Kube
    registry: str
    control_plane: str = ""
    engine: str = "docker"


def target(timeout: float = 10) -> Target:
    """The cluster that `lab up` created or was told to use.

    Args:
        timeout: limit of every single request in seconds.

    Raises:
        LabError: there is none, or it does not answer.
    """
    from mlops_lab.cluster import names
    from mlops_lab.cluster.record import current
    from mlops_lab.kube.connection import connect

    cluster = current()
    kube = connect(cluster.context, Path(cluster.kubeconfig) if cluster.kubeconfig else None, timeout)
    kube.version()
    return Target(kube, cluster.registry, f"{names.cluster()}-control-plane" if cluster.is_kind else "")
