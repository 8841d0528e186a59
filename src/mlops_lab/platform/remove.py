"""What `lab down` does to the platform before it deletes the cluster, or leaves a cluster of the user's."""

from __future__ import annotations

from mlops_lab.base.errors import LabError
from mlops_lab.base.progress import Progress
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.record import Cluster
from mlops_lab.cluster.up import exclusive
from mlops_lab.engine.docker import answering
from mlops_lab.platform import keep
from mlops_lab.platform.helm import Helm, program
from mlops_lab.platform.installed import installed
from mlops_lab.platform.releases import RELEASES


def leave(cluster: Cluster, progress: Progress, keep_data: bool) -> list[str]:
    """Leave a cluster's platform.

    A kind cluster goes as a whole, so nothing is done but to keep the data if that was asked for. From a cluster of the
    user's every part is uninstalled, the last first: that also removes what a chart has outside its namespace.

    Returns:
        What was kept, in words.

    Raises:
        LabError: the data could not be kept; nothing was taken down.
    """
    if cluster.is_kind and not keep_data:
        return []
    kubectl = Kubectl(cluster.context, cluster.kubeconfig)
    with exclusive(progress):
        if cluster.is_kind:
            if answering() is None or not kubectl.answers():
                raise LabError(
                    "the cluster does not answer, so its data can't be saved",
                    "repair it first (lab up), or delete it with its data: lab down",
                )
            return keep.save(kubectl, progress)
        return _uninstall(cluster, kubectl, progress, keep_data)


def _uninstall(cluster: Cluster, kubectl: Kubectl, progress: Progress, keep_data: bool) -> list[str]:
    there = installed(kubectl)
    if not there:
        return []
    kept = keep.mark(kubectl) if keep_data else []
    helm = Helm(program(progress), cluster.context, cluster.kubeconfig)
    for release in reversed(RELEASES):
        if release.part in there:
            with progress.piece(f"removing {release.part}"):
                helm.uninstall(release.namespace)
    return kept
