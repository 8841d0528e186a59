"""A namespace that is graded in place: until that has ended, its learner looks and changes nothing.

The grader's right in the namespace says that it is graded, and what the operator does follows from that right alone:
while it is there, the learner's own right is one to look, and rights of accounts in the namespace (a lab may begin with
some, and who makes a pod can have such an account's token) are taken away. An annotation then tells the grader that it
may begin. Once the grader's right is gone, or is older than any grading can be, all of it is given back.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mlops_lab.classroom.operator import names, walls
from mlops_lab.classroom.operator.seen import Seen
from mlops_lab.classroom.operator.settings import Settings
from mlops_lab.kube.client import Kube, Object, Objects
from mlops_lab.kube.errors import NotFound
from mlops_lab.kube.exact import delete_exactly
from mlops_lab.labs.catalog import Exercise

HELD_WHY = "it is being graded: until that has ended you can look at it, and change nothing"
_TAKING = "taking"  # rights are being taken away, and have to be given back from now on


class Holding:
    """All holds of one class.

    Args:
        seen: what there is.
    """

    def __init__(self, kube: Kube, settings: Settings, seen: Seen) -> None:
        self._kube, self._settings, self._seen = kube, settings, seen

    def by(self, there: Object | None, now: datetime) -> Object | None:
        """The grader's right in a namespace; None if it is not graded now. One that is too old goes.

        Of several (one that was given up may be on its way out) it is the one that holds the namespace already.
        """
        if there is None or names.label(there, names.GRADED) != names.IN_PLACE:
            return None
        found: Objects = []
        space, learner = str(there["metadata"]["name"]), names.label(there, names.LEARNER)
        for each in self._seen.of("RoleBinding", learner):
            if each["metadata"].get("namespace") != space or not names.label(each, names.GRADER):
                continue
            since = each["metadata"].get("creationTimestamp")
            if since and datetime.fromisoformat(since) + timedelta(seconds=self._settings.hold_seconds) <= now:
                delete_exactly(self._kube, each)
            else:
                found.append(each)
        held = names.annotation(there, names.HELD)
        return next((each for each in found if _told(each) == held), found[0] if found else None)

    def hold(self, there: Object, exercise: Exercise, by: Object) -> None:
        """See that nobody but the grader can change anything, and then say so.

        Raises:
            LabError: the API server does not answer, or refuses.
        """
        told = _told(by)
        if names.annotation(there, names.HELD) == told:
            return
        space = str(there["metadata"]["name"])
        if not names.annotation(there, names.HELD):
            self._say(there, _TAKING)
        # What was seen of the learner's right may be older than what an earlier turn has made of it.
        entry = self._kube.find("RoleBinding", walls.ENTRY, space)
        if entry and entry["roleRef"]["name"] != walls.looks(self._settings):
            delete_exactly(self._kube, entry)
        for each in _own_rights(exercise):
            self._bind(each, space, [])
        self._say(there, told)

    def release(self, there: Object, exercise: Exercise) -> None:
        """Give back what was taken away; the learner's own right is there again already. Raises as `hold`."""
        if not names.annotation(there, names.HELD):
            return
        space = str(there["metadata"]["name"])
        for each in _own_rights(exercise):
            self._bind(each, space, each["subjects"])
        self._say(there, None)

    def _bind(self, right: Object, space: str, subjects: Objects) -> None:
        try:
            self._kube.patch("RoleBinding", right["metadata"]["name"], {"subjects": subjects}, space)
        except NotFound:  # nobody has it then
            return

    def _say(self, there: Object, what: str | None) -> None:
        meta = there["metadata"]
        # With its uid the patch is refused if another namespace has the name by now.
        change = {"metadata": {"uid": meta["uid"], "annotations": {names.HELD: what}}}
        self._kube.patch("Namespace", meta["name"], change)


def _told(by: Object) -> str:
    """What a grader is told, by its right: another right of the same name is another hold."""
    return f"{by['metadata']['name']}/{by['metadata']['uid']}"


def _own_rights(exercise: Exercise) -> Objects:
    """The RoleBindings that a lab begins with."""
    import yaml

    file = exercise.folder / "start" / "seed.yaml"
    found = yaml.safe_load_all(file.read_text("utf-8")) if file.is_file() else ()
    return [each for each in found if each and each["kind"] == "RoleBinding"]
