"""Why requests were lost in an update, from how they were lost and what the Deployment and the Service say."""

from __future__ import annotations

import math

from mlops_lab.checks import Lab
from mlops_lab.kit.losses import SEE_EVIDENCE, readiness_path, waits_before_end
from mlops_lab.kit.pod_shares import whole
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.report import LoadReport

from .calls import wanted_pods
from .kept import waits_for

LONG_ENOUGH = 5  # s that a deleted pod goes on listening for; nodes learn of its deletion a second or two later


async def why_lost(lab: Lab, deployment: Object, report: LoadReport) -> str:
    """What explains requests lost in the update.

    Args:
        deployment: as it was before.
    """
    service = await lab.objects.named("Service", "model").now() or {"spec": {}}
    template, strategy = deployment["spec"]["template"], deployment["spec"].get("strategy") or {}
    (kind, path), missing = _asked(template), may_be_missing(deployment["spec"])
    reasons = []
    if strategy.get("type") == "Recreate":
        reasons.append(
            "strategy Recreate deletes all old pods before it makes the first new one: until that has loaded its model "
            "nobody answers. RollingUpdate replaces them bit by bit"
        )
    if service["spec"].get("publishNotReadyAddresses"):
        reasons.append("the Service has publishNotReadyAddresses: it sends requests to pods that are not ready")
    if path is None:
        reasons.append(
            "the container has no readinessProbe, so a new pod counts as ready as soon as its process runs: the old "
            "pods are deleted and the requests come before the model is loaded (503). GET /readyz tells when it is"
        )
    elif report.statuses.get(503):
        reasons.append(
            f"pods that count as ready answered 503, which this server does while its model loads. The {kind} probe "
            f"asks {path or 'nothing that depends on the model'}: GET /healthz says only that the process lives, GET "
            "/readyz that it can serve"
        )
    if not waits_before_end(template):
        reasons.append(
            "there is no preStop wait. When a pod is deleted, its container gets SIGTERM at the same moment as its "
            "address leaves the Service; the nodes learn of the latter a second or two later, and this server stops "
            "listening at SIGTERM. Who is still sent there is refused. A hook that waits some seconds "
            "(kubectl explain pod.spec.containers.lifecycle.preStop) keeps it listening for so long"
        )
    elif report.statuses.get(0) and (wait := waits_for(template["spec"], math.inf)) < LONG_ENOUGH:
        reasons.append(
            f"a pod that is deleted goes on listening for {wait:g} s: its preStop wait or its grace period, whichever "
            "is shorter. That may be over before each node has learned that its address left the Service, and who is "
            "still sent there then has no answer: let it wait for some seconds more"
        )
    if missing:
        reasons.append(
            f"maxUnavailable lets {missing} of {wanted_pods(deployment)} pods be deleted before a new one is ready, "
            "and the rest has to carry all requests. With 0 and a maxSurge a new pod comes first"
        )
    return "; ".join(reasons) or SEE_EVIDENCE


def _asked(template: Object) -> tuple[str, str | None]:
    """By which probe a new pod comes to count as ready, and what that asks for by HTTP, as `readiness_path`.

    Without a readiness probe a container counts as ready once its startup probe has succeeded.
    """
    first = template["spec"]["containers"][0]
    if "readinessProbe" in first or "startupProbe" not in first:
        return "readiness", readiness_path(template)
    return "startup", str((first["startupProbe"].get("httpGet") or {}).get("path") or "")


def may_be_missing(spec: Object) -> int:
    """How many pods of a Deployment a rolling update may delete before a new one is ready; 0 with another strategy.

    A percentage of maxUnavailable is rounded down, so the default, 25%, is none of three. One of maxSurge is rounded
    up, and where both come to nothing one pod may go.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-unavailable
    """
    strategy, pods = spec.get("strategy") or {}, wanted_pods({"spec": spec})
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return 0
    rolling = strategy.get("rollingUpdate") or {}
    missing = whole(rolling.get("maxUnavailable", "25%"), pods, math.floor)
    return min(pods, missing or int(whole(rolling.get("maxSurge", "25%"), pods, math.ceil) == 0))
