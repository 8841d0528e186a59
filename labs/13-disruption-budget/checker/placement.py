"""Where pods are, which rules keep them apart, and which node is drained."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from mlops_lab.checks import LabError
from mlops_lab.kit.pods import name
from mlops_lab.kube.client import Object

_NAME = "kubernetes.io/metadata.name"  # of a namespace, as a label of it


def chosen(pods: Sequence[Object], open_nodes: Collection[str]) -> tuple[str, str, str]:
    """The open node with most of the pods, a pod on it, and another pod, there if there is one.

    Raises:
        LabError: there are fewer than two pods, or none of them is on an open node.
    """
    if len(pods) < 2:
        raise LabError("the Deployment has lost its pods during the check", "check again")
    places = {node: number for node, number in where(pods).items() if node in open_nodes}  # others' cordons stay
    if not places:
        raise LabError("the pods are on nodes that somebody has cordoned", "kubectl get nodes; then check again")
    node = min(places, key=lambda each: (-places[each], each))
    ordered = sorted(pods, key=lambda pod: (pod["spec"].get("nodeName") != node, name(pod)))
    return node, name(ordered[0]), name(ordered[1])


def where(pods: Iterable[Object]) -> dict[str, int]:
    """How many pods are on which node."""
    places: dict[str, int] = {}
    for each in pods:
        if node := each["spec"].get("nodeName"):
            places[node] = places.get(node, 0) + 1
    return places


def spread_rules(
    template: Object, nodes: Sequence[Object], pods: int = 3, namespace: str = ""
) -> list[tuple[bool, str]]:
    """The template's rules that keep pods apart: whether each works for these pods on these nodes, and in words.

    Args:
        pods: how many there are; a skew of so many is that all of them are on one node.
        namespace: of the pods.
    """
    spec, own = template["spec"], template["metadata"].get("labels") or {}
    terms = [("topology spread constraint", each) for each in spec.get("topologySpreadConstraints") or []]
    apart = (spec.get("affinity") or {}).get("podAntiAffinity") or {}
    terms += [("pod anti-affinity", each) for each in apart.get("requiredDuringSchedulingIgnoredDuringExecution") or []]
    terms += [
        ("pod anti-affinity", each["podAffinityTerm"])
        for each in apart.get("preferredDuringSchedulingIgnoredDuringExecution") or []
    ]
    own_keys = {*own, "pod-template-hash"}  # which the Deployment gives to all pods of a template
    found = []
    for kind, term in terms:
        key = term.get("topologyKey", "")
        values = {(node["metadata"].get("labels") or {}).get(key) for node in nodes} - {None}
        if len(values) < 2:
            found.append((False, f"a {kind} by {key}, which does not tell the nodes apart"))
        elif not matches(term.get("labelSelector"), own):
            found.append((False, f"a {kind} whose labelSelector does not match these pods"))
        elif namespace and elsewhere(term, namespace):
            named = f" of {', '.join(term['namespaces'])}" if term.get("namespaces") else ""
            found.append((False, f"a {kind} about pods of other namespaces{named}, where these are not"))
        elif differs := own_keys & set(term.get("mismatchLabelKeys") or []):
            found.append((False, f"a {kind} about pods with another {', '.join(sorted(differs))} than these have"))
        elif int(term.get("maxSkew", 1)) >= pods:
            found.append((False, f"a {kind} with maxSkew {term['maxSkew']}, which is met by {pods} pods on one node"))
        else:
            found.append((True, f"a {kind} by {key}"))
    return found


def elsewhere(term: Object, namespace: str) -> bool:
    """Whether a term of an anti-affinity is about other namespaces' pods alone; with neither field it is about its own.

    Of a namespace's labels the one with its name is known; a selector by others counts as one that matches.
    """
    named, selector = term.get("namespaces") or [], term.get("namespaceSelector")
    if namespace in named or (selector is None and not named):
        return False
    keys = {*((selector or {}).get("matchLabels") or {})}
    keys |= {each["key"] for each in (selector or {}).get("matchExpressions") or []}
    return not keys - {_NAME} and not matches(selector, {_NAME: namespace})


def matches(selector: Object | None, own: dict[str, str]) -> bool:
    """Whether a label selector matches labels; none matches nothing, an empty one everything.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
    """
    if selector is None:
        return False
    for key, value in (selector.get("matchLabels") or {}).items():
        if own.get(key) != value:
            return False
    for each in selector.get("matchExpressions") or []:
        there, value = each["key"] in own, own.get(each["key"])
        listed = value in (each.get("values") or [])
        right = {"In": there and listed, "NotIn": not (there and listed), "Exists": there, "DoesNotExist": not there}
        if not right[each["operator"]]:
            return False
    return True
