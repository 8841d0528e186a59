"""Which cluster the labs work on: the connection, the prefix of its images, and what of it is ours to pause."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mlops_lab.kube.client import Kube
from mlops_lab.labs.registry import REGISTRY


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


def target(timeout: float = 10.0) -> Target:
    """The cluster that `lab up` brought up or was pointed at.

    Raises:
        LabError: there is none, or it does not answer.
    """
    from mlops_lab.kube.connection import connect

    name = os.environ.get("MLOPS_LAB_CLUSTER", "mlops-lab")
    kube = connect(f"kind-{name}", timeout=timeout)
    kube.version()
    return Target(kube, REGISTRY, f"{name}-control-plane")
