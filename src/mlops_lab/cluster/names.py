"""The names and addresses of the cluster and its registry. Everything that is published listens on 127.0.0.1."""

from __future__ import annotations

import os
import re

from mlops_lab.base.errors import UsageError

REGISTRY = "mlops-lab-registry"
REGISTRY_PORT = 5001
REGISTRY_PREFIX = f"localhost:{REGISTRY_PORT}"
NETWORK = "kind"
NAMESPACE = "mlops-lab-system"
NODES = {"small": ("control-plane",), "default": ("control-plane", "worker", "worker")}
SECOND_NODES = ("control-plane", "worker")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")  # what kind takes, and Docker for the containers that are called by it


def cluster() -> str:
    """kind's name of the cluster; MLOPS_LAB_CLUSTER changes it (tests bring up a second one).

    Raises:
        UsageError: that is no name for a cluster.
    """
    name = os.environ.get("MLOPS_LAB_CLUSTER") or "mlops-lab"
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"MLOPS_LAB_CLUSTER is {name!r}, which can't be a cluster's name",
            "name it with small letters, digits, - and ., as in: export MLOPS_LAB_CLUSTER=my-labs",
        )
    return name


def context(of: str = "") -> str:
    """The kubeconfig context of the kind cluster, or of another one by kind's name."""
    return f"kind-{of or cluster()}"


def second() -> str:
    """kind's name of the second cluster, for tasks that break nodes: it goes by the first one's."""
    return f"{cluster()}-exam"
