"""Rights that nobody needs who follows a repository in one namespace."""

from __future__ import annotations

from collections.abc import Iterable

from mlops_lab.kit.rights import EVERYWHERE, Right

ELSEWHERE = ("default", "kube-system")
_RBAC = "rbac.authorization.k8s.io"
PLAIN = (("", "pods"), ("", "configmaps"), ("", "secrets"), ("", "services"), ("apps", "deployments"))
WIDE = (
    ("", "nodes"), ("", "namespaces"), ("", "persistentvolumes"), ("", "serviceaccounts"), ("", "events"),
    ("apps", "replicasets"), ("batch", "jobs"), (_RBAC, "roles"), (_RBAC, "rolebindings"), (_RBAC, "clusterroles"),
    (_RBAC, "clusterrolebindings"), ("apiextensions.k8s.io", "customresourcedefinitions"),
)  # fmt: skip
_VERBS = ("get", "list", "create", "patch", "delete")


def forbidden(secrets: Iterable[str] = ()) -> tuple[Right, ...]:
    """These rights.

    Args:
        secrets: the names of those in the namespace.
    """
    return (
        *(Right(verb, "secrets") for verb in ("get", "list", "watch")),
        *(Right("get", "secrets", name=each) for each in sorted({"delivery-key", *secrets})),
        *(Right(verb, "pods", subresource="exec") for verb in ("create", "get")),
        *(Right(verb, "rolebindings", group=_RBAC) for verb in ("create", "patch", "update")),
        *(Right(verb, "roles", group=_RBAC) for verb in ("patch", "update")),
        Right("create", "serviceaccounts", subresource="token"),
        Right("impersonate", "serviceaccounts"),
        # These are in no namespace: whoever may act as one has it from a ClusterRoleBinding.
        *(Right("impersonate", each, namespace=EVERYWHERE) for each in ("users", "groups")),
        *(
            Right(verb, resource, group=group, namespace=each)
            for each in ELSEWHERE
            for verb in _VERBS
            for group, resource in PLAIN
        ),
        *(
            Right(verb, resource, group=group, namespace=EVERYWHERE)
            for verb in (*_VERBS, "watch", "update")
            for group, resource in (*PLAIN, *WIDE)
        ),
    )
