"""Times what tasks of the exams need beside the cluster, on a warm machine: the second cluster and Traefik."""

from __future__ import annotations

import time
from typing import Any

import bench_memory

from mlops_lab.base.progress import Progress
from mlops_lab.cluster import names, second, traefik
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.record import current
from mlops_lab.exam.sitting import go_on, under_way
from mlops_lab.exam.state import Store


def nodes() -> dict[str, Any]:
    """Seconds until they serve when nothing has to be built any more, and MiB of memory after a minute of rest.

    Raises:
        SystemExit: an exam is under way, or somebody has the second cluster.
    """
    if theirs := Store().open():
        raise SystemExit(f"nothing was measured: {under_way(theirs)}\n  next: {go_on(theirs)}")
    if second.found():
        raise SystemExit("nothing was measured: somebody has the second cluster")
    progress = Progress()
    for remove in (second.down, traefik.down):
        remove(progress)
    for bring in (second.up, traefik.up):  # builds what is not there yet
        bring(progress)
    for remove in (second.down, traefik.down):
        remove(progress)
    began = time.monotonic()
    second.up(progress)
    took, began = time.monotonic() - began, time.monotonic()
    traefik.up(progress)
    served = time.monotonic() - began
    used = bench_memory.idle(of=names.second())
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
