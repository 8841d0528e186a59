"""How long a pod stays as it is by its probes' numbers, whenever it begins to hang or to compute."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mlops_lab.checks import Observation, holds
from mlops_lab.kit.probe_times import numbers, periods, silent_at_worst, silent_for
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
    found = periods(probe) + numbers(probe)[1] if "exec" in probe else silent_at_worst(probe)
    return found + float(probe.get("terminationGracePeriodSeconds", spec.get("terminationGracePeriodSeconds", GRACE)))


def kept_for(spec: Object, waits: Mapping[str, float] | None = None) -> float | None:
    """Seconds from a hang's beginning until the pod is not ready, at most; None without a readiness probe.

    As above. A command may give up sooner than its timeout: of one that asks whole seconds of its own wait are counted,
    and none where that is not known.

    Args:
        waits: s that the commands of probes wait, by the probe, where that is known.
    """
    probe = serving(spec).get("readinessProbe")
    if not probe:
        return None
    if "exec" not in probe:
        return silent_at_worst(probe)
    wait = (waits or {}).get("readinessProbe")
    return periods(probe) if wait is None else silent_at_worst(probe, math.floor(wait))


def patience(spec: Object, waits: Mapping[str, float] | None = None) -> float | None:
    """Seconds without an answer until the liveness probe has failed, at least: its first failure begins with them.

    None for a connection, which comes about all the same, and for a command whose wait is not known.

    Args:
        waits: as above.
    """
    probe = serving(spec).get("livenessProbe") or {}
    if "httpGet" in probe:
        return silent_for(probe)
    wait = (waits or {}).get("livenessProbe")
    return None if wait is None else silent_for(probe, wait)


def at_most_by(seconds: float | None, limit: float, expected: str, of: str, evidence: Sequence[str]) -> Observation:
    """Whether it takes so many seconds at most by some numbers; without a probe nothing is held against it."""
    return holds(seconds is None or seconds <= limit, expected, f"up to {seconds or 0:g} s by {of}", evidence=evidence)
