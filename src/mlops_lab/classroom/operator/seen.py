"""What there is of the class in the cluster, as lists and watches tell it; nothing here asks or changes anything."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from mlops_lab.classroom.operator import names
from mlops_lab.kube.client import Object, Objects

# The kinds of objects that the operator makes, wherever they are, and those in the namespace of the accounts.
CLASSES = ("Namespace", "RoleBinding", "ResourceQuota", "LimitRange", "NetworkPolicy")
ACCOUNTS = ("ServiceAccount", "Secret")

_Key = tuple[str, str, str]


class Seen:
    """Objects by kind, namespace and name, kept by many threads."""

    def __init__(self) -> None:
        self._items: dict[_Key, Object] = {}
        self._told: dict[str, set[_Key]] = {}  # of kinds that are being listed: what a watch tells of meanwhile
        self._lock = threading.Lock()

    def replace(self, kind: str, asked: Callable[[], Iterable[Object]]) -> Objects:
        """All objects of a kind, anew; returns those that have gone, have come or are others now.

        Args:
            asked: lists them. Of what a watch tells meanwhile, the list may have what was before.
        """
        with self._lock:
            told = self._told[kind] = set()
        try:
            listed = {_key(item): _slim(item) for item in asked()}
        except BaseException:
            with self._lock:
                del self._told[kind]
            raise
        with self._lock:
            del self._told[kind]
            fresh = {key: item for key, item in listed.items() if key not in told}
            old = {key: item for key, item in self._items.items() if key[0] == kind and key not in told}
            for key in old.keys() - fresh.keys():
                del self._items[key]
            self._items |= fresh
        changed = [item for key, item in fresh.items() if _version(old.get(key)) != _version(item)]
        return changed + [item for key, item in old.items() if key not in fresh]

    def take(self, event: str, item: Object) -> None:
        """What a watch tells."""
        with self._lock:
            if item["kind"] in self._told:
                self._told[item["kind"]].add(_key(item))
            if event == "DELETED":
                self._items.pop(_key(item), None)
            else:
                self._items[_key(item)] = _slim(item)

    def find(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """One object as it was seen last."""
        with self._lock:
            return self._items.get((kind, namespace, name))

    def of(self, kind: str, learner: str = "") -> Objects:
        """All objects of a kind, or a learner's, by name."""
        with self._lock:
            found = [item for key, item in self._items.items() if key[0] == kind]
        found = [item for item in found if not learner or names.label(item, names.LEARNER) == learner]
        return sorted(found, key=lambda item: str(item["metadata"]["name"]))


def _key(item: Object) -> _Key:
    meta = item["metadata"]
    return str(item["kind"]), str(meta.get("namespace") or ""), str(meta["name"])


def _version(item: Object | None) -> str:
    return str(item["metadata"].get("resourceVersion", "")) if item else ""


def _slim(item: Object) -> Object:
    """Without what is long and never looked at; a Secret's content isn't kept in memory."""
    meta = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    if item["kind"] == "Secret":
        return {**{key: value for key, value in item.items() if key not in ("data", "stringData")}, "metadata": meta}
    return {**item, "metadata": meta}
