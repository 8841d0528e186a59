"""The checker's own pods: who asks, and who is asked. Their names, and the labels that say nothing, are drawn."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from random import Random

from mlops_lab.checks import Lab, LabError
from mlops_lab.checks.rooms.objects import Objects
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.probes import Probe
from mlops_lab.kit.side_by_side import together
from mlops_lab.kube.client import Object
from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE

from .places import METRICS, OF_SERVICES, PORTS

_LETTERS = "bcdfghjklmnpqrstvwxz"
WEB, DNS = 8080, 53
DNS_NAMESPACE = "kube-system"
_PORTS = 20000, 30000  # of these is the port that is on no list
_LISTED = {*PORTS.values(), METRICS}
TRIED = *sorted({*_LISTED, *(each + 1 for each in _LISTED)}), OF_SERVICES, DNS  # beside it
_FOR_ALL = {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]}  # also ports 53 and 80
_GUEST_LIVES = 600  # s, also if a check that was cut off has left it
# Prints a JSON object: for each `tcp:HOST:PORT` and `udp:HOST:PORT` whether somebody has answered.
_SEND = """
import json, socket, sys, threading
seen = {}
def by_tcp(address):
    socket.create_connection(address, 2).close()
def by_udp(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(0.5)
        for left in (2, 1, 0):
            try:
                one.sendto(b"?", address)
                return one.recv(9)
            except OSError:
                if not left:
                    raise
def look(target):
    kind, host, port = target.split(":")
    try:
        (by_tcp if kind == "tcp" else by_udp)((host, int(port)))
        seen[target] = "open"
    except OSError:
        pass
looks = [threading.Thread(target=look, args=(each,), daemon=True) for each in sys.argv[1:]]
[each.start() for each in looks]
[each.join(5) for each in looks]
print(json.dumps({each: seen.get(each, "") for each in sys.argv[1:]}))
"""
# Listens on each of its ports, by TCP and by UDP; a datagram is answered.
_LISTEN = """
import socket, sys, threading
def by_tcp(port):
    with socket.create_server(("", port), backlog=64) as one:
        while True:
            one.accept()[0].close()
def by_udp(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("", port))
        while True:
            try:
                one.sendto(b"!", one.recvfrom(9)[1])
            except OSError:
                pass
for each in sys.argv[1:]:
    for serve in (by_tcp, by_udp):
        threading.Thread(target=serve, args=(int(each),)).start()
"""


class Sender(Probe):
    """A probe that knows targets `udp:HOST:PORT`, too: `open` if a datagram was answered."""

    async def tries(self, *targets: str) -> dict[str, str]:
        """As any probe does; all that is TCP and UDP by one program."""
        own = [each for each in targets if each.startswith(("tcp:", "udp:"))]
        others = [each for each in targets if each not in own]
        found = await together(*([super().tries(*others)] if others else []), *([self._sent(own)] if own else []))
        return {target: gave for each in found for target, gave in each.items()}

    async def _sent(self, targets: list[str]) -> dict[str, str]:
        printed = await self.objects.run_in(self.name, "python3", "-c", _SEND, *targets, container=self.container)
        if printed.code != 0 or not printed.lines:
            raise LabError(f"probe {self.name} printed {printed.lines[-1:] or printed.errors[-200:]}", "check again")
        return {str(key): str(value) for key, value in json.loads(printed.lines[-1]).items()}


@dataclass(frozen=True)
class Listener(Sender):
    """A probe that listens, too.

    Attributes:
        ports: on which it does, by TCP and by UDP.
    """

    ports: tuple[int, ...] = field(default=(), compare=False)

    @property
    def own_targets(self) -> list[str]:
        """Its ports, as it reaches them itself."""
        return [f"{kind}:127.0.0.1:{port}" for kind in ("tcp", "udp") for port in self.ports]

    def pod(self, image: str) -> Object:
        """Its manifest."""
        made = super().pod(image)
        made["spec"]["containers"][0]["command"] = ["python3", "-c", _LISTEN, *map(str, self.ports)]
        made["spec"]["securityContext"] = _FOR_ALL
        return made


class Host(Listener):
    """A pod that lets in all: whom it answers, that one is let out."""

    def policy(self) -> Object:
        """The policy by which it lets in all."""
        spec = {"podSelector": {"matchLabels": dict(self.labels)}, "policyTypes": ["Ingress"], "ingress": [{}]}
        about = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
        return about | {"metadata": {"name": f"{self.name}-open"}, "spec": spec}


class FreeHost(Host):
    """A host that is let out to all as well: who answers it, that one lets it in."""

    def policy(self) -> Object:
        """The policy by which it lets in all, and is let out to all."""
        made = super().policy()
        made["spec"] |= {"policyTypes": ["Ingress", "Egress"], "egress": [{}]}
        return made


@dataclass(frozen=True)
class Guest(Listener):
    """A pod of another namespace, by default that of the checker's own programs.

    Attributes:
        home: the namespace, in words.
    """

    home: str = field(default="another namespace", compare=False)

    @property
    def known_as(self) -> str:
        """Its namespace and its labels, in words."""
        return f"a pod of {self.home}, with {' and '.join(f'{key}={value}' for key, value in self.labels.items())}"

    def pod(self, image: str) -> Object:
        """Its manifest, as that namespace takes it."""
        made = super().pod(image)
        made["spec"] |= {
            "activeDeadlineSeconds": _GUEST_LIVES,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        }
        rights = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        made["spec"]["containers"][0]["securityContext"] = rights
        return made


@dataclass(frozen=True)
class Visitors:
    """The checker's pods, by whose labels they have; names, and whatever label says nothing, are drawn.

    Attributes:
        host, features_host: let in all; the second one has the features' label.
        gateway_host, store_host, monitor_host, model_host: let in all, with the other labels of the list; that of the
            model has those of the model's own pods, too, and is let out to all as well.
        guests: of another namespace.
        dns: of the namespace of the DNS, with its label.
        port: a port that is on no list; each that is here listens on it, on those of the list and the next ones, and
            on those of Services and of the DNS.
        named: ports that policies name beside these, on which it listens as well.
    """

    client: Listener
    loader: Listener
    monitor: Listener
    gateway: Listener
    model: Listener
    features: Listener
    store: Listener
    stranger: Listener
    listener: Listener
    host: Host
    features_host: Host
    gateway_host: Host
    store_host: Host
    monitor_host: Host
    model_host: FreeHost
    guests: tuple[Guest, ...]
    dns: Guest
    port: int
    named: tuple[int, ...]

    @classmethod
    def draw(cls, lab: Lab, of_the_model: Mapping[str, str] | None = None, named: Collection[int] = ()) -> Visitors:
        """Draw them for this run.

        Args:
            of_the_model: labels of the model's own pods.
            named: ports that policies name, beside those that are tried anyway.
        """
        random = drawn(lab, "visitors")
        port = random.randrange(*_PORTS)
        ports = port, *TRIED, *(each for each in named if each != port)
        names = [f"{word(random)}-{number}" for number in range(20)]
        left = iter(names)

        def labels(key: str, value: str) -> dict[str, str]:
            return {key: value, word(random): word(random)}

        def visitor(key: str, value: str) -> Listener:
            return Listener(lab.objects, next(left), labels(key, value), ports)

        kube = lab.objects.named("Pod", names[-1]).kube
        away = Objects(kube, SYSTEM_NAMESPACE)
        of_the_list = (
            {"app": "monitor", "role": "client"}, {"app": "gateway", "role": "loader"},
            {"app": "model"}, {"app": "features"},
        )  # fmt: skip
        return cls(
            client=visitor("role", "client"),
            loader=visitor("role", "loader"),
            monitor=visitor("app", "monitor"),
            gateway=visitor("app", "gateway"),
            model=visitor("app", "model"),
            features=visitor("app", "features"),
            store=visitor("app", "store"),
            stranger=visitor("app", word(random)),
            listener=visitor(word(random), word(random)),  # nor has everybody a label app
            host=Host(lab.objects, next(left), labels("app", word(random)), ports),
            features_host=Host(lab.objects, next(left), labels("app", "features"), ports),
            gateway_host=Host(lab.objects, next(left), {"role": "client", **labels("app", "gateway")}, ports),
            store_host=Host(lab.objects, next(left), {"role": "loader", **labels("app", "store")}, ports),
            monitor_host=Host(lab.objects, next(left), labels("app", "monitor"), ports),
            model_host=FreeHost(lab.objects, next(left), {**(of_the_model or {}), **labels("app", "model")}, ports),
            guests=tuple(Guest(away, next(left), each, (WEB,)) for each in of_the_list),
            dns=Guest(
                Objects(kube, DNS_NAMESPACE), next(left), {"k8s-app": "kube-dns", "app": "monitor", "role": "client"},
                (WEB,), f"namespace {DNS_NAMESPACE}",
            ),
            port=port,
            named=ports[len(TRIED) + 1 :],
        )  # fmt: skip

    @property
    def knocks(self) -> list[tuple[str, int]]:
        """How each that listens here is tried, by protocol and port."""
        udp = dict.fromkeys((*PORTS.values(), METRICS, self.port, DNS, *self.named))
        return [*(("tcp", each) for each in self.listener.ports), *(("udp", each) for each in udp)]

    @property
    def hosts(self) -> dict[Host, str]:
        """Those that let in all, by their labels in words."""
        return {
            self.host: "a new pod",
            self.features_host: "a new pod with app=features",
            self.gateway_host: "a new pod with app=gateway and role=client",
            self.store_host: "a new pod with app=store and role=loader",
            self.monitor_host: "a new pod with app=monitor",
            self.model_host: "a new pod with app=model",
        }

    @property
    def said(self) -> dict[Listener, str]:
        """Those that are here, by their labels in words; without the host."""
        known = (self.client, self.loader, self.monitor, self.gateway, self.model, self.features, self.store)
        words = {each: "a pod with {}={}".format(*next(iter(each.labels.items()))) for each in known}
        return words | {self.stranger: "a pod of other labels", self.listener: "a new pod that is none of the four"}


def word(random: Random) -> str:
    """Seven letters that mean nothing."""
    return "".join(random.choices(_LETTERS, k=7))
