"""One namespace of a learner: made, walled, opened, shut and removed. Each call goes on from whatever there is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.gradable import Grading
from mlops_lab.classroom.operator import names, walls
from mlops_lab.classroom.operator.differences import patch
from mlops_lab.classroom.operator.requests import Lab
from mlops_lab.classroom.operator.seen import Seen
from mlops_lab.classroom.operator.settings import Settings
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.ending import end_pods
from mlops_lab.kube.errors import NotFound, Refused
from mlops_lab.kube.exact import delete_exactly

T = TypeVar("T")
_FORBIDDEN = 403
# A right holds a moment after it was bound: the API server hears of it by a watch of its own.
_HEARD_WITHIN, _AGAIN = 5.0, 0.05


class Foreign(LabError):
    """A namespace of that name is somebody else's."""


class Spaces:
    """The namespaces of one class.

    Args:
        seen: what there is; only what differs from what should be is written.
    """

    def __init__(self, kube: Kube, settings: Settings, seen: Seen) -> None:
        self._kube, self._settings, self._seen = kube, settings, seen

    def make(
        self,
        learner: str,
        lab: str,
        grading: Grading,
        needs: Sequence[str],
        wanted: Lab,
        api: Sequence[tuple[str, int]],
        *,
        looking: bool = False,
    ) -> bool:
        """Have the namespace and its walls be there, and let the learner in.

        Args:
            looking: let the learner look and change nothing.

        Returns:
            False where there is one that has to go first, or is going.

        Raises:
            Foreign: somebody else's namespace has that name.
            LabError: the API server does not answer, or refuses.
        """
        space = walls.space(self._settings, learner, lab, grading, needs, wanted.round, wanted.draw)
        name = str(space["metadata"]["name"])
        there = self._seen.find("Namespace", name) or self._kube.find("Namespace", name)
        if there is None:
            self._kube.create(space)
            there = self._kube.get("Namespace", name)
        self._own(there)
        if there["metadata"].get("deletionTimestamp"):
            return False
        if names.annotation(there, names.ROUND) != str(wanted.round):
            self.remove(name, unless=str(wanted.round))
            return False
        if change := patch(there, space):
            self._kube.patch("Namespace", name, change)
        self.bring([walls.inside(self._settings, name, learner, lab)])
        self.bring(walls.walls(self._settings, learner, lab, grading, needs, api))
        if names.annotation(there, names.ENDED):
            self._kube.patch("Namespace", name, {"metadata": {"annotations": {names.ENDED: None}}})
        self.bring([walls.entry(self._settings, learner, lab, looking=looking)])
        return True

    def shut(self, there: Object, now: datetime) -> str:
        """Nobody gets in any more; when that has lasted as long as the settings say, the namespace goes.

        Returns:
            Until when it stays.
        """
        name = str(there["metadata"]["name"])
        self._own(there)
        if entry := self._seen.find("RoleBinding", walls.ENTRY, name):
            delete_exactly(self._kube, entry)
        since = names.annotation(there, names.ENDED)
        if not since:
            since = now.isoformat(timespec="seconds")
            self._kube.patch("Namespace", name, {"metadata": {"annotations": {names.ENDED: since}}})
        until = datetime.fromisoformat(since) + timedelta(hours=self._settings.keep_hours)
        if until <= now:
            self.remove(name)
        return until.isoformat(timespec="seconds")

    def remove(self, name: str, unless: str = "") -> None:
        """Delete a namespace of the class with all that is in it; it takes a while until it is gone.

        Args:
            unless: a round at which it stays: what was seen before may be old.

        Raises:
            Foreign: it is somebody else's.
        """
        there = self._kube.find("Namespace", name)
        if there is None or there["metadata"].get("deletionTimestamp"):
            return
        self._own(there)
        if not unless or names.annotation(there, names.ROUND) != unless:
            delete_exactly(self._kube, there)
            # A pod that somebody deletes may be given a year by that; only who gives it less ends it sooner.
            with suppress(Refused):  # no right in it, as it was not made to its end
                end_pods(self._kube, name)

    def bring(self, wanted: Sequence[Object]) -> None:
        """Have objects be as they should be; what is so already is not written."""
        for item in wanted:
            kind, meta = str(item["kind"]), item["metadata"]
            there = self._seen.find(kind, meta["name"], meta["namespace"])
            if there is None:
                self.heard(lambda item=item: self._kube.apply([item]))  # type: ignore[misc]
                continue
            change = patch(there, item)
            if change is None:
                continue
            if "roleRef" in change:  # it can't change
                self.heard(lambda there=there: delete_exactly(self._kube, there))  # type: ignore[misc]
                self.heard(lambda item=item: self._kube.apply([item]))  # type: ignore[misc]
                continue
            try:
                self.heard(
                    lambda change=change, meta=meta, kind=kind: self._kube.patch(  # type: ignore[misc]
                        kind, meta["name"], change, meta["namespace"]
                    )
                )
            except NotFound:
                self.heard(lambda item=item: self._kube.apply([item]))  # type: ignore[misc]

    @staticmethod
    def heard(call: Callable[[], T]) -> T:
        """Do something that a right is for which may have been bound a moment ago."""
        end = time.monotonic() + _HEARD_WITHIN
        while True:
            try:
                return call()
            except Refused as refused:
                if refused.status != _FORBIDDEN or time.monotonic() > end:
                    raise
            time.sleep(_AGAIN)

    def _own(self, there: Object) -> None:
        """Make sure that a namespace is the class's.

        Raises:
            Foreign: it does not bear the class's label.
        """
        if names.label(there, names.CLASS) != self._settings.namespace:
            name = there["metadata"]["name"]
            raise Foreign(
                f"namespace {name} is not this class's",
                f"if nobody needs it, delete it: kubectl delete namespace {name}",
            )
