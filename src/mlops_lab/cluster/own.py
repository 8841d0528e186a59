"""What this installation has made in a cluster that the user named, and may therefore delete there.

A label says that something is the project's, not whose: others may use the same cluster. So each object is recorded
before it is made, with a mark that it bears as an annotation, and with its UID once it is there. Whatever is
interrupted, the record has all that was made; and an object of the same name that somebody else has made is never taken
for it.

Recorded are namespaces and priority classes: all else is in one of these namespaces, or goes with a part of the
platform.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import secrets
import shlex
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.base import durable, state_files
from mlops_lab.base.errors import LabError
from mlops_lab.base.locking import alone
from mlops_lab.base.paths import state

MARK = "mlops-lab/made"
KINDS = {"Namespace": "/api/v1/namespaces", "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses"}

Object = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """An object that this installation has made, or was about to make.

    Args:
        mark: the value of its annotation; no two objects have the same.
        uid: what the API server calls it; empty where its answer was not seen.
    """

    kind: str
    name: str
    mark: str
    uid: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def path(self) -> str:
        """Its path in the API."""
        return f"{KINDS[self.kind]}/{self.name}"

    def is_it(self, item: Object) -> bool:
        """Is the cluster's object this one?"""
        meta = item["metadata"]
        if (item["kind"], meta["name"]) != (self.kind, self.name):
            return False
        return bool(meta["uid"] == self.uid if self.uid else (meta.get("annotations") or {}).get(MARK) == self.mark)


@dataclass(frozen=True)
class Record:
    """What is recorded of one context.

    Args:
        cluster: the UID of the cluster behind it (that of its namespace kube-system), since a context can be changed;
            empty where the cluster was in use before there was a record.
    """

    context: str
    cluster: str = ""
    made: tuple[Made, ...] = ()


def recorded(context: str) -> Record:
    """What is recorded of a context.

    Raises:
        LabError: the record can't be read.
    """
    return _read(_file(context)) or Record(context)


def contexts() -> list[str]:
    """The contexts in which something is recorded."""
    found = [_read(file) for file in sorted(_folder().glob("own-*.json"))]
    return [each.context for each in found if each and each.made]


def begin(context: str, cluster: str) -> None:
    """Record which cluster a context leads to, before anything is made in it.

    Raises:
        LabError: things are recorded that were made in another cluster.
    """
    with _changing(context) as change:
        before = recorded(context)
        require_same(before, cluster)
        change(dataclasses.replace(before, cluster=cluster))


def require_same(record: Record, cluster: str) -> None:
    """Check that a context still leads to the cluster that was recorded.

    Raises:
        LabError: it leads to another one.
    """
    if record.made and record.cluster not in ("", cluster):
        raise LabError(
            f"the context {record.context} leads to another cluster than the one in which `lab` has made things; "
            "nothing was changed",
            f"let it lead there again (KUBECONFIG counts); if that cluster is gone for good: "
            f"lab down --context {record.context} --forget",
        )


def create(context: str, item: Object, send: Callable[[Object], Object | None]) -> bool:
    """Make an object, unless there is one of that name; it is in the record from before it exists.

    Args:
        send: creates it and returns it as it is then; None where there is one already.

    Returns:
        Was it made?
    """
    made = Made(item["kind"], item["metadata"]["name"], secrets.token_hex(8))
    meta = {**item["metadata"], "annotations": {**(item["metadata"].get("annotations") or {}), MARK: made.mark}}
    _put(context, drop=[], add=[made])
    there = send({**item, "metadata": meta})  # after an error nobody knows whether it was made, so it stays recorded
    known = [] if there is None else [dataclasses.replace(made, uid=str(there["metadata"]["uid"]))]
    _put(context, drop=[made], add=known)
    return there is not None


def gone(context: str, things: Collection[Made]) -> None:
    """These are not in the cluster any more."""
    _put(context, drop=things, add=[])


def gone_by_name(context: str, kind: str, name: str) -> None:
    """None of that name is in the cluster any more."""
    gone(context, [each for each in recorded(context).made if (each.kind, each.name) == (kind, name)])


def forget(context: str) -> None:
    """Forget all that is recorded of a context, even if it can't be read."""
    _file(context).unlink(missing_ok=True)


def _put(context: str, drop: Collection[Made], add: Collection[Made]) -> None:
    marks = {each.mark for each in drop}
    with _changing(context) as change:
        before = recorded(context)
        after = (*(each for each in before.made if each.mark not in marks), *add)
        if after != before.made:
            change(dataclasses.replace(before, made=after))


@contextlib.contextmanager
def _changing(context: str) -> Iterator[Callable[[Record], None]]:
    file = _file(context)

    def change(record: Record) -> None:
        durable.write(file, json.dumps(dataclasses.asdict(record), indent=1))

    with alone(file.with_suffix(".lock"), "its record", lambda _: None):
        yield change


def _folder() -> Path:
    return state() / "clusters"


def _file(context: str) -> Path:
    return _folder() / f"own-{hashlib.sha256(context.encode()).hexdigest()[:16]}.json"


def _read(file: Path) -> Record | None:
    what, away = "the record of what `lab` has made in a cluster", shlex.join(["rm", str(file)])
    todo = f"nothing was deleted; put it back from a backup, or delete by hand what `lab` has made, then: {away}"
    found = state_files.kept(file, Record, what, todo)
    if found and any(each.kind not in KINDS for each in found.made):
        raise state_files.Damaged(file, what, "holds something else (a kind that `lab` does not record)", todo)
    return found
