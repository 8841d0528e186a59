"""A ClusterRole of the checker's own, made while it looks: is it gathered?"""

from mlops_lab.checks import Observation
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_WITHIN = 10.0  # s until the controller has written it
_RULE = {"apiGroups": ["trial.example.com"], "resources": ["trials"], "verbs": ["get"]}


def rights_of(role: Object | None) -> set[tuple[str, str, str]]:
    """Each right of a ClusterRole: group, resource, verb."""
    return {
        (group, resource, verb)
        for rule in (role or {}).get("rules") or []
        for group in rule.get("apiGroups") or []
        for resource in rule.get("resources") or []
        for verb in rule.get("verbs") or []
    }


async def gets(lab: TaskLab, rights: set[tuple[str, str, str]], expected: str) -> Observation:
    """Does the team's ClusterRole have these rights, once the controller has written them?"""
    return await lab.objects.named("ClusterRole", D.team).until(
        lambda found: rights <= rights_of(found), expected=expected,
        shown=lambda found: f"{len(rights & rights_of(found))} of {len(rights)} rights are there", within=_WITHIN,
    )  # fmt: skip


async def gathers_what_comes(lab: TaskLab) -> Observation:
    """Does the team's ClusterRole get the rules of one with the label that is made now?"""
    role: Object = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": [_RULE],
        "metadata": {"name": f"{D.team}-trial", "labels": {f"{D.label}/part-of": D.team}},
    }  # fmt: skip
    async with standing(lab, [role]):
        return await gets(lab, rights_of(role), "has the rights of a ClusterRole with the label that is made now")
