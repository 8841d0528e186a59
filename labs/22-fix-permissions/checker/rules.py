"""What the rules in the lab's namespace give, as rights to ask about: also what nobody thought of beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from mlops_lab.checks import Lab
from mlops_lab.kit.rights import Right
from mlops_lab.kube.client import Object

from .accounts import KINDS

_MOST = 200  # of one role: who has so many, has much that is asked about anyway
_WITHOUT_NAME = ("create", "deletecollection")  # such a request names no object, so a rule with names gives none


async def bound(lab: Lab) -> list[Right]:
    """The rights that stand in the Roles here and in the ClusterRoles that are bound here, each once."""
    rules = [each.get("rules") or [] for each in await lab.objects.all("Role")]
    for name in sorted({_cluster_role(each) for each in await lab.objects.all("RoleBinding")} - {""}):
        role: Object = await lab.objects.named("ClusterRole", name).now() or {}
        rules.append(role.get("rules") or [])
    return list(dict.fromkeys(right for each in rules for right in said(each)[:_MOST]))


def _cluster_role(binding: Object) -> str:
    """The name of the ClusterRole that a binding gives to somebody; empty if there is none, or nobody."""
    role = binding["roleRef"]
    return str(role["name"]) if role["kind"] == "ClusterRole" and binding.get("subjects") else ""


def said(rules: Iterable[Object]) -> list[Right]:
    """What rules say, right by right; without what comes to nothing, such as Jobs of the core group."""
    found = []
    for rule in rules:
        fields = (rule.get(each) or [] for each in ("verbs", "apiGroups", "resources"))
        for verb, group, resource in itertools.product(*fields):
            kind, _, subresource = str(resource).partition("/")
            groups = [its for its, known in KINDS if known == kind]  # a resource of another group is none
            if groups and group not in (*groups, "*"):
                continue
            names = rule.get("resourceNames") or [""]
            if names != [""] and verb in _WITHOUT_NAME and not subresource:
                continue
            of = groups if groups and group == "*" else [group]
            found += [Right(verb, kind, str(name), each, subresource) for each in of for name in names]
    return found
