"""The user's kubeconfig: add and remove the cluster's own entries, keep everything else and the current context.

The file is found and locked as kubectl and kind do it (KUBECONFIG, else ~/.kube/config; a `.lock` file beside it).
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.state_files import write

_PARTS = ("clusters", "users", "contexts")
_FULL = (errno.ENOSPC, errno.EDQUOT)  # no matter of this file


class Closed(LabError):
    """A kubeconfig that may not be changed, or that lies where nothing may be."""

    def __init__(self, path: Path, trouble: OSError) -> None:
        super().__init__(
            f"the kubeconfig {path} can't be changed: {trouble.strerror or trouble}",
            "make its folder your own, or name a file of yours: export KUBECONFIG=$HOME/.kube/config",
        )


def files() -> list[Path]:
    """The kubeconfig files that count, in kubectl's order."""
    parts = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [Path(part).expanduser() for part in parts] or [Path.home() / ".kube" / "config"]


def there() -> list[Path]:
    """Those that exist, as far as their folders are not closed to us."""
    return [path for path in files() if _exists(path)]


def target() -> Path:
    """The file that new entries go to: the first one that exists, else the last one named."""
    return next(iter(there()), files()[-1])


def contexts() -> list[str]:
    """Names of all contexts in the user's files."""
    return [item["name"] for path in there() for item in _load(path).get("contexts") or []]


def server(context: str) -> str:
    """The address to which a context leads, empty if to none; of entries with one name the first counts, as in kubectl.

    Raises:
        LabError: one of the user's files can't be read.
    """
    wholes = [_load(path) for path in files() if _exists(path)]

    def entry(part: str, name: str) -> dict[str, Any]:
        found = [item for whole in wholes for item in whole.get(part) or [] if item["name"] == name]
        return dict(found[0].get(part.removesuffix("s")) or {}) if found else {}

    return str(entry("clusters", entry("contexts", context).get("cluster", "")).get("server", ""))


def merge(addition: dict[str, Any]) -> None:
    """Put the entries of a kubeconfig into the user's; the current context changes only where there was none.

    Raises:
        LabError: the user's file can't be read or changed, or is locked by another program.
    """
    path = target()
    with _locked(path):
        whole = _load(path) if _exists(path) else {}
        whole.setdefault("apiVersion", "v1")
        whole.setdefault("kind", "Config")
        for part in _PARTS:
            added = addition.get(part) or []
            names = {item["name"] for item in added}
            whole[part] = [item for item in whole.get(part) or [] if item["name"] not in names] + added
        whole.setdefault("preferences", {})
        if not whole.get("current-context"):
            whole["current-context"] = addition.get("current-context", "")
        _store(path, whole)


def check() -> None:
    """See that `merge` will be able to do it, before minutes go by.

    Raises:
        LabError: it won't.
    """
    path = target()
    with _locked(path):
        if _exists(path):
            _load(path)
    folder = path.resolve().parent  # where a symbolic link leads
    if folder.is_dir() and not os.access(folder, os.W_OK):
        raise Closed(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def remove(context: str) -> None:
    """Take out a context with its cluster and user (kind gives all three one name).

    A file that has none of it is not touched. One that can't be read or changed stays as it is, since a cluster must be
    deletable all the same; see `unreadable` and `left`.
    """
    for path in left(context):
        with contextlib.suppress(Closed), _locked(path):
            whole = _load(path)
            whole.update({part: [item for item in whole.get(part) or [] if item["name"] != context] for part in _PARTS})
            if whole.get("current-context") == context:
                whole["current-context"] = ""
            _store(path, whole)


def left(context: str) -> list[Path]:
    """The user's files that have something of a context."""
    return [path for path in there() if _readable(path) and _has(_load(path), context)]


def unreadable() -> list[Path]:
    """The user's files that are no kubeconfig."""
    return [path for path in there() if not _readable(path)]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that is closed to us
        return False


def _has(whole: dict[str, Any], context: str) -> bool:
    return any(item["name"] == context for part in _PARTS for item in whole.get(part) or [])


def _readable(path: Path) -> bool:
    try:
        _load(path)
    except LabError:
        return False
    return True


def _load(path: Path) -> dict[str, Any]:
    try:
        whole = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        raise LabError(
            f"the kubeconfig {path} can't be read", "repair it or name another with KUBECONFIG", str(error)
        ) from error
    if not isinstance(whole, dict) or not all(_named(whole.get(part)) for part in _PARTS):
        raise LabError(f"{path} is not a kubeconfig", "repair it or name another with KUBECONFIG")
    return whole


def _named(entries: Any) -> bool:
    """Are these entries of a kubeconfig, or none?"""
    return entries is None or (
        isinstance(entries, list) and all(isinstance(each, dict) and "name" in each for each in entries)
    )


def _store(path: Path, whole: dict[str, Any]) -> None:
    file = path.resolve()  # a symbolic link stays one
    before = file.stat() if file.exists() else None
    try:
        write(file, yaml.safe_dump(whole, sort_keys=False), mode=0o600)
    except LabError as failed:
        if not isinstance(failed.__cause__, OSError) or failed.__cause__.errno in _FULL:
            raise
        raise Closed(path, failed.__cause__) from failed
    if before and os.geteuid() == 0:  # after `sudo -E lab up` the user's own kubectl has to read it
        with contextlib.suppress(OSError):
            os.chown(file, before.st_uid, before.st_gid)


@contextlib.contextmanager
def _locked(path: Path, within: float = 10) -> Iterator[None]:
    lock = path.with_name(f"{path.name}.lock")
    end = time.monotonic() + within
    while not _made(lock, path):
        if time.monotonic() > end:
            away = shlex.join(["rm", str(lock)])
            raise LabError(f"the kubeconfig is locked by another program ({lock})", f"if no program uses it: {away}")
        time.sleep(0.1)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _made(lock: Path, path: Path) -> bool:
    """Make a lock file, unless it is there.

    Raises:
        Closed: it can't be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
    except OSError as trouble:
        if trouble.errno in _FULL:
            raise
        if isinstance(trouble, FileExistsError) and path.parent.is_dir():
            return False
        raise Closed(path, trouble) from trouble
    return True
