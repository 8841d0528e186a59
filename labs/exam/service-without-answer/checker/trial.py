"""What happens to the Service's requests when a pod is made anew, and when all are of another template."""

from mlops_lab.checks import Observation, holds
from mlops_lab.kit.endpoints import answered_by
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

_REPLACED_WITHIN, _ANSWERS_WITHIN = 25.0, 20.0  # s; a probe that says nothing of its times asks each 10 s


async def replaced(lab: TaskLab, drawn: Drawn, pod: str) -> Observation:
    """Does the pod that the Deployment makes for a deleted one answer, too?"""
    await lab.objects.kill(pod, grace=0)
    await lab.objects.deployment(drawn.service).rolled_out(pods=2, within=_REPLACED_WITHIN)
    return await answered_by(lab, drawn.service, drawn.service, port=drawn.port, within=_ANSWERS_WITHIN)


async def by_the_template(lab: TaskLab, name: str) -> Observation:
    """Does a Service select by labels that the template of the Deployment of its name gives all its pods?"""
    template = (await lab.objects.deployment(name).present())["spec"]["template"]
    labels = template["metadata"].get("labels") or {}
    selector = (await lab.objects.service(name))["spec"].get("selector") or {}
    other = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()) if labels.get(key) != value)
    expected = f"Service {name} selects by labels that are in the Deployment's template"
    return holds(bool(selector) and not other, expected, f"{other} is not in it" if other else "it has no selector")
