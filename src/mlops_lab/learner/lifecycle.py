"""A learner's lab: begun, and put back to its beginning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.labs import images, namespaces
from mlops_lab.labs.catalog import Exercise, about
from mlops_lab.labs.keeping import keep
from mlops_lab.labs.target import Target
from mlops_lab.labs.workspace import Filled, fill, folder_of, put_kubeconfig
from mlops_lab.learner.records import Records
from mlops_lab.tasks import grounds


@dataclass(frozen=True)
class Begun:
    """A lab that is ready for the learner: its files, its kubeconfig, the seed's number of objects, and its nodes.

    Only a lab with a cluster of its own has nodes.
    """

    files: Filled
    kubeconfig: Path
    seeded: int
    nodes: tuple[str, ...] = ()


def start(target: Target, exercise: Exercise, records: Records) -> Begun:
    """Make the namespace, seed it, fill the workspace; may be done again at any time and changes no edited file.

    On a cluster whose nodes the lab has broken, that and the seed are not done again.
    """
    images.bring(about(exercise).images)
    namespaces.create(target.kube, exercise, exercise.namespace)
    stands = grounds.is_set_up(target, exercise.namespace)
    seeded = 0 if stands else namespaces.seed(target.kube, exercise, exercise.namespace, target.registry)
    files = fill(folder_of(exercise), exercise.folder / "start", target.registry)
    kubeconfig = put_kubeconfig(files.folder, target.kube, exercise.namespace)
    grounds.set_up(target, exercise, exercise.namespace, files.folder)
    records.start(exercise.number, files.folder)
    return Begun(files, kubeconfig, seeded, grounds.nodes(target))


def reset(target: Target, exercise: Exercise, records: Records, say: Callable[[str], None]) -> Begun:
    """Back to the beginning.

    Args:
        say: is told where the dated copy of the workspace is before anything else goes; nothing if it was empty.

    Raises:
        LabError: the workspace can't be copied or emptied, something does not go, or can't be made; the next call goes
            on.
    """
    _back_up(exercise, say)
    if grounds.of_its_own(target):
        target = grounds.anew(target, exercise)
    else:
        namespaces.remove(target.kube, exercise, exercise.namespace)
    return start(target, exercise, records)


def end(target: Target, exercise: Exercise, say: Callable[[str], None]) -> None:
    """Take a lab away, and its own cluster if it has one; arguments and errors as `reset`."""
    _back_up(exercise, say)
    if grounds.of_its_own(target):
        grounds.remove(exercise)
    else:
        namespaces.remove(target.kube, exercise, exercise.namespace)


def _back_up(exercise: Exercise, say: Callable[[str], None]) -> None:
    if kept := keep(folder_of(exercise)):
        say(f"Your files are backed up in {kept}")


def begun(target: Target, exercise: Exercise) -> Path:
    """The workspace of a lab that was started on this cluster.

    Raises:
        UsageError: it was not.
    """
    found = target.kube.find("Namespace", exercise.namespace)
    if found is None or found["metadata"].get("deletionTimestamp"):
        raise UsageError(
            f"lab {exercise.slug} is not started on this cluster", f"start it first: lab start {exercise.number}"
        )
    return folder_of(exercise)


def workspace(target: Target, exercise: Exercise) -> Path:
    """As `begun`, also where the API server is what is broken.

    Raises:
        UsageError: the lab was not started on this cluster.
    """
    try:
        return begun(target, exercise)
    except LabError as trouble:
        if isinstance(trouble, UsageError) or not grounds.of_its_own(target):
            raise
        return folder_of(exercise)
