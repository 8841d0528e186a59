"""PodDisruptionBudgets of the namespace: in words, and those that are about the pods of a template."""

from __future__ import annotations

from mlops_lab.checks import Lab
from mlops_lab.kit.pods import name
from mlops_lab.kube.client import Object

from .placement import matches


async def budgets(lab: Lab) -> tuple[str, ...]:
    """Each PodDisruptionBudget of the namespace in a line."""
    lines = []
    for each in await lab.objects.all("PodDisruptionBudget"):
        spec, status = each["spec"], each.get("status") or {}
        asks = ", ".join(f"{key} {spec[key]}" for key in ("minAvailable", "maxUnavailable") if key in spec)
        lines.append(
            f"PodDisruptionBudget {name(each)} ({asks or 'asks for nothing'}): its selector matches "
            f"{status.get('expectedPods', 0)} pods, {status.get('currentHealthy', 0)} of them are ready, "
            f"{status.get('desiredHealthy', 0)} must be, {status.get('disruptionsAllowed', 0)} may go now"
        )
    return tuple(lines) or ("there is no PodDisruptionBudget in this namespace",)


async def matching_budgets(lab: Lab, template: Object) -> list[Object]:
    """The budgets whose selector matches the labels of a pod template, whichever release the pods are of."""
    own = (template["metadata"].get("labels") or {}) | {"pod-template-hash": "of-the-next-release"}
    return [each for each in await lab.objects.all("PodDisruptionBudget") if matches(each["spec"].get("selector"), own)]


def sees_none_ready(budget: Object) -> bool:
    """Has the controller seen that no pod is ready?"""
    return not (budget.get("status") or {}).get("currentHealthy")
