"""What of the server's container, and of the number of its pods, is not the learner's, and is not as it was given."""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, holds, quantity
from mlops_lab.kit.autoscalers import autoscalers_of
from mlops_lab.kube.client import Object

HOOKS = ("preStop", "stopSignal")  # how a container ends


def not_yours(container: Object, given: Object) -> list[str]:
    """Hooks that have nothing to do with a container's end, and other resources than were given, in words."""
    said = [f"a {each} hook" for each in sorted(set(container.get("lifecycle") or {}) - {*HOOKS})]
    now, was = container.get("resources") or {}, given["resources"]
    for kind in ("requests", "limits"):
        has, had = now.get(kind) or {}, was.get(kind) or {}
        said += [
            f"{kind}.{each} {has.get(each, 'none')}, not {had.get(each, 'none')}"
            for each in sorted({*has, *had})
            if each not in has or each not in had or quantity(has[each]) != quantity(had[each])
        ]
    return said


async def no_autoscaler(lab: Lab) -> Observation:
    """Whether the number of pods is left as it was given, whatever is asked of them."""
    found = [each.name for each in await autoscalers_of(lab)]
    return holds(not found, "no HorizontalPodAutoscaler of Deployment model", ", ".join(found))
