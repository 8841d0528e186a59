"""What NetworkPolicies let through, worked out from what they say: who reaches whom, by which protocol, on which port.

It is for what nobody can try: each protocol, the ports beside those that are meant, labels that no pod has yet, other
namespaces, addresses that are no pods'. A way between two pods of the namespace needs both ends.
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import islice

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.selectors import selects
from mlops_lab.kube.client import Object

NAME = "kubernetes.io/metadata.name"  # a label that each namespace has
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_TOLD = 8  # ways
_ONE_MORE = "one-more-namespace"
_ANYWHERE = "203.0.113.1"  # nobody's: https://www.rfc-editor.org/rfc/rfc5737
Labels = Mapping[str, str]
Ways = frozenset[tuple[str, int | str]]  # protocols, and numbers or names of ports


@dataclass(frozen=True)
class End:
    """Who asks, or is asked: a pod, or whoever has an address that is no pod's.

    Attributes:
        labels: of the pod.
        space: the labels of its namespace.
        address: where it is no pod.
    """

    labels: Labels = field(default_factory=dict)
    space: Labels = field(default_factory=dict)
    address: str = ""

    @property
    def namespace(self) -> str:
        """The name of the pod's namespace; empty where it is no pod."""
        return self.space.get(NAME, "")

    def __str__(self) -> str:
        if self.address:
            return f"the address {self.address}"
        labels = " and ".join(f"{key}={value}" for key, value in self.labels.items())
        return f"a pod of {self.namespace} {f'with {labels}' if labels else 'without labels'}"


@dataclass(frozen=True)
class Flow:
    """One way that is open."""

    asks: End
    asked: End
    protocol: str
    port: int | str

    def __str__(self) -> str:
        return f"{self.asks} to port {self.port} of {self.asked}, by {self.protocol}"


async def let_through(lab: Lab, here: str, *, labels: Sequence[Labels], ports: Collection[int]) -> Iterator[Flow]:
    """What the policies of the namespace let its pods ask, and others ask its pods.

    Args:
        here: the namespace's name.
        labels: of pods that there are; those that policies select are added.
        ports: that are tried, beside those that policies name and the next ones.
    """
    spaces = {
        each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in await lab.objects.all("Namespace")
    }
    specs = [each["spec"] for each in await lab.objects.all("NetworkPolicy")]
    return flows(specs, here, spaces=spaces, labels=labels, ports=ports)


def flows(
    specs: Sequence[Object],
    here: str,
    *,
    spaces: Mapping[str, Labels],
    labels: Sequence[Labels],
    ports: Collection[int],
) -> Iterator[Flow]:
    """The same of policies' specs.

    Args:
        spaces: the labels of each namespace, by its name; those that policies name are added, and one more.
    """
    ways, of_pods = _ways(specs, ports), _labels(specs, labels)
    pods = [End(each, space) for space in _spaces(specs, here, spaces).values() for each in of_pods]
    inside = [
        (pod, _rules(specs, pod, "egress", ways), _rules(specs, pod, "ingress", ways))
        for pod in pods
        if pod.namespace == here
    ]
    outside = [pod for pod in pods if pod.namespace != here] + [End(address=each) for each in _addresses(specs)]
    for asks, out, _ in inside:
        for asked, _, into in inside:
            yield from _flows(asks, asked, _open(out, asked, here) & _open(into, asks, here))
        for asked in outside:
            yield from _flows(asks, asked, _open(out, asked, here))
    for asked, _, into in inside:
        for asks in outside:
            yield from _flows(asks, asked, _open(into, asks, here))


def none_of(ways: Iterable[Flow], expected: str) -> Observation:
    """Whether there is no such way; the first few are told.

    Args:
        ways: that may not be open.
        expected: that there are none, in words.
    """
    more = [str(each) for each in islice(ways, _TOLD)]
    return Observation(not more, expected, f"open: {more[0]}" if more else expected, None, tuple(more[1:]))


def _flows(asks: End, asked: End, ways: Ways) -> Iterator[Flow]:
    for protocol, port in sorted(ways, key=lambda way: (_PROTOCOLS.index(way[0]), str(way[1]))):
        yield Flow(asks, asked, protocol, port)


def _rules(specs: Sequence[Object], pod: End, direction: str, ways: Ways) -> list[tuple[list[Object], Ways]]:
    """Whom a pod may ask, or who may ask it: the items of to or from, of which none means all, and on which ports."""
    own = [
        each for each in specs if selects(each.get("podSelector") or {}, pod.labels) and direction in _directions(each)
    ]
    if not own:
        return [([], ways)]
    rules = [rule for each in own for rule in each.get(direction) or []]
    peers = "to" if direction == "egress" else "from"
    return [(rule.get(peers) or [], _of_a_rule(rule, ways)) for rule in rules]


def _directions(spec: Object) -> list[str]:
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return [each.lower() for each in types]


def _of_a_rule(rule: Object, ways: Ways) -> Ways:
    ports = rule.get("ports") or []
    return frozenset(way for way in ways if not ports or any(_is_meant(each, *way) for each in ports))


def _is_meant(item: Object, protocol: str, port: int | str) -> bool:
    first: int | str | None = item.get("port")
    if first is None or item.get("protocol", "TCP") != protocol:
        return bool(item.get("protocol", "TCP") == protocol)
    if isinstance(first, str) or isinstance(port, str):
        return first == port
    return first <= port <= int(item.get("endPort", first))


def _open(rules: Sequence[tuple[list[Object], Ways]], other: End, here: str) -> Ways:
    found: Ways = frozenset()
    for peers, ways in rules:
        if not peers or any(_is_named(peer, other, here) for peer in peers):
            found |= ways
    return found


def _is_named(peer: Object, other: End, here: str) -> bool:
    block: Object | None = peer.get("ipBlock")
    if block or other.address:
        return bool(block and other.address and _is_within(block, other.address))
    space, pods = peer.get("namespaceSelector"), peer.get("podSelector")
    near = other.namespace == here if space is None else selects(space, other.space)
    return near and (pods is None or selects(pods, other.labels))


def _is_within(block: Object, address: str) -> bool:
    one = ip_address(address)
    return one in _network(block["cidr"]) and not any(one in _network(each) for each in block.get("except") or [])


def _ways(specs: Sequence[Object], ports: Collection[int]) -> Ways:
    rules = [rule for each in specs for direction in ("ingress", "egress") for rule in each.get(direction) or []]
    named = [
        item[end] for rule in rules for item in rule.get("ports") or [] for end in ("port", "endPort") if end in item
    ]
    numbers = {*ports, *(each for each in named if isinstance(each, int))}
    names = [each for each in named if isinstance(each, str)]
    tried: set[int | str] = {*numbers, *(each + 1 for each in numbers), *names}
    return frozenset((protocol, port) for protocol in _PROTOCOLS for port in tried)


def _peers(specs: Sequence[Object]) -> list[Object]:
    return [
        peer
        for each in specs
        for direction, peers in (("ingress", "from"), ("egress", "to"))
        for rule in each.get(direction) or []
        for peer in rule.get(peers) or []
    ]


def _labels(specs: Sequence[Object], known: Sequence[Labels]) -> list[Labels]:
    """Labels of pods that policies may mean: those that are known, those that selectors name, and both together."""
    selectors = [each.get("podSelector") for each in (*specs, *_peers(specs))]
    named = [labels for each in selectors if each for labels in _selected(each)]
    both = [{**one, **other} for one in known for other in named]
    return [dict(each) for each in dict.fromkeys(tuple(sorted(each.items())) for each in (*known, *named, *both))]


def _selected(selector: Object) -> Iterator[Labels]:
    """Labels that a selector asks for."""
    rules = [each for each in selector.get("matchExpressions") or [] if each["operator"] in ("In", "Exists")]
    values = {each["key"]: each.get("values") or ["any"] for each in rules}
    has = {key: first for key, (first, *_) in values.items()} | (selector.get("matchLabels") or {})
    yield has
    yield from ({**has, key: value} for key, more in values.items() for value in more[1:])


def _spaces(specs: Sequence[Object], here: str, known: Mapping[str, Labels]) -> dict[str, Labels]:
    selectors = [each["namespaceSelector"] for each in _peers(specs) if each.get("namespaceSelector")]
    named = [labels[NAME] for each in selectors for labels in _selected(each) if NAME in labels]
    return {name: {**known.get(name, {}), NAME: name} for name in (here, *known, _ONE_MORE, *named)}


def _addresses(specs: Sequence[Object]) -> list[str]:
    """Addresses at the edges of what policies name, and one that is far from all."""
    found = [_ANYWHERE]
    for block in (each["ipBlock"] for each in _peers(specs) if each.get("ipBlock")):
        whole, apart = _network(block["cidr"]), [_network(each) for each in block.get("except") or []]
        first, last = int(whole[0]), int(whole[-1])
        edges = [first, last, *(int(each[0]) - 1 for each in apart), *(int(each[-1]) + 1 for each in apart)]
        found += [str(whole[each - first]) for each in edges if first <= each <= last]
    return list(dict.fromkeys(found))


def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text, strict=False)
