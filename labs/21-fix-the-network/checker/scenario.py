"""Who reaches whom: pods of the checker's with drawn names try the ways that are on the list, and many that are not."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from mlops_lab.checks import Failure, Lab, LabError
from mlops_lab.checks.rooms.objects import Objects
from mlops_lab.kit.probes import Probe, Way, standing_probes
from mlops_lab.kit.side_by_side import together
from mlops_lab.kit.standing import standing

from .namespaces import named_by_policies, named_ports
from .places import METRICS, PORTS, Place, places
from .visitors import DNS, TRIED, WEB, Guest, Host, Listener, Sender, Visitors

_SETTLED_AFTER = 3.0  # s until the nodes know new pods
_OPEN_WITHIN = 20.0  # s
_SHUT_WITHIN = 10.0  # s
_LISTENS_WITHIN = 15.0  # s
_REFUSED_WITHIN = 2.0  # s for an answer that should not come
_KINDS = "tcp", "udp"
_NOT_THE_DNS = "a pod that is not the DNS"
_DNS_METRICS = 9153  # another port of the DNS's Service


@dataclass(frozen=True)
class Others:
    """Addresses of those who are none of the four.

    Attributes:
        hosts: pods of the checker's that let in all.
        away: one with the features' label in another namespace.
        api: the API server.
        dns: the Service of the DNS.
        visitors: the checker's other pods that are here.
    """

    hosts: Mapping[Host, str]
    away: str
    api: str
    dns: str
    visitors: Mapping[Listener, str]


@dataclass(frozen=True)
class Asked:
    """What was tried.

    Attributes:
        open, shut: the ways; `away` those from another namespace, which are to be shut, too.
        gave: what each of them gave.
        missing: ports on which one of the four does not listen, in words.
        let_in: Services that answered a pod of another namespace.
        named: what policies say of other namespaces, of addresses and of labels that are on no list, in words.
    """

    open: Sequence[Way]
    shut: Sequence[Way]
    away: Sequence[Way]
    gave: Mapping[Way, str]
    missing: Sequence[str]
    let_in: Sequence[str]
    named: Sequence[str]


async def asked(lab: Lab) -> Asked:
    """Try all ways, those that should be open first.

    Those who should get through are made when all others stand: once they do, the nodes know them all, and what is
    shut then is shut by a policy, and not because a node has not heard of a pod.

    Raises:
        Failure: one of the four, or its Service, is gone.
        LabError: the checker's own pods do not run.
    """
    to = await places(lab)
    who = Visitors.draw(lab, to["model"].labels, named_ports(await lab.objects.all("NetworkPolicy"), TRIED))
    askers = (who.client, who.loader, who.monitor)
    first = [each for each in who.said if each not in askers]
    hosts, features_away = tuple(who.hosts), who.guests[-1]
    async with (
        standing(lab, [each.policy() for each in hosts]),
        _where_let_in(lab, who.dns) as of_the_dns,
        standing_probes(lab, *first, *hosts, *who.guests),
    ):
        there, *at = await together(*(_address(lab, each) for each in (features_away, *hosts, *first)))
        let_in, at = dict(zip(hosts, at[: len(hosts)], strict=True)), at[len(hosts) :]
        api = await _told(lab, who.stranger, "printenv", "KUBERNETES_SERVICE_HOST")
        dns = await _told(lab, who.stranger, "sed", "-n", r"s/^nameserver  *//p", "/etc/resolv.conf")
        async with standing_probes(lab, *askers):
            await lab.time.pause(_SETTLED_AFTER)
            at += await together(*(_address(lab, each) for each in askers))
            of = Others(let_in, there, api, dns, dict(zip((*first, *askers), at, strict=True)))
            ways = open_ways(who, to, of)
            opened = await _tried(lab, ways, within=_OPEN_WITHIN)
            others, away = shut_ways(who, to, of), ways_from_away((*who.guests, *of_the_dns), who, to, of)
            closed = await _tried(lab, [*others, *away], within=_SHUT_WITHIN)
    gave, missing = opened | closed, await _missing(lab, to)
    return Asked(ways, others, away, gave, missing, await _let_in(lab), await named_by_policies(lab))


def open_ways(who: Visitors, to: Mapping[str, Place], of: Others) -> list[Way]:
    """What is on the list, by labels and Services and not in the chain's own pods; and ways that nobody restricts."""
    objects, unrestricted = who.stranger.objects, [name for name in PORTS if name != "model"]
    own = [(_own(objects, to[name]), f"a pod of {name}") for name in unrestricted]
    let_out = [*((each, who.said[each]) for each in (who.stranger, who.client, who.loader, who.monitor)), *own]
    anybody = {
        f"{kind}:{of.hosts[who.host]}:{who.port}": f"to one that lets in all, by {kind.upper()}" for kind in _KINDS
    }
    anybody[f"tcp:{of.api}:443"] = "to the API server"
    reads = f"a pod with app=monitor to port {METRICS} of"
    return [
        Way(who.client, "http://gateway/who", True, "a pod with role=client to Service gateway", '"who": "gateway-'),
        Way(who.loader, "http://store/who", True, "a pod with role=loader to Service store", '"who": "store-'),
        *(
            Way(who.monitor, f"http://{place.address}:{METRICS}/metrics", True, f"{reads} {name}", "requests_total")
            for name, place in to.items()
        ),
        *(
            Way(who.monitor, f"http://{name}:{METRICS}/metrics", True, f"{reads} Service {name}", "requests_total")
            for name in to
        ),
        *(
            Way(probe, f"http://{name}/who", True, f"a pod with app={one} to Service {name}", f'"who": "{name}-')
            for probe, one, name in (
                (who.gateway, "gateway", "model"),
                (who.model, "model", "features"),
                (who.features, "features", "store"),
            )
        ),
        *(Way(probe, target, True, f"{said} {where}") for probe, said in let_out for target, where in anybody.items()),
    ]


def shut_ways(who: Visitors, to: Mapping[str, Place], of: Others) -> list[Way]:
    """What is not on the list.

    The model asks twice: whom it is let out to, those say that let in all, to a new pod and to one of its own, which
    may have more labels; and who lets it in, a pod of its labels finds that is let out to all.
    """
    models = (who.model, "a pod with app=model to"), (_own(who.model.objects, to["model"]), "a pod of model to")
    askers = who.said | {who.model_host: "a pod with app=model that is let out to all"}
    return [
        *(
            Way(asker, f"tcp:{place.address}:{port}", False, f"{said} to port {port} of {name}")
            for asker, said in askers.items()
            for name, place in to.items()
            for port in (PORTS[name], METRICS)
            if not on_the_list(who, asker, name, port)
        ),
        *(
            Way(asker, target, False, f"{said} to {where}")
            for asker, said in askers.items()
            for target, where in _new_pods(who, of, asker).items()
        ),
        *(
            Way(model, target, False, f"{asks} {where}")
            for model, asks in models
            for target, where in _not_the_models(who, of).items()
        ),
    ]


def _own(objects: Objects, place: Place) -> Sender:
    """A pod of one of the four as it asks, with its labels."""
    return Sender(objects, place.pod, place.labels, container=place.container)


def _not_the_models(who: Visitors, of: Others) -> dict[str, str]:
    """Whom the model is not let out to: the targets, and in words."""
    return {
        f"tcp:{of.api}:443": "the API server",
        f"tcp:{of.dns}:{_DNS_METRICS}": "the metrics of the DNS",
        f"tcp:{of.away}:{WEB}": "a pod with app=features of another namespace",
    } | {
        f"{kind}:{of.hosts[each]}:{port}": f"port {port} of {whom}, by {kind.upper()}"
        for each, said in who.hosts.items()
        for kind, port in who.knocks
        if each != who.features_host or port != PORTS["features"]
        for whom in (_NOT_THE_DNS if (each, port) == (who.host, DNS) else f"{said} that lets in all",)
    }


def on_the_list(who: Visitors, asker: Listener, name: str, port: int) -> bool:
    """Does the list of the README let one of the checker's pods ask one of the four on a port?"""
    asks = {who.client: "gateway", who.gateway: "model", who.model: "features", who.features: "store"}
    asks |= {who.loader: "store", who.model_host: "features"}
    return asker == who.monitor if port == METRICS else port == PORTS[name] and asks.get(asker) == name


def _new_pods(who: Visitors, of: Others, asker: Listener | None = None) -> dict[str, str]:
    """The ports of the checker's pods on which it may not be asked: the targets, and in words.

    Args:
        asker: who is here as well; none for one of another namespace, which may ask nobody.
    """
    four = {getattr(who, name): name for name in PORTS}
    return {
        f"{kind}:{of.visitors[each]}:{port}": f"port {port} of {said}, by {kind.upper()}"
        for each, said in who.said.items()
        if each != asker
        for kind, port in who.knocks
        if not (asker and each in four and on_the_list(who, asker, four[each], port))
    }


def ways_from_away(guests: Sequence[Guest], who: Visitors, to: Mapping[str, Place], of: Others) -> list[Way]:
    """From pods of other namespaces that have the labels of the list: none of it is for them."""
    targets = {
        f"tcp:{place.address}:{port}": f"port {port} of {name}"
        for name, place in to.items()
        for port in (PORTS[name], METRICS)
    }
    targets |= _new_pods(who, of)
    return [
        Way(guest, target, False, f"{guest.known_as}, to {said}")
        for guest in guests
        for target, said in targets.items()
    ]


@contextlib.asynccontextmanager
async def _where_let_in(lab: Lab, guest: Guest) -> AsyncIterator[tuple[Guest, ...]]:
    """A guest at work while the block runs, or nobody where its namespace takes no pods, as on others' clusters."""
    async with contextlib.AsyncExitStack() as stack:
        there: tuple[Guest, ...] = ()
        with contextlib.suppress(Failure):
            await stack.enter_async_context(standing_probes(lab, guest))
            there = (guest,)
        yield there


async def _tried(lab: Lab, ways: Sequence[Way], *, within: float) -> dict[Way, str]:
    """What each way gave, once all are as they should be or when the time is over; their probes stand already."""

    async def of(probe: Probe) -> dict[Way, str]:
        own = [way for way in ways if way.probe == probe]
        gave = await probe.tries(*dict.fromkeys(way.target for way in own))
        return {way: gave[way.target] for way in own}

    async def look() -> dict[Way, str]:
        found = await together(*(of(each) for each in dict.fromkeys(way.probe for way in ways)))
        return {way: gave for each in found for way, gave in each.items()}

    def wrong(found: Mapping[Way, str]) -> list[str]:
        return [way.seen(gave) for way, gave in found.items() if not way.right(gave)]

    seen = await lab.time.eventually(
        look, lambda found: not wrong(found), expected="all ways as they should be",
        shown=lambda found: "; ".join(wrong(found)) or "all are", within=within,
    )  # fmt: skip
    gave: dict[Way, str] = seen.value
    return gave


async def _address(lab: Lab, listener: Listener) -> str:
    """Where one of the checker's own servers listens, once it does, on all its ports."""
    pod = await listener.objects.named("Pod", listener.name).present()
    seen = await lab.time.eventually(
        lambda: listener.tries(*listener.own_targets), lambda gave: all(gave.values()),
        expected="the checker's server listens",
        shown=lambda gave: "it does" if all(gave.values()) else "it does not", within=_LISTENS_WITHIN,
    )  # fmt: skip
    if not seen.ok:
        raise LabError("the checker's own server did not begin to listen", "check again")
    return str(pod["status"]["podIP"])


async def _told(lab: Lab, probe: Probe, *command: str) -> str:
    """What each pod is told of the cluster, such as the API server's address: the first line that a command prints."""
    told = await lab.objects.run_in(probe.name, *command)
    if not told.lines:
        raise LabError(f"{' '.join(command)} printed nothing in a pod of the checker's", "check again")
    return told.lines[0]


async def _missing(lab: Lab, to: Mapping[str, Place]) -> list[str]:
    """On which ports the four do not listen, asked in their own pods, where no policy stands between."""

    async def of(name: str, place: Place) -> list[str]:
        targets = {f"tcp:{place.address}:{port}": port for port in (PORTS[name], METRICS)}
        gave = await Probe(lab.objects, place.pod, container=place.container).tries(*targets)
        return [f"nobody listens on port {port} of {name}" for target, port in targets.items() if not gave[target]]

    return [each for found in await together(*(of(*item) for item in to.items())) for each in found]


async def _let_in(lab: Lab) -> list[str]:
    """Which Services answer a pod of another namespace."""
    answers = await together(*(lab.traffic.get(name, "/who", within=_REFUSED_WITHIN) for name in PORTS))
    return [f"Service {name}" for name, answer in zip(PORTS, answers, strict=True) if answer.status]
