"""The names and addresses of the cluster and its registry. Everything that is published listens on 127.0.0.1."""

from __future__ import annotations

import os

REGISTRY = "mlops-lab-registry"
REGISTRY_PORT = 5001
REGISTRY_PREFIX = f"localhost:{REGISTRY_PORT}"
NETWORK = "kind"
NAMESPACE = "mlops-lab-system"
NODES = {"small": ("control-plane",), "default": ("control-plane", "worker", "worker")}
SECOND_NODES = ("control-plane", "worker")


def cluster() -> str:
    """kind's name of the cluster; MLOPS_LAB_CLUSTER changes it (tests bring up a second one)."""
    return os.environ.get("MLOPS_LAB_CLUSTER", "mlops-lab")


def context(of: str = "") -> str:
    """The kubeconfig context of the kind cluster, or of another one by kind's name."""
    return f"kind-{of or cluster()}"


def second() -> str:
    """kind's name of the second cluster, for tasks that break nodes: it goes by the first one's."""
    return f"{cluster()}-exam"
