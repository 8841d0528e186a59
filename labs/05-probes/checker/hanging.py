"""How long a pod stays as it is by its probes' numbers, whenever it begins to hang or to compute."""

from __future__ import annotations

from mlops_lab.kube.client import Object

from .copies import serving

GRACE = 30  # s of a pod that says nothing


def numbers(probe: Object) -> tuple[float, int, float]:
    """A probe's period, failures and timeout, with the defaults."""
    return (
        float(probe.get("periodSeconds") or 10),
        int(probe.get("failureThreshold") or 3),
        float(probe.get("timeoutSeconds") or 1),
    )


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
    period, failures, timeout = numbers(probe)
    each = period if "exec" in probe else max(period, timeout)
    grace = probe.get("terminationGracePeriodSeconds", spec.get("terminationGracePeriodSeconds", GRACE))
    return period + (failures - 1) * each + timeout + float(grace)


def kept_for(spec: Object) -> float | None:
    """Seconds from a hang's beginning until the pod is not ready, at most; None without a readiness probe.

    As above. Of a command that asks no timeout is counted: it may give up sooner.
    """
    probe = serving(spec).get("readinessProbe")
    if not probe:
        return None
    period, failures, timeout = numbers(probe)
    if "exec" in probe:
        return period * failures
    return period + (failures - 1) * max(period, timeout) + timeout


def patience(spec: Object) -> float | None:
    """Seconds without an answer until the liveness probe has failed, at least: its first failure begins with them.

    None where nothing is asked over HTTP: a connection comes about all the same, and a command has its own patience.
    """
    probe = serving(spec).get("livenessProbe")
    if not probe or "httpGet" not in probe:
        return None
    period, failures, timeout = numbers(probe)
    return (failures - 1) * max(period, timeout) + timeout
