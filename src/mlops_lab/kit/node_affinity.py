"""Which nodes a pod's nodeSelector and required node affinity take.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlops_lab.kube.client import Object


def asks_for(spec: Object, labels: Mapping[str, str], node: str) -> bool:
    """Would a pod's nodeSelector and required node affinity take a node with these labels?

    Args:
        spec: of the pod.
        node: its name, which matchFields go by.
    """
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    terms = _terms(spec)
    return terms is None or any(_term(each, labels, node) for each in terms)


def asked_of_nodes(spec: Object) -> list[str]:
    """The keys of the labels that a pod's nodeSelector and required node affinity demand of a node."""
    return sorted({*(spec.get("nodeSelector") or {}), *(each["key"] for each in _expressions(spec))})


def named_values(spec: Object, key: str) -> set[str]:
    """The values of a label that a pod's nodeSelector and required node affinity name, whatever they say of them."""
    values = [one for each in _expressions(spec) if each["key"] == key for one in each.get("values") or []]
    return {*values, *(value for name, value in (spec.get("nodeSelector") or {}).items() if name == key)}


def tempting(spec: Object, labels: Mapping[str, str], node: str, *, but: str) -> Iterator[tuple[dict[str, str], str]]:
    """Nodes that have what a term of a pod's required node affinity says of all labels but one: labels and name.

    Args:
        labels, node: of a node that is changed accordingly.
        but: that one.
    """
    selected = {key: value for key, value in (spec.get("nodeSelector") or {}).items() if key != but}
    for term in _terms(spec) or []:
        has = {**labels, **selected}
        for each in term.get("matchExpressions") or []:
            key, values, operator = each["key"], each.get("values") or [""], each["operator"]
            if key == but:
                continue
            if operator in ("NotIn", "DoesNotExist"):
                has.pop(key, None)
            elif operator in ("Gt", "Lt"):
                has[key] = str(int(values[0]) + (1 if operator == "Gt" else -1))
            elif not _matches(each, has):
                has[key] = values[0]
        names = [one for each in term.get("matchFields") or [] if each["operator"] == "In" for one in each["values"]]
        yield has, names[0] if names else node


def _terms(spec: Object) -> list[Object] | None:
    """The terms of a pod's required node affinity, of which one is enough; None where it has none."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return list(required.get("nodeSelectorTerms") or []) if required else None


def _expressions(spec: Object) -> list[Object]:
    """What these terms say of labels."""
    return [one for each in _terms(spec) or [] for one in each.get("matchExpressions") or []]


def _term(term: Object, labels: Mapping[str, str], node: str) -> bool:
    wanted, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not wanted and not fields:
        return False  # an empty term matches nothing
    return all(_matches(each, labels) for each in wanted) and all(
        _matches(each, {"metadata.name": node}) for each in fields
    )


def _matches(expression: Object, labels: Mapping[str, str]) -> bool:
    has, values, operator = labels.get(expression["key"]), expression.get("values") or [], expression["operator"]
    if operator in ("NotIn", "DoesNotExist"):
        return has is None or (operator == "NotIn" and has not in values)
    if has is None:
        return False
    if operator in ("Gt", "Lt"):
        try:
            one, other = int(has), int(values[0])
        except (ValueError, IndexError):
            return False
        return one > other if operator == "Gt" else one < other
    return operator == "Exists" or has in values
