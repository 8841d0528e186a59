"""A cluster's API in memory: objects as dicts, with what the operator's own steps depend on, and watches."""

from __future__ import annotations

import copy
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from mlops_lab.kube.errors import NotFound, Refused

Object = dict[str, Any]
_CLUSTER_WIDE = {"Namespace"}


class ClusterInMemory:
    """What `Kube` does, as far as the operator asks for it. Each change is kept in `writes`, and told to `told`."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str, str], Object] = {}
        self.writes: list[str] = []
        self.told: list[Callable[[str, Object], None]] = []
        self.refuses: Callable[[str], int] = lambda write: 0  # an HTTP status for a write, 0 to let it pass
        self.waits_for_pods = False  # a namespace that is deleted stays until `finish`
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()

    # What a test does as somebody else: it is no write of the operator's.

    def put(self, item: Object) -> Object:
        with self._lock:
            return self._store(item)

    def take_away(self, kind: str, name: str, namespace: str = "") -> None:
        with self._lock:
            self._drop((kind, namespace, name))

    def finish(self) -> None:
        """Namespaces that are going have gone."""
        with self._lock:
            for key, item in list(self.items.items()):
                if item["metadata"].get("deletionTimestamp"):
                    self._drop(key)

    def named(self, kind: str, namespace: str = "") -> list[str]:
        with self._lock:
            return sorted(key[2] for key in self.items if key[:2] == (kind, namespace))

    # As `Kube`

    def find(self, kind: str, name: str, namespace: str | None = None, api_version: str | None = None) -> Object | None:
        with self._lock:
            return copy.deepcopy(self.items.get((kind, namespace or "", name)))

    def get(self, kind: str, name: str, namespace: str | None = None, api_version: str | None = None) -> Object:
        found = self.find(kind, name, namespace)
        if found is None:
            raise NotFound(f"{kind} {name}: not found", "create it")
        return found

    def list(self, kind: str, namespace: str | None = None, selector: str = "") -> list[Object]:
        with self._lock:
            found = [item for key, item in self.items.items() if key[0] == kind and namespace in (None, key[1])]
            return copy.deepcopy([item for item in found if _fits(item, selector)])

    def create(self, item: Object) -> Object | None:
        with self._lock:
            self._write(f"create {item['kind']} {item['metadata']['name']}")
            there = self.find(item["kind"], item["metadata"]["name"], item["metadata"].get("namespace"))
            return None if there else self._store(item)

    def apply(self, objects: list[Object], namespace: str | None = None) -> None:
        for item in objects:
            with self._lock:
                meta = item["metadata"]
                where = "" if item["kind"] in _CLUSTER_WIDE else meta.get("namespace") or namespace
                self._write(f"apply {item['kind']} {meta['name']} in {where}")
                self._store({**item, "metadata": {**meta, **({"namespace": where} if where else {})}})

    def patch(
        self, kind: str, name: str, patch: Object, namespace: str | None = None, api_version: str | None = None
    ) -> Object:
        with self._lock:
            self._write(f"patch {kind} {name}" + (f" in {namespace}" if namespace else ""))
            there = self.get(kind, name, namespace)
            if patch.get("metadata", {}).get("uid", there["metadata"]["uid"]) != there["metadata"]["uid"]:
                raise Refused(f"{kind} {name}: another uid", "look again", 409)
            return self._store(merged(there, patch))

    def delete(self, kind: str, name: str, namespace: str | None = None, grace: int | None = None) -> None:
        space = self.get("Namespace", namespace or "")
        going = kind == "Pod" and space["metadata"].get("deletionTimestamp")
        assert going, "nothing else of the class's is deleted without its uid"
        self._write(f"delete {kind} {name} in {namespace} within {grace} s")
        self._drop((kind, namespace or "", name))

    def _resource(self, kind: str, api_version: str | None) -> Any:
        return SimpleNamespace(delete=lambda **given: self._delete(kind, **given))

    def watch(
        self, kind: str, namespace: str | None = None, *, selector: str = "", within: float, stop: threading.Event
    ) -> Iterator[tuple[str, Object]]:
        """As `Kube.watch`: what there is, then each change."""
        told: queue.Queue[tuple[str, Object]] = queue.Queue()

        def hear(event: str, item: Object) -> None:
            if item["kind"] == kind and namespace in (None, item["metadata"].get("namespace", "")):
                told.put((event, item))

        with self._lock:
            self.told.append(hear)
            for item in self.list(kind, namespace, selector):
                told.put(("ADDED", item))
        while not stop.is_set():
            try:
                event, item = told.get(timeout=0.02)
            except queue.Empty:
                continue
            if _fits(item, selector):
                yield event, item

    def _delete(self, kind: str, name: str, namespace: str | None, body: Object) -> None:
        with self._lock:
            self._write(f"delete {kind} {name}" + (f" in {namespace}" if namespace else ""))
            there = self.get(kind, name, namespace)
            if body["preconditions"]["uid"] != there["metadata"]["uid"]:
                raise Refused(f"{kind} {name}: another uid", "look again", 409)
            if kind == "Namespace" and self.waits_for_pods:
                there["metadata"]["deletionTimestamp"] = "now"
                self._store(there)
            else:
                self._drop((kind, namespace or "", name))

    def _write(self, write: str) -> None:
        self.writes.append(write)
        if status := self.refuses(write):
            raise Refused(f"{write}: refused", "read why", status)

    def _store(self, item: Object) -> Object:
        item = copy.deepcopy(item)
        meta = item["metadata"]
        key = (item["kind"], meta.get("namespace") or "", meta["name"])
        old = self.items.get(key)
        number = str(next(self._numbers))
        meta["uid"] = old["metadata"]["uid"] if old else f"uid-{number}"
        meta["resourceVersion"] = number
        self.items[key] = item
        self._tell("MODIFIED" if old else "ADDED", item)
        return copy.deepcopy(item)

    def _drop(self, key: tuple[str, str, str]) -> None:
        item = self.items.pop(key)
        self._tell("DELETED", item)
        if key[0] == "Namespace":
            for inner in [each for each in self.items if each[1] == key[2]]:
                self._drop(inner)

    def _tell(self, event: str, item: Object) -> None:
        for each in self.told:
            each(event, copy.deepcopy(item))


def merged(there: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    found = dict(there) if isinstance(there, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


def _fits(item: Object, selector: str) -> bool:
    labels = item["metadata"].get("labels") or {}
    key, equals, value = selector.partition("=")
    return not selector or (labels.get(key) == value if equals else key in labels)


def until(condition: Callable[[], Any], within: float = 5.0) -> Any:
    """Wait for something that other threads do; what it was at last."""
    end = time.monotonic() + within
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    return found
