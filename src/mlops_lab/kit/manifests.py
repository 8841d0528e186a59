"""What the manifest asks for that `kubectl apply` was given last; it asks for that again with each apply."""

from __future__ import annotations

import json

from mlops_lab.kube.client import Object

_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def replicas_applied(deployment: Object) -> int:
    """The number of pods that a Deployment's applied manifest asks for; 0 if it asks for none, or nobody can say."""
    try:
        item = json.loads((deployment["metadata"].get("annotations") or {}).get(_APPLIED) or "{}")
        return int((item.get("spec") or {}).get("replicas") or 0)
    except (ValueError, TypeError, AttributeError):
        return 0
