"""Which namespaces and addresses policies name: not in each of them a pod of the checker's can stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network

from mlops_lab.checks import Lab
from mlops_lab.kit.selectors import selects
from mlops_lab.kube.client import Object

from .visitors import DNS, DNS_NAMESPACE

_NAME = "kubernetes.io/metadata.name"
_MODEL = {"app": "model"}
_OF_NAMES = (DNS, "dns", "dns-tcp")  # the names are those that the pods of the DNS give it


async def named_by_policies(lab: Lab) -> list[str]:
    """Policies that let in others by their namespace or address, or the model out to them, in words.

    What selects this namespace without a list of names, such as an empty selector, pods of the checker's try.
    """
    here = lab.objects.named("ServiceAccount", "default").namespace
    space: Object = await lab.objects.named("Namespace", here).now() or {"metadata": {}}
    labels = {**(space["metadata"].get("labels") or {}), _NAME: here}
    return [each for policy in await lab.objects.all("NetworkPolicy") for each in others_of(policy, labels)]


def others_of(policy: Object, here: Mapping[str, str]) -> Iterator[str]:
    """What a policy says of other namespaces, and of addresses, in words.

    Addresses of the cluster's own are left to the checker's pods where the model may ask them for names alone: on some
    networks a policy sees the address of the DNS's Service.

    Args:
        here: the labels of the namespace.
    """
    name, spec = policy["metadata"]["name"], policy["spec"]
    if any(not selects(each, here) or _lists_more(each, here) for each in _spaces(spec.get("ingress") or [], "from")):
        yield f"NetworkPolicy {name} lets in pods of another namespace"
    for cidr, _ in _blocks(spec.get("ingress") or [], "from"):
        yield f"NetworkPolicy {name} lets in whoever has an address of {cidr}"
    if selects(spec.get("podSelector") or {}, _MODEL):
        of_the_dns = {_NAME: DNS_NAMESPACE}
        for rule in spec.get("egress") or []:
            for each in _spaces([rule], "to"):
                known = selects(each, here) or selects(each, of_the_dns)
                if not known or _lists_more(each, here, DNS_NAMESPACE):
                    yield f"NetworkPolicy {name} lets the model out to another namespace"
                elif selects(each, of_the_dns) and not _for_names(rule.get("ports") or []):
                    yield f"NetworkPolicy {name} lets the model out to {DNS_NAMESPACE} on other ports than {DNS}"
        for cidr, for_names in _blocks(spec.get("egress") or [], "to"):
            if not for_names or ip_network(cidr, strict=False).is_global:
                yield f"NetworkPolicy {name} lets the model out to whoever has an address of {cidr}"


def _spaces(rules: Sequence[Object], peers: str) -> list[Object]:
    """The namespaceSelectors of some rules."""
    return [
        peer["namespaceSelector"]
        for rule in rules
        for peer in rule.get(peers) or []
        if peer.get("namespaceSelector") is not None
    ]


def _lists_more(selector: Object, here: Mapping[str, str], *known: str) -> bool:
    """Does a namespaceSelector list, and select, a namespace that is neither this one nor a known one?"""
    rules = [each for each in selector.get("matchExpressions") or [] if each["key"] == _NAME]
    listed = {name for rule in rules for name in rule.get("values") or []} - {here[_NAME], *known}
    return any(selects(selector, {**here, _NAME: name}) for name in listed)


def _blocks(rules: Sequence[Object], peers: str) -> list[tuple[str, bool]]:
    """The addresses that some rules name, each with whether they are for the port of the DNS alone."""
    return [
        (str(peer["ipBlock"]["cidr"]), _for_names(rule.get("ports") or []))
        for rule in rules
        for peer in rule.get(peers) or []
        if peer.get("ipBlock")
    ]


def _for_names(ports: Sequence[Object]) -> bool:
    """Are these ports of a rule that of the DNS alone? Where there are none, all are meant."""
    return bool(ports) and all(each.get("port") in _OF_NAMES and each.get("endPort", DNS) == DNS for each in ports)
