"""The `lab` of a grader: the rooms that every check gets, put together for a sandbox in the cluster that grades.

Nothing of a check is another here. What differs is where things are: programs of the checker's and of the learner's
run in the third place, and the platform is reached by its Services, since this process is in the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlops_lab.checks.lab import Lab
from mlops_lab.checks.rooms.nodes import Nodes
from mlops_lab.checks.rooms.objects import Objects
from mlops_lab.checks.rooms.platform import Platform
from mlops_lab.checks.rooms.programs import Programs
from mlops_lab.checks.rooms.traffic import Traffic
from mlops_lab.checks.rooms.usage import Usage
from mlops_lab.classroom.grader.apart.place import Place
from mlops_lab.classroom.grader.apart.work import ApartWork
from mlops_lab.classroom.grader.kubelets import Direct
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.elsewhere import Elsewhere
from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE
from mlops_lab.measure.cluster.starvation import Starvation
from mlops_lab.measure.services.port_forwards import PortForwards
from mlops_lab.platform.releases import RELEASES


def lab_of(
    kube: Kube,
    number: str,
    namespace: str,
    workspace: Path,
    registry: str,
    settings: Mapping[str, str],
    place: Place,
    seed: int,
    klass: str,
) -> Lab:
    """The rooms of a lab in a sandbox.

    Args:
        settings: as for `Lab.on`.
        place: the third place.
        seed: with which the lab draws.
        klass: the class's own namespace.
    """
    kube = Direct(kube, klass)
    objects = Objects(kube, namespace)
    return Lab(
        number,
        objects,
        Traffic(kube, namespace, objects),
        ApartWork(workspace, namespace, registry, settings, place),
        InsidePlatform(kube, namespace, registry, settings),
        Programs(Elsewhere(kube, SYSTEM_NAMESPACE, place.namespace), registry, settings),
        Nodes(kube, namespace),
        Usage(kube, namespace),
        machine=Starvation(Counted(kube, klass, place.namespace, namespace), namespace),
        seed=seed,
    )


class Counted(Direct):
    """A connection by which CPU that pods of the third place use counts as the lab's own.

    Else a program could burn CPU there until the machine counts as starved by others, and a failure as none.
    """

    def __init__(self, kube: Kube, klass: str, apart: str, namespace: str) -> None:
        super().__init__(kube, klass)
        self._apart, self._lab = apart, namespace

    def raw(self, path: str, what: str) -> Object:
        found = super().raw(path, what)
        for pod in found.get("pods") or []:
            if (pod.get("podRef") or {}).get("namespace") == self._apart:
                pod["podRef"]["namespace"] = self._lab
        return found


class Services(PortForwards):
    """The pages of the platform at their Services' own addresses."""

    def address(self, page: str) -> str:
        """Where a page answers in the cluster, such as `http://mlflow.tracking:5000`."""
        release, found = next((release, each) for release in RELEASES for each in release.pages if each.name == page)
        return f"http://{found.service}.{release.namespace}:{found.port}"

    def lost(self, page: str, address: str = "") -> None:
        """A Service's address stays what it is."""


class InsidePlatform(Platform):
    """The platform as it is reached from inside of the cluster."""

    async def tagged(self, known: str, tag: str) -> str:
        """The image by its known tag: a grader writes to no registry, so nobody's `v1` can be another one by it."""
        return self.image(known)

    async def untagged(self, *images: str) -> None:
        """Nothing was tagged."""

    def _forwards(self) -> PortForwards:
        if self._open is None:
            self._open = Services(self._kube)
        return self._open
