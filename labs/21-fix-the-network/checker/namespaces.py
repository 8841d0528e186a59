"""Which namespaces, addresses, labels and ports policies name: not in all of them a pod of the checker's stands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from itertools import islice, product

from mlops_lab.checks import Lab
from mlops_lab.kit.selectors import selects
from mlops_lab.kube.client import Object

from .places import PORTS
from .visitors import DNS, DNS_NAMESPACE

_NAME = "kubernetes.io/metadata.name"
_MODEL = {"app": "model"}
_OF_THE_DNS = "k8s-app", "kube-dns"
# Labels of the list, which the checker's pods have, too: who has one where it is for nobody, knocks.
_OF_THE_LIST = frozenset({("role", "client"), ("role", "loader"), *(("app", each) for each in (*PORTS, "monitor"))})
_MANY = 500  # sets of labels of one selector that are looked at
_TRIED = 10  # ports beside those that are tried anyway
_OF_NAMES = (DNS, "dns", "dns-tcp")  # the names are those that the pods of the DNS give it


async def named_by_policies(lab: Lab) -> list[str]:
    """Policies that let in others by their namespace, address or labels, or the model out to them, in words.

    What selects this namespace without a list of names, such as an empty selector, pods of the checker's try.
    """
    here = lab.objects.named("ServiceAccount", "default").namespace
    space: Object = await lab.objects.named("Namespace", here).now() or {"metadata": {}}
    labels = {**(space["metadata"].get("labels") or {}), _NAME: here}
    return [each for policy in await lab.objects.all("NetworkPolicy") for each in others_of(policy, labels)]


def named_ports(policies: Iterable[Object], known: Collection[int]) -> list[int]:
    """Numbers of ports that policies name beside those that are known, with both ends of ranges, a few of them."""
    rules = [rule for each in policies for way in ("ingress", "egress") for rule in each["spec"].get(way) or []]
    items = [item for rule in rules for item in rule.get("ports") or []]
    named = {item.get(end) for item in items for end in ("port", "endPort")}
    return sorted(each for each in named - {*known} if isinstance(each, int))[:_TRIED]


def others_of(policy: Object, here: Mapping[str, str]) -> Iterator[str]:
    """What a policy says of other namespaces, of addresses, and of labels that are on no list, in words.

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
    for said in _labels(spec.get("ingress") or [], "from", here):
        yield f"NetworkPolicy {name} lets in pods with {said}"
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
        for said in _labels(spec.get("egress") or [], "to", here):
            yield f"NetworkPolicy {name} lets the model out to pods with {said}"


def _spaces(rules: Sequence[Object], peers: str) -> list[Object]:
    """The namespaceSelectors of some rules."""
    return [
        peer["namespaceSelector"]
        for rule in rules
        for peer in rule.get(peers) or []
        if peer.get("namespaceSelector") is not None
    ]


def _labels(rules: Sequence[Object], peers: str, here: Mapping[str, str]) -> Iterator[str]:
    """Labels that are on no list, and that some rules name for pods of this namespace, in words.

    Args:
        peers: from or to; the model may ask for names those that have the label of the DNS's pods.
    """
    for peer in (peer for rule in rules for peer in rule.get(peers) or [] if peer.get("podSelector")):
        space = peer.get("namespaceSelector")
        if space is not None and not selects(space, here):
            continue
        for labels in _selected(peer["podSelector"]):
            of_the_dns = peers == "to" and selects(space, {_NAME: DNS_NAMESPACE}) and _OF_THE_DNS in labels.items()
            if labels and not of_the_dns and _OF_THE_LIST.isdisjoint(labels.items()):
                yield " and ".join(f"{key}={value}" for key, value in labels.items())


def _selected(selector: Object) -> Iterator[Mapping[str, str]]:
    """Labels that a selector asks for, one of each key, `_MANY` times at most; none where a pod must have none."""
    values: dict[str, list[str]] = {key: [value] for key, value in (selector.get("matchLabels") or {}).items()}
    for each in selector.get("matchExpressions") or []:
        if each["operator"] in ("In", "Exists"):
            values.setdefault(each["key"], []).extend(each.get("values") or ["any"])
    for chosen in islice(product(*values.values()), _MANY):
        labels = dict(zip(values, chosen, strict=True))
        if selects(selector, labels):
            yield labels


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
