"""The stage of a lab that breaks nodes: the second cluster, made anew for each step."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_lab.checks.check import Check
from mlops_lab.checks.lab import Lab
from mlops_lab.checks.run import Environment
from mlops_lab.cluster.holder import Holder
from mlops_lab.labs import images, namespaces
from mlops_lab.labs import target as targets
from mlops_lab.labs.catalog import Exercise, about
from mlops_lab.labs.target import Target
from mlops_lab.labs.variants import Variant, forget, lay_out
from mlops_lab.labs.workspace import fill, put_kubeconfig
from mlops_lab.proof import stage as stages
from mlops_lab.tasks import grounds
from mlops_lab.tasks.script import answer
from mlops_lab.tasks.task import MAIN

_HASTY = 3.0  # s that a request may take in the outage
# What each cluster has by a name of its own: who may sign its API server's certificate.
_OWN = "clustertrustbundles/kubernetes.io:kube-apiserver-serving:"


def live(exercise: Exercise, checks: Sequence[Check], prefix: str = "verify") -> stages.LiveStage:
    """The stage on the cluster that the lab stands on.

    Args:
        prefix: what the names of all that it makes begin with: the command's.
    """
    if about(exercise).cluster == MAIN:
        return stages.LiveStage(targets.target(), targets.target(timeout=_HASTY), exercise, checks, prefix)
    return NodesStage(exercise, checks, prefix)


class NodesStage(stages.LiveStage):
    """The stage on the second cluster, which is there from the first fresh start to the end.

    Args:
        prefix: as `live`.
    """

    def __init__(self, exercise: Exercise, checks: Sequence[Check], prefix: str = "verify") -> None:
        main = targets.target()  # it is there, or nothing can be made
        super().__init__(main, main, exercise, checks, prefix)
        command = f"lab {prefix} {exercise.number}"
        self._holder = Holder(f"`{command}`", f"let it end, or run it again if it was killed: {command}")

    def fresh(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A learner's reset makes the cluster anew, too."""
        grounds.remove(self._exercise, self._holder)
        self._target = grounds.make(self._exercise, self._holder)
        self._hasty = grounds.make(self._exercise, self._holder, timeout=_HASTY)
        kube = self._target.kube
        namespaces.create(kube, self._exercise, self.namespace)
        namespaces.seed(kube, self._exercise, self.namespace, self._target.registry)
        forget(self.workspace)
        fill(self.workspace, self._exercise.folder / "start", self._target.registry)
        put_kubeconfig(self.workspace, kube, self.namespace)
        grounds.set_up(self._target, self._exercise, self.namespace, self.workspace)

    def work(self, variant: Variant) -> None:
        images.bring(variant.images)
        forget(self.workspace)
        lay_out(variant, self.workspace, self._target.registry)
        put_kubeconfig(self.workspace, self._target.kube, self.namespace)
        answer(grounds.place(self._target), self.workspace)

    def objects(self) -> list[str]:
        return [name for name in super().objects() if not name.startswith(_OWN)]

    def clear(self) -> None:
        try:
            grounds.remove(self._exercise, self._holder)
        finally:
            forget(self.workspace)

    def _looks(self, target: Target) -> Environment:
        return grounds.probe(target, self._exercise, self.namespace)

    def _lab(self, target: Target, mistake: str = "") -> Lab:
        return grounds.lab_object(target, self._exercise, self.namespace, self.workspace, mistake)
