"""Why requests were lost in a drain, from how they were lost and what the pod template says."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_lab.kit.losses import SEE_EVIDENCE, readiness_path, waits_before_end
from mlops_lab.kube.client import Object


def why_lost(template: Object, statuses: Mapping[int, int]) -> str:
    """What in the pod template explains it.

    Args:
        statuses: of the requests, with counts.
    """
    reasons = []
    if statuses.get(503):
        path = readiness_path(template)
        reasons.append(
            "pods that count as ready answered 503, which this server does while its model loads. The readiness probe "
            f"asks {path or 'nothing that depends on the model'}: GET /healthz says that the process lives, GET "
            "/readyz that it can serve. The budget believes the probe as well, and lets the next pod go"
        )
    if not waits_before_end(template):
        reasons.append(
            "there is no preStop wait. An evicted pod gets SIGTERM at the same moment as its address leaves the "
            "Service; the nodes learn of that a second or two later, and this server stops listening at SIGTERM. A "
            "budget changes nothing about that: it says when a pod may go, not how. kubectl explain "
            "pod.spec.containers.lifecycle.preStop"
        )
    return "; ".join(reasons) or SEE_EVIDENCE
