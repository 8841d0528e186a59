"""What the API server would allow, asked without doing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import translated


def allowed(kube: Kube, spec: Mapping[str, Any]) -> bool:
    """Whether somebody may do something: a SubjectAccessReview.

    Args:
        spec: its spec, with `user`, `groups` and `resourceAttributes`.

    Raises:
        LabError: the API server does not answer, or refuses the question.
    """
    from kubernetes.client import AuthorizationV1Api

    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": dict(spec)}
    with translated("SubjectAccessReview"):
        answer = AuthorizationV1Api(kube.api_client).create_subject_access_review(body, _request_timeout=kube.timeout)
        return bool(answer.status.allowed)
