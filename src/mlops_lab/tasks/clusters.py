"""The clusters that tasks stand on, and the add-ons that they may ask for there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlops_lab.labs.target import target
from mlops_lab.tasks.place import Place
from mlops_lab.tasks.task import MAIN, Task


def main_place() -> Place:
    """The cluster that `lab up` created or was told to use.

    Raises:
        LabError: there is none, or it does not answer.
    """
    where = target()
    return Place(where.kube, where.registry, engine=where.engine)


@dataclass(frozen=True)
class Kind:
    """A kind of cluster, as the field `cluster` of a task.toml names it.

    Attributes:
        find: the one that is there; raises LabError if it does not answer.
        make: the same, made first where there is none.
        end: takes it away after an exam; nothing where it is not the exam's own.
    """

    find: Callable[[], Place]
    make: Callable[[], Place]
    end: Callable[[], None] = lambda: None


# A task whose cluster or add-on is not here is in no exam.
KINDS: dict[str, Kind] = {MAIN: Kind(main_place, main_place)}
# Each sees to it that its add-on is on a cluster.
ADDONS: dict[str, Callable[[Place], None]] = {}


def can_stand(task: Task) -> bool:
    """Are the task's kind of cluster and its add-ons to be had?"""
    return task.about.cluster in KINDS and all(addon in ADDONS for addon in task.about.addons)


def place_of(task: Task) -> Place:
    """The cluster of a task, which is there.

    Raises:
        LabError: it does not answer.
    """
    return KINDS[task.about.cluster].find()
