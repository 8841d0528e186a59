"""The form of the checker's own pods: no credentials of the cluster, no rights, and an end whatever happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_lab.kube.client import Object

USER = 10001


def pod(
    metadata: Mapping[str, Any],
    container: Mapping[str, Any],
    volumes: Sequence[Mapping[str, Any]],
    *,
    seconds: int,
    before: Sequence[Mapping[str, Any]] = (),
) -> Object:
    """A pod with one container under the restricted Pod Security Standard, its root file system read-only.

    Args:
        container: without its `securityContext`.
        seconds: after which Kubernetes ends it (`activeDeadlineSeconds`), at least 1.
        before: containers that end before that one begins (`initContainers`), likewise.
    """
    rights = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "activeDeadlineSeconds": max(1, seconds),
        "priorityClassName": "mlops-lab-measuring",
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **({"initContainers": [{**each, "securityContext": rights} for each in before]} if before else {}),
        "containers": [{**container, "securityContext": rights}],
        "volumes": list(volumes),
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "Pod", "metadata": dict(metadata), "spec": spec}
