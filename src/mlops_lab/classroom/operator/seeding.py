"""What a lab begins with, put into a namespace by threads of its own: a seed may have a Job that takes minutes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.operator import names
from mlops_lab.classroom.operator.requests import MAKING, TROUBLE, State
from mlops_lab.classroom.operator.seen import Seen
from mlops_lab.classroom.operator.spaces import Spaces
from mlops_lab.kube.client import Kube, Object
from mlops_lab.labs import namespaces, parts
from mlops_lab.labs.catalog import Exercise, about

_AT_A_TIME = 4


class Seeding:
    """The beginnings of labs.

    Args:
        registry: where their images come from.
        again: gives a learner another turn.
    """

    def __init__(self, kube: Kube, seen: Seen, registry: str, again: Callable[[str], None]) -> None:
        self._kube, self._seen, self._registry, self._again = kube, seen, registry, again
        self._at_work: set[str] = set()
        self._trouble: dict[str, str] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="seeding")

    def __call__(self, exercise: Exercise, space: str) -> State | None:
        """How far a namespace is; None once all is in it. One that has failed is tried again at the next turn."""
        there = self._seen.find("Namespace", space) or self._kube.find("Namespace", space)
        if there is None or names.annotation(there, names.SEEDED):
            return None if there else State(MAKING)
        uid = str(there["metadata"]["uid"])
        with self._lock:
            if uid in self._at_work:
                return State(MAKING, "what the lab begins with is being made")
            if why := self._trouble.pop(uid, ""):
                return State(TROUBLE, why)
            self._at_work.add(uid)
        self._pool.submit(self._seed, exercise, there)
        return State(MAKING, "what the lab begins with is being made")

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _seed(self, exercise: Exercise, there: Object) -> None:
        meta = there["metadata"]
        space, uid = str(meta["name"]), str(meta["uid"])
        why = ""
        try:
            Spaces.heard(lambda: self._fill(exercise, space))
            now = datetime.now(UTC).isoformat(timespec="seconds")
            # With its uid the patch is refused if another namespace has the name by now.
            self._kube.patch("Namespace", space, {"metadata": {"uid": uid, "annotations": {names.SEEDED: now}}})
        except LabError as trouble:
            why = " ".join((trouble.message, *trouble.detail.splitlines()[:3]))
        except Exception as bug:
            why = f"the operator failed: {bug!r}"
        with self._lock:
            self._at_work.discard(uid)
            if why:
                self._trouble[uid] = why
        self._again(names.label(there, names.LEARNER))

    def _fill(self, exercise: Exercise, space: str) -> None:
        needs = about(exercise).needs
        if parts.needed(needs):
            meta = {"name": parts.SETTINGS, "labels": {"app.kubernetes.io/managed-by": names.MANAGED_BY}}
            settings = parts.settings(space, needs)
            self._kube.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": settings}], space)
        namespaces.seed(self._kube, exercise, space, self._registry)
