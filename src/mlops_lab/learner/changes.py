"""What changes in a lab while the learner works: the objects in its namespace, and the files in the workspace.

Objects come from the Kubernetes API's own watch, one thread for each kind; files by looking at them often.
"""

from __future__ import annotations

import hashlib
import json
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.base import entries
from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import NotFound
from mlops_lab.kube.objects import own_taints

# Kinds that a learner writes; a change of their specification may be the learner's.
WRITTEN = (
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "Service",
    "ConfigMap",
    "Secret",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "NetworkPolicy",
)
# Kinds that follow from those; they say how things go.
FOLLOWING = ("Pod", "EndpointSlice")
_LOOK_EVERY = 0.3
_AGAIN_AFTER = 1.0
_WATCH_FOR = 3600.0
# What writes objects for a person; all other names in managedFields are the tool's own, or controllers'.
_PROGRAMS = ("kubectl", "helm")


@dataclass(frozen=True)
class Change:
    """Something that changed.

    Attributes:
        what: such as `Deployment model` or `file model.yaml`.
        is_file: a file of the workspace.
        by_hand: another specification, written with kubectl or helm: by the learner, or by a program of the learner's.
    """

    what: str
    is_file: bool = False
    by_hand: bool = False


class Changes:
    """Follows a namespace and a folder from `start` to `stop`; `notify` is called from its threads.

    Args:
        nodes: the nodes are the learner's to change, too.
    """

    def __init__(
        self, kube: Kube, namespace: str, workspace: Path, notify: Callable[[Change], None], *, nodes: bool = False
    ) -> None:
        self._kube = kube
        self._written = (*WRITTEN, *(("Node",) if nodes else ()))
        self._namespace = namespace
        self._workspace = workspace
        self._notify = notify
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._versions: dict[tuple[str, str], str] = {}
        self._specs: dict[tuple[str, str], str] = {}

    def start(self) -> None:
        """Begin to follow."""
        for kind in self._written + FOLLOWING:
            threading.Thread(target=self._follow, args=(kind,), daemon=True, name=f"watch-{kind}").start()
        threading.Thread(target=self._look, daemon=True, name="watch-files").start()

    def stop(self) -> None:
        """Follow no more; the threads end within a few seconds."""
        self._stop.set()

    def fingerprint(self) -> str:
        """What the learner made of the namespace: equal as long as no specification changed.

        The number of replicas is left out: an autoscaler changes it all the time.
        """
        with self._lock:
            return hashlib.sha256(repr(sorted(self._specs.items())).encode()).hexdigest()

    def _follow(self, kind: str) -> None:
        while not self._stop.is_set():
            try:
                for event, item in self._kube.watch(kind, self._namespace, within=_WATCH_FOR, stop=self._stop):
                    if change := self._news(kind, event, item):
                        self._notify(change)
            except NotFound:
                return  # this cluster does not serve the kind
            except LabError:
                self._stop.wait(_AGAIN_AFTER)  # away for the moment; the checks themselves report it

    def _news(self, kind: str, event: str, item: dict[str, Any]) -> Change | None:
        key = (kind, str(item["metadata"]["name"]))
        version = "" if event == "DELETED" else str(item["metadata"].get("resourceVersion"))
        by_hand = False
        with self._lock:
            if self._versions.get(key, "") == version:
                return None
            self._versions[key] = version
            if kind in self._written:
                spec = _specification(kind, item) if version else ""
                by_hand = bool(spec) and spec != self._specs.get(key) and _by_hand(item)
                self._specs[key] = spec
        return Change(" ".join(key), by_hand=by_hand)

    def _look(self) -> None:
        before = _files(self._workspace)
        while not self._stop.wait(_LOOK_EVERY):
            now = _files(self._workspace)
            for name in sorted(set(before.items()) ^ set(now.items())):
                self._notify(Change(f"file {name[0]}", is_file=True))
            before = now


def _specification(kind: str, item: dict[str, Any]) -> str:
    if kind == "Node":
        return _of_node(item)
    spec = {key: value for key, value in (item.get("spec") or {}).items() if key != "replicas"}
    return json.dumps([spec, item.get("data")], sort_keys=True, default=str)


def _of_node(item: dict[str, Any]) -> str:
    """What people make of a node."""
    made = [item["metadata"].get("labels"), item["spec"].get("unschedulable"), own_taints(item)]
    return json.dumps(made, sort_keys=True)


def _by_hand(item: dict[str, Any]) -> bool:
    """Whether the last to write the object itself, not its status or its scale, was a person's program."""
    entries = [each for each in item["metadata"].get("managedFields") or [] if not each.get("subresource")]
    last = max((each.get("time") or "" for each in entries), default="")
    # The times are whole seconds: where others wrote in the same one, it may have been them.
    writers = [str(each.get("manager")) for each in entries if (each.get("time") or "") == last]
    return bool(writers) and all(writer.startswith(_PROGRAMS) for writer in writers)


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for path in entries.files(folder):
        if path.name.startswith("."):
            continue
        try:
            seen = path.stat()
        except OSError:
            continue
        if stat.S_ISREG(seen.st_mode):
            found[str(path.relative_to(folder))] = (seen.st_mtime_ns, seen.st_size)
    return found
