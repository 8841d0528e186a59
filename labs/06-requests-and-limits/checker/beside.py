"""Pods beside the Deployments' own that do the same work, and what would make such."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlops_lab.checks import Lab, Observation, holds
from mlops_lab.kit import jobs
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.makers import MAKERS
from mlops_lab.kit.pods import every_container, leaving
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kit.workloads import labels_of_pods
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import over

from .pods import NAMES

# However it is started: by its path, in its folder, as a module, or by a shell.
_NAME = rf"(?:{'|'.join(NAMES)})"
_PROGRAM = re.compile(
    rf"(?:^|[\s/;&|('\"]){_NAME}\.py\b|python[\d.]*(?:\s+[\w:=-]+){{0,9}}?\s+-[a-zA-Z]*m\s*{_NAME}(?![\w.-])"
)


async def nobody_beside(lab: Lab) -> Observation:
    """Whether no other pod than the Deployments' own runs one of the three programs, or bears the label of one.

    Nor may anything make such a pod at another time, as a CronJob does at night.
    """
    own = {name_of(pod) for name in NAMES for pod in await owned_pods(lab, name)}
    others = [
        name_of(pod)
        for pod in await lab.objects.all("Pod")
        if name_of(pod) not in own and not leaving(pod) and not over(pod)
        if _plays_one(pod["spec"], pod["metadata"].get("labels") or {})
    ]
    others += [
        f"those of {kind} {name_of(each)}"
        for kind in MAKERS
        for each in await lab.objects.all(kind)
        if not (kind == "Deployment" and name_of(each) in NAMES) and not jobs.over(each)
        if _plays_one(_spec_of_pods(each), labels_of_pods(each))
    ]
    return holds(not others, "no other pod that runs one of the programs or has its label", ", ".join(others))


def _spec_of_pods(workload: Object) -> Object:
    """What the pods of a workload are made of, those of a CronJob's Jobs too."""
    spec: Object = workload["spec"]
    template: Object = spec.get("jobTemplate", {}).get("spec", spec)["template"]
    found: Object = template["spec"]
    return found


def _plays_one(spec: Object, labels: Mapping[str, str]) -> bool:
    commands = [
        " ".join(map(str, (*(each.get("command") or []), *(each.get("args") or [])))) for each in every_container(spec)
    ]
    return any(map(_PROGRAM.search, commands)) or labels.get("app") in NAMES
