"""Pods beside the Deployments' own that do the same work."""

from __future__ import annotations

import re

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.pods import every_container, leaving
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import over

from .pods import NAMES

# However it is started: by its path, in its folder, as a module, or by a shell.
_NAME = rf"(?:{'|'.join(NAMES)})"
_PROGRAM = re.compile(
    rf"(?:^|[\s/;&|('\"]){_NAME}\.py\b|python[\d.]*(?:\s+[\w:=-]+){{0,9}}?\s+-[a-zA-Z]*m\s*{_NAME}(?![\w.-])"
)


async def nobody_beside(lab: Lab) -> Observation:
    """Whether no other pod than the Deployments' own runs one of the three programs, or bears the label of one."""
    own = {name_of(pod) for name in NAMES for pod in await owned_pods(lab, name)}
    others = [
        name_of(pod)
        for pod in await lab.objects.all("Pod")
        if name_of(pod) not in own and not leaving(pod) and not over(pod) and _plays_one(pod)
    ]
    return holds(not others, "no other pod that runs one of the programs or has its label", ", ".join(others))


def _plays_one(pod: Object) -> bool:
    commands = [
        " ".join(map(str, (*(each.get("command") or []), *(each.get("args") or []))))
        for each in every_container(pod["spec"])
    ]
    return any(map(_PROGRAM.search, commands)) or (pod["metadata"].get("labels") or {}).get("app") in NAMES
