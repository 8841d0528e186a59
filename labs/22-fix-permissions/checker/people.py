"""Users and groups that a binding here is for and that are no ServiceAccounts: a person's, say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlops_lab.kube.client import Object

from .accounts import ALL_OF, USER

# Every account is in the first two, so `default` is asked in their place; who is in the last may do all without roles.
_KNOWN = ("system:serviceaccounts", "system:authenticated", "system:masters")


def people(bindings: Iterable[Object], somebody: str) -> dict[str, Mapping[str, Any]]:
    """Each of them in words, with whom the API server is asked about.

    Args:
        somebody: the user who stands for all of a group.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for subject in (subject for each in bindings for subject in each.get("subjects") or []):
        kind, name = subject.get("kind"), str(subject["name"])
        if kind == "User" and not name.startswith(USER):
            found[f"user {name}"] = {"user": name, "groups": []}
        elif kind == "Group" and name not in _KNOWN and not name.startswith(ALL_OF):
            found[f"group {name}"] = {"user": somebody, "groups": [name]}
    return found
