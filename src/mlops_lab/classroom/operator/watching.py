"""What changes in the cluster: a thread watches each kind, and a list now and then tells what was missed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.operator import names
from mlops_lab.classroom.operator.seen import ACCOUNTS, CLASSES, Seen
from mlops_lab.classroom.operator.settings import Settings
from mlops_lab.kube.client import Kube, Object

_AT_A_TIME = 600.0  # s of one watch; it begins with a list
_PAUSE = 2.0  # s before a watch that broke off begins again


@dataclass(frozen=True)
class Source:
    """What is watched: a kind, where, and by which label."""

    kind: str
    namespace: str | None
    selector: str


def sources(settings: Settings) -> list[Source]:
    """All that a turn goes by."""
    own = f"{names.CLASS}={settings.namespace}"
    return [
        Source("ConfigMap", settings.namespace, names.PART),
        *(Source(kind, None, own) for kind in CLASSES),
        *(Source(kind, settings.accounts, own) for kind in ACCOUNTS),
    ]


class Watching:
    """All watches of one class.

    Args:
        changed: is told of each object that came, changed or went; after `seen` knows of it.
        log: takes a line for a person.
    """

    def __init__(
        self, kube: Kube, settings: Settings, seen: Seen, changed: Callable[[Object], None], log: Callable[[str], None]
    ) -> None:
        self._kube, self._seen, self._changed, self._log = kube, seen, changed, log
        self._sources = sources(settings)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def look(self) -> None:
        """List everything, and tell what is another than was known.

        Raises:
            LabError: the API server does not answer, or refuses.
        """
        for each in self._sources:
            asked = partial(self._kube.list, each.kind, each.namespace, each.selector)
            for item in self._seen.replace(each.kind, asked):
                self._changed(item)

    def start(self) -> None:
        """Watch, until `close`."""
        for each in self._sources:
            thread = threading.Thread(target=self._watch, args=(each,), name=f"watch {each.kind}", daemon=True)
            thread.start()
            self._threads.append(thread)

    @property
    def alive(self) -> bool:
        """Do all threads go on?"""
        return all(each.is_alive() for each in self._threads)

    def close(self) -> None:
        """End all watches, within some seconds."""
        self._stop.set()

    def _watch(self, source: Source) -> None:
        while not self._stop.is_set():
            try:
                for event, item in self._kube.watch(
                    source.kind, source.namespace, selector=source.selector, within=_AT_A_TIME, stop=self._stop
                ):
                    if event == "ADDED" and self._known(item):
                        continue  # of the list with which a watch begins
                    self._seen.take(event, item)
                    self._changed(item)
            except LabError as trouble:
                self._log(f"the watch of {source.kind} broke off: {trouble.message}")
                self._stop.wait(_PAUSE)

    def _known(self, item: Object) -> bool:
        meta = item["metadata"]
        known = self._seen.find(str(item["kind"]), str(meta["name"]), str(meta.get("namespace") or ""))
        return known is not None and known["metadata"].get("resourceVersion") == meta.get("resourceVersion")
