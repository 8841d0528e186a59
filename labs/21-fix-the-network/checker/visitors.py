"""The checker's own pods: who asks, and who is asked. Their names, and the labels that say nothing, are drawn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

from mlops_lab.checks import Lab, LabError
from mlops_lab.checks.rooms.objects import Objects
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.probes import Probe
from mlops_lab.kit.side_by_side import together
from mlops_lab.kube.client import Object
from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE

_LETTERS = "bcdfghjklmnpqrstvwxz"
_GUEST_LIVES = 600  # s, also if a check that was cut off has left it
# Prints a JSON object: for each HOST:PORT whether somebody has answered a datagram.
_SEND = """
import json, socket, sys, threading
seen = {}
def look(target):
    host, _, port = target.rpartition(":")
    family, kind, _, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as one:
        one.settimeout(0.5)
        for _ in range(3):
            try:
                one.sendto(b"?", address)
                one.recv(9)
            except OSError:
                continue
            seen[target] = "open"
            return
looks = [threading.Thread(target=look, args=(each,), daemon=True) for each in sys.argv[1:]]
[each.start() for each in looks]
[each.join(5) for each in looks]
print(json.dumps({each: seen.get(each, "") for each in sys.argv[1:]}))
"""


class Sender(Probe):
    """A probe that knows targets `udp:HOST:PORT`, too: `open` if a datagram was answered."""

    async def tries(self, *targets: str) -> dict[str, str]:
        """As any probe does."""
        by_udp = [each for each in targets if each.startswith("udp:")]
        others = [each for each in targets if each not in by_udp]
        found = await together(*([super().tries(*others)] if others else []), *([self._sent(by_udp)] if by_udp else []))
        return {target: gave for each in found for target, gave in each.items()}

    async def _sent(self, targets: list[str]) -> dict[str, str]:
        addresses = [each.removeprefix("udp:") for each in targets]
        printed = await self.objects.run_in(self.name, "python3", "-c", _SEND, *addresses)
        if printed.code != 0 or not printed.lines:
            raise LabError(f"probe {self.name} printed {printed.lines[-1:] or printed.errors[-200:]}", "check again")
        return {f"udp:{key}": str(value) for key, value in json.loads(printed.lines[-1]).items()}


class Listener(Sender):
    """A pod that is nobody's business, and listens."""

    PORT = 8080
    PORTS: tuple[int, ...] = (PORT,)
    UDP: tuple[int, ...] = ()

    def pod(self, image: str) -> Object:
        """Its manifest."""
        made = super().pod(image)
        made["spec"]["containers"][0]["command"] = ["python3", "-m", "http.server", str(self.PORT), "-d", "/tmp"]
        return made


class Host(Listener):
    """A pod that lets in all, also on the port of the DNS, by TCP and UDP: whom it answers, that one is let out."""

    PORTS = (Listener.PORT, 53)
    UDP = (53,)
    PROGRAM = f"""
import http.server, socket, threading
ports = {PORTS}
for each in ports:
    web = http.server.HTTPServer(("", each), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=web.serve_forever).start()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.bind(("", ports[-1]))
    while True:
        one.sendto(b"!", one.recvfrom(9)[1])
"""

    def pod(self, image: str) -> Object:
        """Its manifest."""
        made = super().pod(image)
        made["spec"]["containers"][0]["command"] = ["python3", "-c", self.PROGRAM]
        made["spec"]["securityContext"] = {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]}
        return made

    def policy(self) -> Object:
        """The policy by which it lets in all."""
        spec = {"podSelector": {"matchLabels": dict(self.labels)}, "policyTypes": ["Ingress"], "ingress": [{}]}
        about = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
        return about | {"metadata": {"name": f"{self.name}-open"}, "spec": spec}


class Guest(Probe):
    """A pod of another namespace, that of the checker's own programs."""

    @property
    def known_by(self) -> str:
        """Its labels, in words."""
        return " and ".join(f"{key}={value}" for key, value in self.labels.items())

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
    """The checker's pods, by whose labels they have; names, and whatever label says nothing, are drawn."""

    client: Probe
    loader: Probe
    monitor: Probe
    gateway: Probe
    model: Sender
    features: Probe
    stranger: Probe
    listener: Listener
    host: Host
    guests: tuple[Guest, ...]

    @classmethod
    def draw(cls, lab: Lab) -> Visitors:
        """Draw them for this run."""
        random = drawn(lab, "visitors")

        def labels(key: str, value: str) -> dict[str, str]:
            return {key: value, word(random): word(random)}

        names = [f"{word(random)}-{number}" for number in range(13)]
        away = Objects(lab.objects.named("Pod", names[-1]).kube, SYSTEM_NAMESPACE)
        of_the_list = (
            {"app": "monitor", "role": "client"}, {"app": "gateway", "role": "loader"},
            {"app": "model"}, {"app": "features"},
        )  # fmt: skip
        return cls(
            Probe(lab.objects, names[0], labels("role", "client")),
            Probe(lab.objects, names[1], labels("role", "loader")),
            Probe(lab.objects, names[2], labels("app", "monitor")),
            Probe(lab.objects, names[3], labels("app", "gateway")),
            Sender(lab.objects, names[4], labels("app", "model")),
            Probe(lab.objects, names[5], labels("app", "features")),
            Probe(lab.objects, names[6], labels("app", word(random))),
            Listener(lab.objects, names[7], labels(word(random), word(random))),  # nor has everybody a label app
            Host(lab.objects, names[8], labels("app", word(random))),
            tuple(Guest(away, name, each) for name, each in zip(names[9:], of_the_list, strict=True)),
        )


def word(random: Random) -> str:
    """Seven letters that mean nothing."""
    return "".join(random.choices(_LETTERS, k=7))
