"""ClusterRoles of the checker's own, made while it looks: is the one gathered, and the other one not?"""

import contextlib
from collections.abc import AsyncIterator

from mlops_lab.checks import Observation, absent
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_WITHIN = 10.0  # s until the controller has written it
GROUP, TRIALS, _OTHERS = "trial.example.com", "trials", "others"


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


async def has_no_more(lab: TaskLab, rights: set[tuple[str, str, str]]) -> Observation:
    """Has the team's ClusterRole these rights alone, once the controller has taken away those of the checker's own?"""

    def more(found: Object | None) -> list[str]:
        urls = [str(url) for rule in (found or {}).get("rules") or [] for url in rule.get("nonResourceURLs") or []]
        return sorted({f"{verb} {what}" for _, what, verb in rights_of(found) - rights}) + urls

    return await lab.objects.named("ClusterRole", D.team).until(
        lambda found: not more(found), expected="has the rights of both, and no others",
        shown=lambda found: f"also {', '.join(more(found)[:4])}" if more(found) else "it has no others", within=_WITHIN,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def one_that_comes(lab: TaskLab) -> AsyncIterator[Observation]:
    """While the block runs there is a ClusterRole more of the team's: does the team's ClusterRole get its rules?

    Another team has one more, too, of which it gets none.
    """
    other, role = _role(f"{D.team}-not", f"{D.team}-not", _OTHERS), _role(f"{D.team}-trial", D.team, TRIALS)
    async with standing(lab, [other, role]):
        seen = await gets(lab, rights_of(role), "has the rights of a ClusterRole with the label that is made now")
        found = await lab.objects.named("ClusterRole", D.team).now()
        if seen.ok and rights_of(other) <= rights_of(found):
            with_it = f"{D.label}/part-of: {D.team}-not"
            seen = absent("no rights of another team's ClusterRole", f"it has those of one with the label {with_it}")
        yield seen


def _role(name: str, part_of: str, resource: str) -> Object:
    """A ClusterRole with the label of a team, which may get a resource that nobody else speaks of."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": name, "labels": {f"{D.label}/part-of": part_of}},
        "rules": [{"apiGroups": [GROUP], "resources": [resource], "verbs": ["get"]}],
    }  # fmt: skip
