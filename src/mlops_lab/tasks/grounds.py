"""What labs stand on: the cluster of `lab up`, or the second one where lab.toml says `cluster = "nodes"`.

The second one is made when such a lab is started, and made anew when it is reset, since whatever its nodes have become
goes with it. `setup/setup.sh` does there what no manifest says: it breaks the nodes, once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.progress import Progress
from mlops_lab.checks.lab import Lab
from mlops_lab.checks.run import Environment
from mlops_lab.cluster import names, record, second, shell
from mlops_lab.cluster.holder import Holder, noted
from mlops_lab.engine.docker import answering
from mlops_lab.kube.connection import connect
from mlops_lab.kube.objects import is_ready
from mlops_lab.labs import parts, running
from mlops_lab.labs import target as targets
from mlops_lab.labs.catalog import Exercise, about
from mlops_lab.labs.target import Target
from mlops_lab.measure.cluster.nodes import abandoned, uncordon
from mlops_lab.tasks.lab import Machines, TaskLab
from mlops_lab.tasks.place import Place
from mlops_lab.tasks.script import run_script
from mlops_lab.tasks.task import MAIN

_SETUP = "setup/setup.sh"
_SET_UP_WITHIN = 180.0
# On the namespace once the nodes are broken: what the learner has mended is not broken again.
_MARK = "mlops-lab/set-up"


@dataclass(frozen=True)
class Nodes(Target):
    """The second cluster as a lab's.

    Attributes:
        machines: the containers that are its nodes, the control plane's first.
    """

    machines: tuple[str, ...] = ()


def holder_of(exercise: Exercise) -> Holder:
    """A learner's lab as who has the second cluster."""
    return Holder(f"lab {exercise.number}", f"end it: lab reset {exercise.number} --end")


def find(exercise: Exercise, timeout: float = 10, *, to_go: bool = False) -> Target:
    """The cluster of a learner's lab that was started.

    Args:
        timeout: limit of every single request in seconds.
        to_go: the lab is to be taken away, so nodes of its own cluster may be stopped.

    Raises:
        LabError: there is none, or it does not answer; the second one need not answer, since it may be broken.
    """
    if about(exercise).cluster == MAIN:
        return targets.target(timeout)
    there = second.found(holder_of(exercise))
    if there is None:
        if second.kubeconfig_file().exists() and noted() == holder_of(exercise) and answering() is None:
            raise LabError(
                f"the engine that runs lab {exercise.number}'s own cluster does not answer",
                f"start it: lab start {exercise.number}",
            )
        raise UsageError(
            f"lab {exercise.slug} is not started: it has a cluster of its own, which is not there",
            f"start it first: lab start {exercise.number}",
        )
    if stopped := [] if to_go else second.stopped():
        raise LabError(
            f"nodes of lab {exercise.number}'s own cluster are stopped: {', '.join(stopped)}",
            f"start them: lab start {exercise.number}",
        )
    return _nodes(there, timeout)


def make(exercise: Exercise, holder: Holder | None = None, timeout: float = 10) -> Target:
    """The cluster of a lab, made first where it is the second one and not there; nodes that were stopped are started.

    Args:
        holder: who is to have the second one, if it is not the learner.
        timeout: limit of every single request in seconds.

    Raises:
        LabError: there is none; or somebody else has the second one, there is no room for it, or it can't be made.
    """
    if about(exercise).cluster == MAIN:
        return targets.target(timeout)
    if not (first := record.current()).is_kind:
        raise LabError(
            f"lab {exercise.number} needs a cluster of its own beside one that `lab up` created; {first.context} "
            "is yours",
            "stop using that (lab down deletes what `lab` made in it), then: lab up",
        )
    return _nodes(second.up(Progress(), holder=holder or holder_of(exercise)), timeout)


def anew(target: Target, exercise: Exercise) -> Target:
    """The second cluster for a lab that begins again: made anew if the lab was begun on it.

    Raises:
        LabError: as `make`.
    """
    try:
        if target.kube.find("Namespace", exercise.namespace) is None:
            return target
    except LabError:  # broken as well, whether it is silent or refuses
        pass
    remove(exercise)
    return make(exercise)


def remove(exercise: Exercise, holder: Holder | None = None) -> bool:
    """Take away the second cluster if it is this lab's; was it?

    Args:
        holder: who has it, if it is not the learner.
    """
    return second.down(Progress(), holder or holder_of(exercise))


def of_its_own(target: Target) -> bool:
    """Is it a cluster that is there for one lab?"""
    return isinstance(target, Nodes)


def nodes(target: Target) -> tuple[str, ...]:
    """The nodes that the lab may break, the control plane's first; none on the cluster of `lab up`."""
    return target.machines if isinstance(target, Nodes) else ()


def is_set_up(target: Target, namespace: str) -> bool:
    """Were the nodes broken for the lab in this namespace? Its seed is not applied again then, either."""
    if not isinstance(target, Nodes):
        return False
    found = target.kube.find("Namespace", namespace) or {"metadata": {}}
    return _MARK in (found["metadata"].get("annotations") or {})


def set_up(target: Target, exercise: Exercise, namespace: str, workspace: Path) -> None:
    """Break the nodes, once; an interrupted set-up begins again. On the cluster of `lab up` nothing is broken.

    Raises:
        LabError: the lab's script fails, with what it printed.
    """
    script = exercise.folder / _SETUP
    if not isinstance(target, Nodes) or is_set_up(target, namespace):
        return
    if script.is_file():
        hint = "try again (lab reset makes the cluster anew); if it fails again, tell the lab's author"
        run_script(script, place(target), workspace, within=_SET_UP_WITHIN, hint=hint)
    target.kube.patch("Namespace", namespace, {"metadata": {"annotations": {_MARK: "done"}}})


def place(target: Target) -> Place:
    """A lab's cluster as scripts and checks reach it."""
    machines = {name: name for name in nodes(target)}
    return Place(target.kube, target.registry, shell.environment(), machines, target.engine, of_its_own(target))


def environment(exercise: Exercise) -> dict[str, str]:
    """What a terminal of a lab has beside its kubeconfig: `ssh NODE`, where the lab breaks nodes."""
    return {} if about(exercise).cluster == MAIN else shell.to_nodes()


def lab_object(target: Target, exercise: Exercise, namespace: str, workspace: Path, mistake: str = "") -> Lab:
    """The `lab` that checks get, as `running.lab_object`; on the second cluster a TaskLab, with nodes as machines."""
    if not isinstance(target, Nodes):
        return running.lab_object(target.kube, exercise, namespace, workspace, target.registry, mistake)
    settings = parts.settings(namespace, about(exercise).needs)
    lab = TaskLab.on(target.kube, namespace, exercise.number, workspace, target.registry, settings, mistake)
    assert isinstance(lab, TaskLab)
    return replace(lab, namespace=namespace, machines=Machines(place(target)), _kube=target.kube)


def probe(target: Target, exercise: Exercise, namespace: str) -> Environment:
    """The look at a lab's cluster; as `running.probe`.

    Of the second one: that its nodes run, and that the control plane is well. The worker is the learner's; but a node
    that a killed checker has left cordoned is opened.
    """
    if not isinstance(target, Nodes):
        return running.probe(target.kube, exercise, namespace)
    return lambda: _problems(target, exercise)


def _problems(target: Nodes, exercise: Exercise) -> list[str]:
    anew = f"lab reset {exercise.number} makes the cluster anew"
    if stopped := second.stopped():
        return [f"nodes are stopped: {', '.join(stopped)}; lab start {exercise.number} starts them"]
    try:
        nodes = target.kube.list("Node")
        for name in abandoned(target.kube, nodes):
            uncordon(target.kube, name, within=0)
    except LabError as down:
        return [f"{down.message}; {anew}"]
    control = [each for each in nodes if each["metadata"]["name"] == target.machines[0]]
    return [] if any(map(is_ready, control)) else [f"the control plane's node is not Ready; {anew}"]


def _nodes(found: second.Second, timeout: float) -> Nodes:
    kube = connect(found.context, found.kubeconfig, timeout)
    return Nodes(kube, names.REGISTRY_PREFIX, found.nodes[0], machines=found.nodes)
