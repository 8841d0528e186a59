"""Times what tasks of the exams need beside the cluster, on a warm machine: the second cluster and Traefik."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from mlops_lab.base.progress import Progress
from mlops_lab.cluster import second, traefik
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.record import current

_MIB = {"KiB": 2**-10, "MiB": 1.0, "GiB": 2.0**10}


def nodes() -> dict[str, Any]:
    """Seconds until they serve when nothing has to be built any more, and MiB of memory after a minute of rest."""
    progress = Progress()
    for remove in (second.down, traefik.down):
        remove(progress)
    for bring in (second.up, traefik.up):  # builds what is not there yet
        bring(progress)
    for remove in (second.down, traefik.down):
        remove(progress)
    began = time.monotonic()
    made = second.up(progress)
    took, began = time.monotonic() - began, time.monotonic()
    traefik.up(progress)
    served = time.monotonic() - began
    time.sleep(60)
    used = sum(_memory(name) for name in made.nodes) / 1024
    cluster = current()
    top = Kubectl(cluster.context, cluster.kubeconfig).run("top", "pods", "-n", traefik.NAMESPACE, "--no-headers")
    for remove in (second.down, traefik.down):
        remove(progress)
    return {
        "a second cluster, 2 nodes, until all is ready": (took, "s", "at most 60"),
        "memory of the idle second cluster, 2 nodes": (used, "GiB", "at most 0.9"),
        "Traefik until it serves": (served, "s", "at most 30"),
        "memory of Traefik, idle": (float(top.stdout.split()[2].removesuffix("Mi")), "MiB", "at most 60"),
    }


def _memory(container: str) -> float:
    words = ["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", container]
    said = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout.split()[0]
    unit = said[-3:]
    return float(said.removesuffix(unit)) * _MIB[unit]
