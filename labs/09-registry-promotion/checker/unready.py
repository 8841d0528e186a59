"""A pod like the Deployment's whose server finds no model: does it say that it is ready?"""

from __future__ import annotations

import copy

from mlops_lab.checks import Lab, LabError, Observation, is_ready
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import phase

NAME, NOBODY = "checker-without-model", "nobody-has-registered-this"
RUNS_WITHIN, LOOKED_AT = 90, 20  # s until its server runs, and s at least in which it must not become ready
LONGEST = 60  # s, whatever its probe's period
LIVES = 300  # s, should nobody be left to delete it
_PROBES = ("startupProbe", "readinessProbe")
_MADE_FOR_PODS = ("MODEL_NAME", "MODEL_VERSION")
# Keeps pods apart from each other, so the copy as well: there may be no node left for it.
_PLACEMENT = ("affinity", "topologySpreadConstraints", "nodeSelector", "nodeName", "tolerations")


async def unready(lab: Lab) -> Observation:
    """Whether a pod of the template stays unready for as long as it has no model."""
    deployment = await lab.objects.deployment("model").present()
    made = of_template(deployment["spec"]["template"])
    seconds = looked_at(made)
    async with standing(lab, [made], grace=1):
        pod = lab.objects.named("Pod", NAME)
        runs = await pod.until(running, expected="its server runs", shown=state, within=RUNS_WITHIN)
        if not runs.ok:
            raise LabError(
                f"the checker's copy of the pod does not run: {runs.seen}", "see how the nodes are: lab status"
            )
        seen = await pod.until(
            lambda item: item is not None and is_ready(item), expected="ready", shown=state, within=seconds
        )
    return Observation(
        not seen.ok, f"a pod that has no model is not ready ({seconds} s)", "it is ready" if seen.ok else "it is not"
    )


def of_template(template: Object) -> Object:
    """A pod of a template, whose server looks for a model that there is not; it has no label that anything selects.

    It may run on any node, and its probes begin at once: waiting is no question, and would only take the checker as
    long.
    """
    spec = copy.deepcopy(template["spec"]) | {"activeDeadlineSeconds": LIVES, "restartPolicy": "Always"}
    for field in _PLACEMENT:
        spec.pop(field, None)
    for container in spec["containers"]:
        kept = [each for each in container.get("env") or [] if each["name"] not in _MADE_FOR_PODS]
        container["env"] = [*kept, {"name": "MODEL_NAME", "value": NOBODY}]
        for kind in _PROBES:
            if kind in container:
                container[kind]["initialDelaySeconds"] = 0
    metadata = {"name": NAME, "labels": {"mlops-lab/checker": "copy"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def looked_at(pod: Object) -> int:
    """How many s a pod is looked at: as long as its probes take, one after the other, to succeed as often as they must.

    What a program of a probe waits for counts, up to its time limit: it may do nothing but wait.
    """
    probes = [each[kind] for each in pod["spec"]["containers"] for kind in _PROBES if kind in each]
    return min(max(LOOKED_AT, sum(map(_lasts, probes))), LONGEST)


def _lasts(probe: Object) -> int:
    one = (probe.get("periodSeconds") or 10) + ((probe.get("timeoutSeconds") or 1) if "exec" in probe else 0)
    return int(one * ((probe.get("successThreshold") or 1) + 1))


def running(item: Object | None) -> bool:
    """Do its containers run?"""
    states = ((item or {}).get("status") or {}).get("containerStatuses") or []
    return bool(states) and all("running" in (each.get("state") or {}) for each in states)


def state(item: Object | None) -> str:
    """In words."""
    return phase(item) + (", ready" if item and is_ready(item) else "")
