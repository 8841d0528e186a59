"""Takes submissions and has each graded: one round after the other, each of which goes on from whatever there is.

What must outlive this process is in two places: the server has the submissions, and the cluster a Secret for each that
was taken, with its task and its token. All else follows from the Secret and may be made again. What was taken and got
no Secret waits again by itself, as nothing is heard of it. So any number of dispatchers may be at work, and each may
end at any time: none takes what another has, and what one has begun any other ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.grader import leaving, making, names
from mlops_lab.classroom.grader.asking import Server, Stale
from mlops_lab.classroom.grader.settings import Settings, gradable, needs
from mlops_lab.classroom.grader.task import Task
from mlops_lab.classroom.operator.spaces import Spaces
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.errors import NotFound
from mlops_lab.kube.exact import delete_exactly

ENDED = "mlops-lab/ended"  # an annotation of the Secret: why nothing more is made for it
_ALIVE_EVERY = 30.0  # s
_MADE_WITHIN = 300.0  # s in which all that a Job needs must have come to be
_STRANGE_WITHIN = 3600.0  # s beyond a grading's own, until a Secret that can't be read goes


@dataclass
class Dispatcher:
    """The dispatcher of one class.

    Attributes:
        server: asked with the dispatcher's own token.
        of_submission: the same server, asked with another token.
        secret: of the class, with which seeds are drawn.
        name: of this process, for who looks.
        api: addresses and ports of the API server.
    """

    kube: Kube
    settings: Settings
    server: Server
    of_submission: Callable[[str], Server]
    secret: str
    name: str
    log: Callable[[str], None]
    api: Callable[[], Sequence[tuple[str, int]]] = lambda: ()
    clock: Callable[[], float] = time.monotonic
    _said: dict[str, float] = field(default_factory=dict)
    _since: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._labs = gradable(self.settings)

    def round(self) -> bool:
        """Tend what was taken, sweep what nobody needs, and take more if there is room; is there work?

        Raises:
            LabError: the API server or the class's server does not answer.
        """
        records = self._records()
        for record in records:
            self._guarded(record)
        self._sweep()
        self._forget_gone({str(each["metadata"]["name"]) for each in records})
        open_ = [each for each in self._records() if not _annotation(each, ENDED)]
        return self._take(len(open_)) or bool(records)

    def _records(self) -> list[Object]:
        found = self.kube.list("Secret", self.settings.jobs, f"{names.CLASS}={self.settings.namespace}")
        return sorted(found, key=lambda each: each["metadata"]["name"])

    def _guarded(self, record: Object) -> None:
        """Tend one; trouble of one submission is nobody else's."""
        try:
            self._tend(record)
        except LabError as trouble:
            self.log(f"{record['metadata']['name']}: {trouble.message}")

    def _tend(self, record: Object) -> None:
        name = str(record["metadata"]["name"])
        try:
            task, token = making.read_record(record)
        except ValueError as broken:
            self._strange(record, broken)
            return
        if _annotation(record, ENDED):
            self._clear(record, task)
            return
        job = self.kube.find("Job", name, self.settings.jobs)
        how, why = _ended(job)
        if how:
            if how == "Failed":
                self._back(task, why)
            self._end(record, task, how)
            return
        try:
            self._alive(name, task, token, job)
        except Stale:  # graded, or another's: its Job, if there is one, has nothing left to do
            self._end(record, task, "no longer this one's")
            return
        if job is None:
            self._make(record, task)
        elif task.in_place and not job["spec"].get("suspend"):
            self._let_in(task)

    def _strange(self, record: Object, broken: ValueError) -> None:
        """Remove a Secret that can't be read, once it is surely nobody's; the sweep removes what was made for it.

        Another version's dispatcher may have made it, which reads it, or its Job may still run.
        """
        name = str(record["metadata"]["name"])
        if name not in self._since:
            self._since[name] = self.clock()
            self.log(f"{name}: its Secret holds no task: {broken}")
        if self.clock() - self._since[name] >= self.settings.limit_seconds + _STRANGE_WITHIN:
            self.log(f"{name}: removed, as its Secret still holds no task")
            delete_exactly(self.kube, record)

    def _let_in(self, task: Task) -> None:
        """Give a Job whose turn has come its right in the learner's namespace; there need not be one any more."""
        right = making.right(self.settings, task)
        name = str(right["metadata"]["name"])
        if self.kube.find("RoleBinding", name, task.sandbox) is None:
            try:
                self.kube.apply([right])
            except NotFound:
                self.log(f"{name}: there is no {task.sandbox}")  # its Job tells the learner

    def _let_out(self, task: Task) -> bool:
        """Take a Job's right in the learner's namespace back once nothing of the Job runs; is it gone?"""
        pods = self.kube.list("Pod", self.settings.jobs, f"{names.SUBMISSION}={task.submission}")
        own = [each for each in pods if names.label(each, names.TRIES) == str(task.tries)]
        if any((each.get("status") or {}).get("phase") not in ("Failed", "Succeeded") for each in own):
            return False  # it may still put back what it has changed
        right = self.kube.find("RoleBinding", names.name(task.submission, task.tries), task.sandbox)
        if right:
            delete_exactly(self.kube, right)
        return True

    def _make(self, record: Object, task: Task) -> None:
        """Have all be there that the Job needs, and then the Job; from the beginning each time, as any of it may be."""
        name = str(record["metadata"]["name"])
        since = self._since.setdefault(name, self.clock())
        try:
            for space in making.namespaces(self.settings, task):
                self._space(space)
            self.kube.apply(making.inside(self.settings, task))
            Spaces.heard(lambda: self.kube.apply(making.contents(self.settings, task, self.api())))
            account, job = making.job(self.settings, task, record)
            self.kube.apply([account])
            if self.kube.find("Secret", name, self.settings.jobs) is not None:
                self.kube.create(job)  # one that is there stays as it is: its turn may have come
        except LabError as trouble:
            if self.clock() - since < _MADE_WITHIN:
                raise
            self._back(task, f"its sandbox could not be made: {trouble.message}")
            self._end(record, task, "could not be made")

    def _space(self, space: Object) -> None:
        name = str(space["metadata"]["name"])
        self.kube.create(space)
        there = self.kube.get("Namespace", name)
        if names.label(there, names.CLASS) != self.settings.namespace or there["metadata"].get("deletionTimestamp"):
            raise leaving.Foreign(f"namespace {name} is not this class's, or is going", "it is tried again")

    def _alive(self, name: str, task: Task, token: str, job: Object | None) -> None:
        """Say for a submission that it waits here, until its Job says so itself.

        Raises:
            Stale: it is another's by now, or graded.
        """
        if ((job or {}).get("status") or {}).get("ready"):
            return
        if self.clock() - self._said.get(name, float("-inf")) < _ALIVE_EVERY:
            return
        try:
            self.of_submission(token).alive(task.submission)
        except Stale:
            raise
        except LabError as trouble:  # a server that is away hears it the next time
            self.log(f"{name}: {trouble.message}")
            return
        self._said[name] = self.clock()

    def _back(self, task: Task, why: str) -> None:
        """Let a submission wait again; nothing, if it does already or is another's.

        Raises:
            LabError: the server does not answer: it is told in the next round.
        """
        try:
            self.server.back(task.submission, why, task.tries)
        except Stale:
            return

    def _end(self, record: Object, task: Task, how: str) -> None:
        """Note first that nothing more is made for it, so that no other dispatcher makes anew what this one removes."""
        name = str(record["metadata"]["name"])
        try:
            # With its uid the patch is refused if another Secret has the name by now.
            change = {"metadata": {"uid": record["metadata"]["uid"], "annotations": {ENDED: how}}}
            self.kube.patch("Secret", name, change, self.settings.jobs)
        except NotFound:
            return
        self.log(f"{name}: {how}")
        self._clear(record, task)

    def _clear(self, record: Object, task: Task) -> None:
        """Remove all that was made, the Secret last; some of it takes until a later round."""
        name = str(record["metadata"]["name"])
        if job := self.kube.find("Job", name, self.settings.jobs):
            delete_exactly(self.kube, job)
        if task.in_place and not self._let_out(task):
            return
        gone = [leaving.remove(self.kube, each, self.settings.namespace) for each in making.made(task)]
        if all(gone):
            if not task.in_place:
                leaving.forget(self.kube, task.sandbox, needs(task.lab))
            delete_exactly(self.kube, record)

    def _sweep(self) -> None:
        """Namespaces and rights without a Secret: a dispatcher has made them after another one had removed all."""
        for space in self.kube.list("Namespace", selector=f"{names.CLASS}={self.settings.namespace}"):
            submission, tries = names.label(space, names.SUBMISSION), names.label(space, names.TRIES)
            if not submission or not tries or space["metadata"].get("deletionTimestamp"):
                continue
            # Asked anew: a Secret is there before its namespaces.
            if self.kube.find("Secret", names.of(space), self.settings.jobs) is None:
                self.log(f"{space['metadata']['name']}: nobody's")
                leaving.remove(self.kube, str(space["metadata"]["name"]), self.settings.namespace)
        if not self.settings.address:
            return  # nothing is graded in place
        for right in self.kube.list("RoleBinding", selector=f"{names.CLASS}={self.settings.namespace}"):
            in_place = right["roleRef"]["name"] == f"{self.settings.namespace}-{making.IN_PLACE}"
            if in_place and self.kube.find("Secret", names.of(right), self.settings.jobs) is None:
                self.log(f"a right in {right['metadata']['namespace']}: nobody's")
                delete_exactly(self.kube, right)

    def _take(self, there: int) -> bool:
        """Take submissions while there is room: one more than can be graded at a time, so that one waits here."""
        took = False
        while self._labs and there <= self.settings.places:
            taken = self.server.take(self.name, self.settings.checker, self._labs)
            if taken is None:
                return took
            task = making.task(self.settings, taken, self.secret, self.api())
            try:
                self.kube.apply([making.record(self.settings, task, taken.token)])
                record = self.kube.get("Secret", names.name(task.submission, task.tries), self.settings.jobs)
            except LabError as trouble:
                self._back(task, f"the cluster took no record of it: {trouble.message}")
                raise
            self.log(f"{record['metadata']['name']}: lab {task.lab} of {task.learner}")
            self._guarded(record)
            there, took = there + 1, True
        return took

    def _forget_gone(self, there: set[str]) -> None:
        for known in (self._said, self._since):
            for name in set(known) - there:
                del known[name]


def base(kube: Kube, settings: Settings, certificate: str, reached: Sequence[tuple[str, int]]) -> None:
    """Have the namespace of the Jobs be there, and in it what all of them need.

    Args:
        reached: addresses and ports of the API server, and of kubelets.

    Raises:
        LabError: Kueue is not installed, somebody else has that namespace, or the API server does not answer.
    """
    space, right = making.place(settings)
    kube.create(space)
    if names.label(kube.get("Namespace", settings.jobs), names.CLASS) != settings.namespace:
        raise leaving.Foreign(f"namespace {settings.jobs} is not this class's", "delete it, if nobody needs it")
    kube.apply([right])
    try:
        Spaces.heard(lambda: kube.apply(making.queues(settings, certificate, reached)))
    except NotFound as missing:
        raise LabError(
            f"this cluster has no queues for Jobs: {missing.message}",
            "lab class up brings Kueue; without lab: docs/class-grading.md",
        ) from missing


def _ended(job: Object | None) -> tuple[str, str]:
    """`Complete` or `Failed` and why, once a Job has ended."""
    for each in ((job or {}).get("status") or {}).get("conditions") or []:
        if each.get("status") == "True" and each.get("type") in ("Complete", "Failed"):
            why = " ".join(filter(None, (each.get("reason"), each.get("message"))))
            return str(each["type"]), f"its grader died: {why or 'no reason given'}"
    return "", ""


def _annotation(item: Object, key: str) -> str:
    return str((item["metadata"].get("annotations") or {}).get(key, ""))
