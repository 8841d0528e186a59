"""The clusters that tasks stand on, and the add-ons that they may ask for there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mlops_lab.base.errors import LabError
from mlops_lab.base.progress import Progress
from mlops_lab.cluster import names, second, shell, traefik
from mlops_lab.cluster.holder import EXAM
from mlops_lab.cluster.record import current
from mlops_lab.engine.docker import answering
from mlops_lab.kube.connection import connect
from mlops_lab.labs.target import target
from mlops_lab.tasks.place import Place
from mlops_lab.tasks.task import MAIN, NODES, Task


def main_place() -> Place:
    """The cluster that `lab up` created or was told to use.

    Raises:
        LabError: there is none, or it does not answer.
    """
    where = target()
    return Place(where.kube, where.registry, shell.environment(), engine=where.engine)


def nodes_place() -> Place:
    """The second cluster as it is there, whether it answers or not: its nodes and its control plane may be broken.

    Raises:
        LabError: there is none, or it is a lab's; or nobody can tell, as the engine does not answer.
    """
    found = second.found(EXAM)
    if found is None:
        if second.kubeconfig_file().exists() and answering() is None:
            raise LabError("the engine that runs the exam's second cluster does not answer", "see: lab status")
        raise LabError("the exam's second cluster is not there", "make it again: lab exam resume")
    return _nodes(found)


def made_nodes_place() -> Place:
    """The second cluster, made first where it is not there; nodes that were stopped are started.

    Raises:
        LabError: there is no room for it, or it can't be made.
    """
    return _nodes(second.up(Progress()))


def _nodes(found: second.Second) -> Place:
    kube = connect(found.context, found.kubeconfig)
    nodes = {name: name for name in found.nodes}
    return Place(kube, names.REGISTRY_PREFIX, shell.environment(), nodes, breakable=True)


@dataclass(frozen=True)
class Kind:
    """A kind of cluster, as the field `cluster` of a task.toml names it.

    Attributes:
        find: the one that is there; raises LabError if it does not answer.
        make: the same, made first where there is none.
        end: takes it away after an exam; nothing where it is not the exam's own.
        own: it is made for an exam, and goes with it.
    """

    find: Callable[[], Place]
    make: Callable[[], Place]
    end: Callable[[], object] = lambda: None
    own: bool = False


@dataclass(frozen=True)
class Addon:
    """An add-on of the cluster of `lab up`: `up` sees to it that it is there, `down` takes it away."""

    up: Callable[[], object]
    down: Callable[[], object]


# A task whose cluster or add-on is not here is in no exam.
KINDS: dict[str, Kind] = {
    MAIN: Kind(main_place, main_place),
    NODES: Kind(nodes_place, made_nodes_place, lambda: second.down(Progress(), EXAM), own=True),
}
ADDONS: dict[str, Addon] = {"traefik": Addon(lambda: traefik.up(Progress()), lambda: traefik.down(Progress()))}


def can_stand(task: Task) -> bool:
    """Are the task's kind of cluster and its add-ons to be had?"""
    return task.about.cluster in KINDS and all(addon in ADDONS for addon in task.about.addons)


def place_of(task: Task) -> Place:
    """The cluster of a task, which is there.

    Raises:
        LabError: it does not answer.
    """
    return KINDS[task.about.cluster].find()


def make(tasks: Iterable[Task]) -> dict[str, Place]:
    """The clusters of tasks, by kind, with the add-ons of these tasks; made where they are not there.

    Raises:
        LabError: something can't be made.
    """
    wanted = list(tasks)
    places: dict[str, Place] = {
        kind: KINDS[kind].make() for kind in dict.fromkeys(task.about.cluster for task in wanted)
    }
    for addon in dict.fromkeys(name for task in wanted for name in task.about.addons):
        ADDONS[addon].up()
    return places


def end(tasks: Iterable[Task], *, lost: bool = False, addons: bool = False) -> None:
    """Take away the clusters and the add-ons that were made for tasks; safe to repeat.

    Args:
        lost: there were other tasks, which are not known any more, so all clusters that are an exam's own go.
        addons: and all add-ons.

    Raises:
        LabError: something does not go; all else has gone nevertheless.
    """
    wanted = list(tasks)
    brought: dict[str, None] = dict.fromkeys(name for task in wanted for name in task.about.addons)
    if addons and current().is_kind:  # no other has any
        brought |= dict.fromkeys(ADDONS)
    own = [kind for kind, about in KINDS.items() if lost and about.own]
    kinds = dict.fromkeys([*(task.about.cluster for task in wanted), *own])
    stay: list[LabError] = []
    for go in (*(ADDONS[addon].down for addon in brought), *(KINDS[kind].end for kind in kinds)):
        try:
            go()
        except LabError as trouble:
            stay.append(trouble)
    if stay:
        details = filter(None, (each.detail for each in stay))
        raise LabError("; ".join(each.message for each in stay), stay[0].hint, "\n".join(details)) from stay[0]
