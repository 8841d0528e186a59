"""The end of a class: what would be deleted is planned first, so that it can be shown and agreed to.

Deleted is only what the class has made: its release, the namespaces that bear its label, and Kueue, if it was brought
for the class and has no queue of others. The class's own namespace holds the gradebook and its key; it goes only when
that is asked for, and only if this installation has made it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.progress import Progress
from mlops_lab.classroom.grader import names as graders_names
from mlops_lab.classroom.operator import names
from mlops_lab.classroom.teacher import grading
from mlops_lab.classroom.teacher.place import NAMESPACE, Place, at
from mlops_lab.cluster import kueue, leave, own, record
from mlops_lab.cluster.kueue import Whose
from mlops_lab.cluster.own import Made
from mlops_lab.cluster.up import exclusive
from mlops_lab.platform.helm import Helm, program

_MADE = re.compile(r"l-.+-lab-\d\d")  # what the operator calls a learner's namespace
_GRADED = re.compile(r"g-\d+-\d+-(apart|lab-\d\d)")  # and the dispatcher those of a submission
_GOES_WITHIN, _GOES_AT_LAST = 600.0, 120.0  # s


@dataclass(frozen=True)
class Plan:
    """What the end of a class would do.

    Attributes:
        release: its objects go.
        spaces: learners' namespaces, and that of their accounts, with all that is in them.
        graders: namespaces of submissions that are being graded, and that of their Jobs.
        kueue: Kueue goes, too.
        own: the class's namespace with the gradebook, if it is to go.
        stays: why the class's namespace stays; empty where it goes, or is not there.
        others: namespaces with the class's label that the class does not name so.
        queues: of others, because of which Kueue stays.
    """

    release: bool
    spaces: tuple[Made, ...]
    graders: tuple[Made, ...]
    kueue: bool
    own: Made | None
    stays: str
    others: tuple[str, ...]
    queues: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Is there nothing to do?"""
        return not (self.release or self.spaces or self.graders or self.kueue or self.own)


def planned(place: Place, data: bool) -> Plan:
    """What would be deleted; nothing is changed in the cluster.

    Args:
        data: the gradebook, too.

    Raises:
        LabError: the cluster does not answer.
    """
    kubectl = place.kubectl
    others: list[str] = []

    def labelled(label: str, own_name: str, pattern: re.Pattern[str]) -> tuple[Made, ...]:
        found = []
        for item in kubectl.get("namespaces", "-l", f"{label}={NAMESPACE}"):
            name = str(item["metadata"]["name"])
            if name == own_name or pattern.fullmatch(name):
                found.append(Made("Namespace", name, "", str(item["metadata"]["uid"])))
            else:
                others.append(name)
        return tuple(found)

    spaces = labelled(names.CLASS, f"{NAMESPACE}-accounts", _MADE)
    graders = labelled(graders_names.CLASS, grading.JOBS, _GRADED)
    there = kubectl.get("namespaces", f"--field-selector=metadata.name={NAMESPACE}")
    if not there:
        place.note(False)
    own_space, stays = _of_class(place, there[0], data) if there else (None, "")
    ours = kueue.whose(kubectl) is Whose.OURS and kueue.brought_for(kubectl) == NAMESPACE
    queues = tuple(each for each in kueue.queues(kubectl) if each != NAMESPACE) if ours else ()
    return Plan(
        place.release() is not None, spaces, graders, ours and not queues, own_space, stays, tuple(others), queues
    )


def end(place: Place, plan: Plan, progress: Progress) -> None:
    """Do what was planned; what was interrupted goes on. What can't be deleted keeps nothing else, but for Kueue.

    Raises:
        LabError: something could not be deleted.
    """
    stays: list[LabError] = []

    def delete(what: str, things: Sequence[Made]) -> None:
        try:
            with progress.piece(what):
                _delete(place, things)
        except LabError as trouble:
            stays.append(trouble)

    with exclusive(progress):
        if plan.graders:  # while Kueue is there and the dispatcher is not, which would make them anew
            with progress.piece("ending the dispatcher"):
                _stop(place)
            delete(f"deleting {len(plan.graders)} namespaces of graders", plan.graders)
        if plan.release:  # before learners' namespaces, so that the operator makes nothing anew
            helm = Helm(program(progress), place.cluster.context, place.cluster.kubeconfig)
            with progress.piece("removing the class"):
                helm.uninstall(NAMESPACE)
        doomed = [*plan.spaces, *([plan.own] if plan.own else [])]
        if doomed:
            delete(f"deleting {len(doomed)} namespaces", doomed)
        if stays:
            raise stays[0]  # those that are left go at the next time, and Kueue with them
        if plan.own:
            place.note(False)
        if plan.kueue:
            with progress.piece("removing Kueue"):
                kueue.remove(place.kubectl)


def _delete(place: Place, things: Sequence[Made]) -> None:
    """Delete namespaces; pods that would take longer are ended, once nothing makes them anew."""
    try:
        leave.delete(place.kubectl, things, within=_GOES_WITHIN)
    except LabError:
        left = {item["metadata"]["uid"] for item in place.kubectl.get("namespaces")}
        for each in things:
            if each.uid in left:
                words = ("delete", "pods", "--all", "-n", each.name, "--grace-period=1", "--wait=false")
                place.kubectl.run(*words, check=False)
        leave.delete(place.kubectl, things, within=_GOES_AT_LAST)


def _stop(place: Place) -> None:
    """End the dispatcher; what it had taken waits again."""
    place.kubectl.run("delete", "deployment", "dispatcher", "-n", NAMESPACE, "--ignore-not-found", "--wait=false")
    place.see_gone("grader", "dispatcher")


def leave_alone(context: str = "") -> None:
    """See that no class's gradebook would be lost with a cluster.

    Of a kind cluster that does not answer counts what was noted (`record.has_class`), as its nodes may only stand
    still. In a cluster of the user's that does not answer nothing is deleted anyway.

    Args:
        context: the cluster's; empty for the one in use.

    Raises:
        UsageError: one would be.
    """
    there: list[own.Object] = []
    silent: LabError | None = None
    try:
        kubectl = at(context).kubectl
        there = kubectl.get("namespaces", f"--field-selector=metadata.name={NAMESPACE}")
    except LabError as trouble:
        silent = trouble
    if there:
        raise UsageError(
            "a class's gradebook is in this cluster and would be lost",
            "save it (lab class backup FILE), then: lab down --yes",
        )
    if silent and not context and record.named() is None and record.has_class():
        raise UsageError(
            "a class's gradebook is in this cluster, which does not answer, and would be lost",
            "start the cluster (lab up) and save it (lab class backup FILE); or delete it all the same: lab down --yes",
            silent.message,
        ) from silent


def _of_class(place: Place, item: own.Object, data: bool) -> tuple[Made | None, str]:
    """The class's namespace if it is to go, else why it stays."""
    if not data:
        return None, "with the gradebook and the class's key"
    if place.cluster.is_kind:
        return Made("Namespace", NAMESPACE, "", str(item["metadata"]["uid"])), ""
    made = next((each for each in own.recorded(place.cluster.context).made if each.is_it(item)), None)
    if made is None:
        return None, f"since this installation has not made it; to delete it: kubectl delete namespace {NAMESPACE}"
    return Made(made.kind, made.name, made.mark, str(item["metadata"]["uid"])), ""
