"""A pod of the checker's own, made or refused, and gone at once."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_lab.checks import Lab
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.kube.errors import Refused

_NAME = "checkers-trial"
_FORBIDDEN, _INVALID = 403, 422  # by an admission plugin; by what a plugin has filled in
# What is said of a quota that is so new that nobody has counted yet.
_UNCOUNTED, _COUNTED_WITHIN = "status unknown for quota", 15.0


@dataclass(frozen=True)
class Trial:
    """The resources that the pod's container got, or why the API server refused the pod."""

    made: Object | None
    refused: str


async def tried(lab: Lab, resources: Object) -> Trial:
    """Try to make a pod whose container says this of its resources."""
    seen = await lab.time.eventually(
        lambda: _once(lab, resources), lambda trial: _UNCOUNTED not in trial.refused, expected="an answer",
        shown=lambda trial: trial.refused, within=_COUNTED_WITHIN,
    )  # fmt: skip
    found: Trial = seen.value
    return found


async def _once(lab: Lab, resources: Object) -> Trial:
    container = {
        "name": "trial", "image": lab.platform.image("v1"), "command": ["sleep", "60"], "resources": resources,
    }  # fmt: skip
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": _NAME},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }  # fmt: skip
    try:
        async with standing(lab, [pod], grace=0):
            made = await lab.objects.named("Pod", _NAME).present()
            return Trial(made["spec"]["containers"][0].get("resources") or {}, "")
    except Refused as answer:
        if answer.status not in (_FORBIDDEN, _INVALID):
            raise
        return Trial(None, answer.message)
