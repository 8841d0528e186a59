"""The user's kubeconfig: add and remove the cluster's own entries, keep everything else and the current context.

The file is found and locked as kubectl and kind do it (KUBECONFIG, else ~/.kube/config; a `.lock` file beside it).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mlops_lab.base.errors import LabError
from mlops_lab.base.state_files import write

_PARTS = ("clusters", "users", "contexts")


def files() -> list[Path]:
    """The kubeconfig files that count, in kubectl's order."""
    parts = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [Path(part).expanduser() for part in parts] or [Path.home() / ".kube" / "config"]


def target() -> Path:
    """The file that new entries go to: the first one that exists, else the last one named."""
    return next((path for path in files() if path.exists()), files()[-1])


def contexts() -> list[str]:
    """Names of all contexts in the user's files."""
    return [item["name"] for path in files() if path.exists() for item in _load(path).get("contexts") or []]


def merge(addition: dict[str, Any]) -> None:
    """Put the entries of a kubeconfig into the user's; the current context changes only where there was none.

    Raises:
        LabError: the user's file can't be read or is locked by another program.
    """
    path = target()
    with _locked(path):
        whole = _load(path) if path.exists() else {}
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


def remove(context: str) -> None:
    """Take out a context with its cluster and user (kind gives all three one name).

    A file that can't be read stays as it is, since a cluster must be deletable all the same; see `unreadable`.
    """
    damaged = unreadable()
    for path in files():
        if not path.exists() or path in damaged:
            continue
        with _locked(path):
            whole = _load(path)
            kept = {part: [item for item in whole.get(part) or [] if item["name"] != context] for part in _PARTS}
            if all(len(kept[part]) == len(whole.get(part) or []) for part in _PARTS):
                continue
            whole.update(kept)
            if whole.get("current-context") == context:
                whole["current-context"] = ""
            _store(path, whole)


def unreadable() -> list[Path]:
    """The user's files that are no kubeconfig."""
    return [path for path in files() if path.exists() and not _readable(path)]


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
    # A symbolic link stays one.
    write(path.resolve(), yaml.safe_dump(whole, sort_keys=False), mode=0o600)


@contextlib.contextmanager
def _locked(path: Path, within: float = 10) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")
    end = time.monotonic() + within
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            if time.monotonic() > end:
                raise LabError(
                    f"the kubeconfig is locked by another program ({lock})", f"if no program uses it: rm {lock}"
                ) from None
            time.sleep(0.1)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
