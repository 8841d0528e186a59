"""What has to be changed of an object so that it is as it should be: a merge patch (RFC 7386), or nothing.

Labels and annotations of others stay. In all else an object of the operator's is exactly what it makes: a rule that
somebody has added to a NetworkPolicy is drift like one that is missing.
"""

from __future__ import annotations

from typing import Any

from mlops_lab.kube.client import Object
from mlops_lab.kube.quantity import quantity

_SAME: Any = object()


def patch(there: Object, wanted: Object) -> Object | None:
    """The merge patch that makes `wanted` of what is there; None where nothing is to be done."""
    found: Object = {}
    meta: Object = {}
    for key in ("labels", "annotations"):
        have = there["metadata"].get(key) or {}
        lacks = {name: value for name, value in (wanted["metadata"].get(key) or {}).items() if have.get(name) != value}
        if lacks:
            meta[key] = lacks
    if meta:
        found["metadata"] = meta
    for key, value in wanted.items():
        if key not in ("apiVersion", "kind", "metadata") and (change := _change(there.get(key), value)) is not _SAME:
            found[key] = change
    return found or None


def _change(there: Any, wanted: Any) -> Any:
    """The patch of one value; `_SAME` where it is as wanted."""
    if isinstance(there, dict) and isinstance(wanted, dict):
        found: Object = {key: None for key in there if key not in wanted}
        for key, value in wanted.items():
            if key not in there:
                found[key] = value
            elif (change := _change(there[key], value)) is not _SAME:
                found[key] = change
        return found or _SAME
    return _SAME if _same(there, wanted) else wanted


def _same(there: Any, wanted: Any) -> bool:
    if there == wanted:
        return True
    if isinstance(there, dict) and isinstance(wanted, dict):
        return there.keys() == wanted.keys() and all(_same(there[key], wanted[key]) for key in there)
    if isinstance(there, list) and isinstance(wanted, list):
        return len(there) == len(wanted) and all(map(_same, there, wanted))
    if isinstance(there, str) and isinstance(wanted, str):
        try:  # the API server keeps 1024Mi as 1Gi
            return quantity(there) == quantity(wanted)
        except ValueError:
            return False
    return False
