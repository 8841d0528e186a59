"""The clusters that tasks stand on."""

from __future__ import annotations

from mlops_lab.labs.target import target
from mlops_lab.tasks.place import Place


def main_place() -> Place:
    """The cluster that `lab up` created or was told to use.

    Raises:
        LabError: there is none, or it does not answer.
    """
    where = target()
    return Place(where.kube, where.registry, engine=where.engine)
