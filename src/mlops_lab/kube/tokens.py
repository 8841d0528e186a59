"""Tokens of ServiceAccounts, with an end, and bound to an object with which they go."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.errors import translated


@dataclass(frozen=True)
class Token:
    """A token, and when it ends: a time in UTC as the API server writes it."""

    token: str
    ends: str


def issue(kube: Kube, account: str, namespace: str, seconds: int, bound: Object) -> Token:
    """A token of an account, for the API server alone.

    Args:
        seconds: until its end; the API server may set a lower limit, so `Token.ends` is what counts.
        bound: a Secret of the same namespace, as it is in the cluster: without it the token is refused.

    Raises:
        LabError: the API server does not answer, or refuses.
    """
    from kubernetes.client import CoreV1Api

    meta = bound["metadata"]
    reference = {"apiVersion": "v1", "kind": bound["kind"], "name": meta["name"], "uid": meta["uid"]}
    body = {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds, "boundObjectRef": reference},
    }  # fmt: skip
    with translated(f"a token of ServiceAccount {account}"):
        answer = CoreV1Api(kube.api_client).create_namespaced_service_account_token(
            account, namespace, body, _request_timeout=kube.timeout
        )
        ends = answer.status.expiration_timestamp
        return Token(str(answer.status.token), ends.isoformat() if hasattr(ends, "isoformat") else str(ends))
