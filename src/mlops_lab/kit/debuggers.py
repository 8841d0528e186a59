"""What `kubectl debug` has added to a pod: it stays there, also when it has ended, and is nobody's template.

https://kubernetes.io/docs/concepts/workloads/pods/ephemeral-containers/
"""

from __future__ import annotations

from mlops_lab.kube.client import Object


def undebugged(spec: Object) -> Object:
    """A pod's spec without it."""
    return spec | {"ephemeralContainers": []}


def ended_debuggers(pod: Object) -> set[str]:
    """The names of those of its containers that have ended."""
    told = (pod.get("status") or {}).get("ephemeralContainerStatuses") or []
    return {each["name"] for each in told if "terminated" in (each.get("state") or {})}
