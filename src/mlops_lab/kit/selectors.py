"""Label selectors of objects: `matchLabels` and `matchExpressions`, and which labels they select."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlops_lab.kube.client import Object


def selects(selector: Object | None, labels: Mapping[str, str]) -> bool:
    """Does a LabelSelector select an object with these labels? An empty one selects all, and none nothing.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/
    """
    if selector is None:
        return False
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(rule, labels) for rule in selector.get("matchExpressions") or []
    )


def _holds(rule: Object, labels: Mapping[str, str]) -> bool:
    key: str = rule["key"]
    values: Sequence[str] = rule.get("values") or []
    if rule["operator"] == "In":
        return labels.get(key) in values
    if rule["operator"] == "NotIn":  # also where there is no such label
        return labels.get(key) not in values
    return (key in labels) is (rule["operator"] == "Exists")
