"""Which namespaces policies name: no pod of the checker's can stand in one whose name it does not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mlops_lab.checks import Lab
from mlops_lab.kit.selectors import selects
from mlops_lab.kube.client import Object

from .visitors import DNS_NAMESPACE

_NAME = "kubernetes.io/metadata.name"
_MODEL = {"app": "model"}


async def named_by_policies(lab: Lab) -> list[str]:
    """Policies that let in pods of other namespaces alone, or the model out to them, in words.

    What names this namespace, too, such as an empty selector, pods of the checker's try.
    """
    here = lab.objects.named("ServiceAccount", "default").namespace
    space: Object = await lab.objects.named("Namespace", here).now() or {"metadata": {}}
    labels = {**(space["metadata"].get("labels") or {}), _NAME: here}
    return [each for policy in await lab.objects.all("NetworkPolicy") for each in others_of(policy, labels)]


def others_of(policy: Object, here: Mapping[str, str]) -> Iterator[str]:
    """What a policy says of other namespaces, in words.

    Args:
        here: the labels of the namespace.
    """
    name, spec = policy["metadata"]["name"], policy["spec"]
    if any(not selects(each, here) for each in _spaces(spec.get("ingress") or [], "from")):
        yield f"NetworkPolicy {name} lets in pods of another namespace"
    if selects(spec.get("podSelector") or {}, _MODEL):
        of_the_dns = {_NAME: DNS_NAMESPACE}
        for each in _spaces(spec.get("egress") or [], "to"):
            if not selects(each, here) and not selects(each, of_the_dns):
                yield f"NetworkPolicy {name} lets the model out to another namespace"


def _spaces(rules: Sequence[Object], peers: str) -> list[Object]:
    """The namespaceSelectors of some rules."""
    return [
        peer["namespaceSelector"]
        for rule in rules
        for peer in rule.get(peers) or []
        if peer.get("namespaceSelector") is not None
    ]
