"""A kubeconfig with one context and a default namespace, for the learner's own commands."""

from __future__ import annotations

from typing import Any

from mlops_lab.kube.client import Kube
from mlops_lab.kube.errors import Unreachable


def for_namespace(kube: Kube, namespace: str) -> str:
    """The text of a kubeconfig whose only context is `kube`'s cluster with `namespace` as the default.

    Raises:
        Unreachable: the connection's kubeconfig no longer has its context.
    """
    import yaml

    whole: dict[str, Any] = yaml.safe_load(kube.kubeconfig.read_text()) or {}
    context = _named(whole, "contexts", kube.context)
    chosen = {**context["context"], "namespace": namespace}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [_named(whole, "clusters", chosen["cluster"])],
            "users": [_named(whole, "users", chosen["user"])],
            "contexts": [{"name": kube.context, "context": chosen}],
            "current-context": kube.context,
        },
        sort_keys=False,
    )


def _named(whole: dict[str, Any], part: str, name: str) -> dict[str, Any]:
    for item in whole.get(part) or []:
        if item["name"] == name:
            return dict(item)
    raise Unreachable(f"the kubeconfig has no entry {name} under {part}", "bring the cluster up again: lab up")
