"""How long a pod that hangs may last by its liveness probe's numbers, whenever the hang begins."""

from __future__ import annotations

from mlops_lab.kube.client import Object

from .copies import serving

GRACE = 30  # s of a pod that says nothing


def longest(spec: Object) -> float | None:
    """Seconds from a hang's beginning until its container is killed, at most; None without a liveness probe.

    The hang begins just after an answer: the first failure comes a period later, and the last one when its timeout is
    over. The process does nothing about SIGTERM, so the whole grace period follows. How long a command waits is its own
    matter: the timeout of `exec` is counted for the last one alone.
    https://kubernetes.io/docs/concepts/workloads/pods/probes/
    """
    probe = serving(spec).get("livenessProbe")
    if not probe:
        return None
    period, failures = float(probe.get("periodSeconds") or 10), int(probe.get("failureThreshold") or 3)
    timeout = float(probe.get("timeoutSeconds") or 1)
    each = period if "exec" in probe else max(period, timeout)
    grace = probe.get("terminationGracePeriodSeconds", spec.get("terminationGracePeriodSeconds", GRACE))
    return period + (failures - 1) * each + timeout + float(grace)
