"""A learner's own namespace, graded as it is: is it the one that was handed in, is it held, and what is in it?

Nothing is put into it, and nothing is taken out but pods that are made anew at once. With these ends what was done
inside of a pod, what has been left at work there, a shell that somebody has open in it, and a pod that only says that
it is a Deployment's. What counts is what the objects make.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from mlops_lab.base.errors import LabError
from mlops_lab.classroom import in_place
from mlops_lab.classroom.grader import names
from mlops_lab.classroom.grader.task import Task
from mlops_lab.classroom.in_place import Asked, Looked
from mlops_lab.classroom.operator import names as operators
from mlops_lab.kube.client import Kube, Object, Objects

# What learners can make, but for Secrets, which no grader reads.
KINDS = (
    "ConfigMap", "CronJob", "Deployment", "HorizontalPodAutoscaler", "Ingress", "Job", "PersistentVolumeClaim", "Pod",
    "PodDisruptionBudget", "ReplicaSet", "Service", "StatefulSet",
)  # fmt: skip
_MAKERS = ("ReplicaSet", "StatefulSet")  # whose pods are made anew when they go
_ENDED = ("Failed", "Succeeded")
_OF_JOBS = "batch.kubernetes.io/job-tracking"  # a finalizer that a controller takes off
_HELD_WITHIN = 180.0  # s from the Job's begin; the dispatcher and the operator have a turn each meanwhile
_HEARD = 5.0  # s after which all API servers know that a right is gone
_GONE_WITHIN = 120.0  # s
_GRACE = 30  # s that a pod gets at most
_UP_WITHIN = 60.0  # s
_EVERY = 1.0  # s

T = TypeVar("T")


class NotGraded(LabError):
    """It can't be graded, however often it is tried, for a reason that the learner is told in a line."""


@dataclass(frozen=True)
class Place:
    """The namespace, held.

    Attributes:
        uid: the namespace's.
        held: what the operator says of the hold: another one would say something else.
        looked: what is in it.
    """

    task: Task
    uid: str
    held: str
    looked: Looked

    def still(self, kube: Kube) -> None:
        """See that it is the same namespace, and that nobody else could change anything in it until now.

        Raises:
            NotGraded: it is another one, or is going.
            LabError: it was not held all the time.
        """
        there = kube.find("Namespace", self.task.sandbox)
        if there is None or there["metadata"]["uid"] != self.uid or there["metadata"].get("deletionTimestamp"):
            raise _anew(self.task, "while it was graded")
        if operators.annotation(there, operators.HELD) != self.held:
            raise LabError(f"namespace {self.task.sandbox} was not held all the time", "it is graded again")


def take(kube: Kube, task: Task, content: bytes, wait: Callable[[float], None] = time.sleep) -> Place:
    """Wait until a namespace is held, have its pods made anew, and list what is in it.

    Args:
        content: what was asked for.
        wait: waits so many seconds.

    Raises:
        NotGraded: it is not there, or not the one that was handed in.
        LabError: the cluster has trouble, or the operator does not hold it.
    """
    try:
        asked = in_place.asked(content)
    except ValueError as wrong:
        what = f"the server does not say what is to be graded: {wrong}"
        raise LabError(what, "install server and grader of one version") from wrong
    own = f"{names.name(task.submission, task.tries)}/"

    def held() -> Object | None:
        there = _handed_in(kube, task, asked)
        return there if operators.annotation(there, operators.HELD).startswith(own) else None

    there = _until(held, _HELD_WITHIN, wait)
    if there is None:
        raise LabError(f"the class's operator does not hold {task.sandbox}", "see its log; it is graded again")
    wait(_HEARD)
    renew(kube, task.sandbox, wait)
    uid = str(there["metadata"]["uid"])
    objects = _listed(kube, task.sandbox)
    looked = Looked(asked, uid, task.submission, task.tries, objects)
    return Place(task, uid, operators.annotation(there, operators.HELD), looked)


def renew(kube: Kube, namespace: str, wait: Callable[[float], None] = time.sleep) -> None:
    """Have pods made anew that something makes; others stay, as nothing would bring them back.

    Raises:
        NotGraded: a pod can't go.
        LabError: one does not go in time.
    """
    pods = kube.list("Pod", namespace)
    if stuck := [each for each in pods if set(each["metadata"].get("finalizers") or ()) - {_OF_JOBS}]:
        name = stuck[0]["metadata"]["name"]
        raise NotGraded(f"pod {name} bears a finalizer, by which it never goes", "take it off, and hand in again")
    old = [each for each in pods if _made(each) and (each.get("status") or {}).get("phase") not in _ENDED]
    for each in old:
        own = each["spec"].get("terminationGracePeriodSeconds", _GRACE)
        kube.delete("Pod", each["metadata"]["name"], namespace, grace=min(own, _GRACE))
    uids = {each["metadata"]["uid"] for each in old}

    def gone() -> bool:
        return not uids & {each["metadata"]["uid"] for each in kube.list("Pod", namespace)}

    if not _until(gone, _GONE_WITHIN, wait):
        raise LabError(f"pods of {namespace} do not go within {_GONE_WITHIN:g} s", "it is graded again")
    # What does not come up is for the checks to say.
    _until(lambda: all(map(_up, kube.list("Deployment", namespace))), _UP_WITHIN, wait)


def _handed_in(kube: Kube, task: Task, asked: Asked) -> Object:
    """The namespace, if it is the one that was handed in."""
    there = kube.find("Namespace", task.sandbox)
    if there is None:
        raise NotGraded(f"lab {task.lab} is no longer begun: there is nothing to grade", "begin it, and hand in again")
    wanted = {operators.CLASS: task.klass, operators.LEARNER: task.learner, operators.LAB: task.lab}
    if {key: operators.label(there, key) for key in wanted} != wanted:
        raise LabError(f"namespace {task.sandbox} is not this learner's", "see whose it is")
    made = there["metadata"].get("creationTimestamp")
    if (
        there["metadata"].get("deletionTimestamp")
        or operators.annotation(there, operators.ROUND) != str(asked.round)
        or (made and datetime.fromisoformat(made) > datetime.fromisoformat(asked.at))
    ):
        raise _anew(task, "after you had handed it in")
    return there


def _anew(task: Task, when: str) -> NotGraded:
    return NotGraded(f"lab {task.lab} was begun anew or ended {when}", "hand in what there is now")


def _listed(kube: Kube, namespace: str) -> dict[str, str]:
    """The sha256 of each object, but for pods that others make."""
    found: dict[str, str] = {}
    for kind in KINDS:
        for item in kube.list(kind, namespace):
            if kind != "Pod" or not _made(item):
                found[f"{kind}/{item['metadata']['name']}"] = in_place.digest(item)
    if len(found) > in_place.MOST:
        raise NotGraded(f"namespace {namespace} holds more than {in_place.MOST} objects", "remove what is not needed")
    return found


def _made(pod: Object) -> bool:
    owners: Objects = pod["metadata"].get("ownerReferences") or []
    return any(each.get("controller") and each["kind"] in _MAKERS for each in owners)


def _up(deployment: Object) -> bool:
    status = deployment.get("status") or {}
    same = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return bool(same and status.get("readyReplicas", 0) >= deployment["spec"].get("replicas", 1))


def _until(look: Callable[[], T], within: float, wait: Callable[[float], None]) -> T:
    """Look again and again until something is seen or the time is over; what was seen at last."""
    for _ in range(int(within / _EVERY)):
        if found := look():
            return found
        wait(_EVERY)
    return look()
