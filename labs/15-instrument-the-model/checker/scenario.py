"""The requests of every kind that are sent, once, and the pods' metrics before and after.

The checker's own program (traffic.py, in a pod) sends all requests and reads the pods' metrics.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mlops_lab.checks import Lab, Observation, absent, expect, holds
from mlops_lab.kit import deployments
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.pods import lasting, restarts
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kube.client import Object

READY_WITHIN = 90  # s for the Deployment's pods
GONE_WITHIN = 30  # s for the pods of the program before, which may still get requests
SENT_WITHIN = 110  # s for the checker's own pod, its start included
TRIES = 2  # a pod that is started again meanwhile begins to count anew

WITHIN = 1e-6  # of the model's own values
REQUESTS = "http_requests_total"
ROUTE, PORT = "/predict", 80  # of the Service
Counts = dict[tuple[str, str], float]  # requests to /predict by pod and status
PROGRAM = ("traffic.py", "bodies.py", "client.py", "scrapes.py")


@dataclass(frozen=True)
class Seen:
    """What traffic.py found.

    Attributes:
        pods: the Pod objects.
        whole: its answer: `answers`, and the pods' metrics `before`, `early`, `read`, in the `middle`, `later` and
            `after`.
        strange: the names of those of the pods that are not of Deployment `model`.
    """

    pods: list[Object]
    whole: Object
    strange: tuple[str, ...] = ()

    @property
    def answers(self) -> list[Object]:
        """All requests with what came back."""
        return list(self.whole["answers"])

    @property
    def sent(self) -> list[Object]:
        """The requests between `before` and `after`."""
        return self.answers[self.whole["first"] :]

    @property
    def read(self) -> list[Object]:
        """Those between `early` and `read`, one after the other, of one flight and a large field that nobody knows."""
        return [each for each in self.sent if each["kind"] == "read"]

    @property
    def brief(self) -> list[Object]:
        """Those between `middle` and `later`, one after the other, about one flight each."""
        return self.answers[self.whole["brief"] : self.whole["timed"]]

    @property
    def timed(self) -> list[Object]:
        """Those between `later` and `after`, one after the other, about many flights each."""
        return self.answers[self.whole["timed"] :]

    @property
    def after(self) -> dict[str, Object]:
        """Each pod's metrics at the end."""
        return dict(self.whole["after"])

    @property
    def probabilities(self) -> list[float]:
        """All that came back between `before` and `after`."""
        return [each for answer in self.sent for each in answer.get("probabilities", ())]

    def first(self, kind: str) -> list[Object]:
        """The requests of a kind that were sent to each pod itself."""
        return [each for each in self.answers if each["pod"] and each["kind"] == kind]

    def got(self, status: int) -> int:
        """How many answers between `before` and `after` have a status."""
        return sum(each["status"] == status for each in self.sent)

    def rise(self, ending: str, wanted: int) -> Observation:
        """The rise of the counter for a route and status (` 404`: of any route), over all pods, and by how much."""

        def at(pod: str, when: str) -> float:
            kept = self.whole[when][pod].get("requests", {})
            return float(sum(value for key, value in kept.items() if key.endswith(ending)))

        rises = {pod: at(pod, "after") - at(pod, "before") for pod in self.after}
        route, _, status = ending.partition(" ")
        labels = (f'route="{route}", ' if route else "") + f'status="{status}"'
        each = ", ".join(f"{pod} {number:g}" for pod, number in rises.items())
        total = sum(rises.values())
        return Observation(
            total == wanted,
            f"{REQUESTS}{{{labels}}} rises by {wanted}",
            f"by {total:g} ({each})",
            total,
            what=f"{REQUESTS}{{{labels}}} rises",
        )

    def histogram_rise(self, name: str, since: str = "before", until: str = "after") -> Object:
        """The rise of a histogram over all pods: `count`, `sum` and `buckets` by bound."""
        found: Object = {"count": 0.0, "sum": 0.0, "buckets": Counter()}
        for pod, after in self.whole[until].items():
            before = self.whole[since][pod][name]
            for what in ("count", "sum"):
                found[what] += (after[name][what] or 0) - (before[what] or 0)
            for bound, number in after[name]["buckets"].items():
                found["buckets"][bound] += number - before["buckets"].get(bound, 0)
        return found


async def measured(lab: Lab) -> Seen:
    """Send the requests and read the metrics of pods that stay what they are meanwhile."""
    await deployments.exists(lab, why=f"{deployments.NOTHING_RUNS}kubectl apply -k . and then kubectl get pods")
    expect(await deployments.rolled_out(lab, within=READY_WITHIN)).because(
        "kubectl describe pod says in its events what holds a pod up, kubectl logs what the program says about it"
    )
    await lab.traffic.post("model", ROUTE, lab.traffic.hidden_rows(1).body, within=5)  # is there such a Service?
    await deployments.old_pods_gone(lab, within=GONE_WITHIN)
    for _ in range(TRIES):
        pods = await serving(lab)
        own = {name_of(each) for each in await deployments.owned_pods(lab)}
        strange = tuple(each for each in map(name_of, pods) if each not in own)
        seen = Seen(pods, await sent(lab, pods), strange)
        now = await lab.objects.pods_of("model")
        if identities(pods) == identities(now):
            return seen
    expect(absent("the same pods before and after", f"{described(pods)}; then {described(now)}")).because(
        "a pod that is started again begins to count at 0. kubectl get pods shows restarts, kubectl describe pod why"
    )
    raise AssertionError("unreachable")


async def serving(lab: Lab, name: str = "model") -> list[Object]:
    """The pods that a Service sends requests to, each with the port that it is asked on."""
    service = (await lab.objects.named("Service", name).now() or {}).get("spec", {})
    named = next((each.get("name", "") for each in service.get("ports") or [] if each["port"] == PORT), "")
    ports: dict[str, int] = {}
    for piece in await lab.objects.all("EndpointSlice", f"kubernetes.io/service-name={name}"):
        for port in piece.get("ports") or []:
            for endpoint in piece.get("endpoints") or []:
                ready = (endpoint.get("conditions") or {}).get("ready", True)
                if ready and port.get("port") and port.get("name", "") == named:
                    ports.update({address: int(port["port"]) for address in endpoint["addresses"]})
    pods = [pod for pod in await lab.objects.pods_of(name) if (pod.get("status") or {}).get("podIP") in ports]
    expect(holds(bool(pods), f"ready pods behind Service {name}", "none")).because(
        "the Service's selector has to match the pods' labels, and its targetPort a port of theirs: "
        "kubectl get endpointslices"
    )
    return [pod | {"port": ports[pod["status"]["podIP"]]} for pod in pods]


async def sent(lab: Lab, pods: list[Object]) -> Object:
    """Run traffic.py on these pods."""
    chance = drawn(lab, "requests")
    kinds = {
        "predict": (40, 60), "odd": (8, 14), "refused": (15, 25), "unknown": (110, 140), "crash": (8, 15),
        "method": (4, 8), "broken": (6, 9), "deep": (4, 7), "again": (9, 14),
    }  # fmt: skip
    plan = {
        "service": [await lab.traffic.host("model"), PORT],
        "pods": [target(pod) for pod in pods],
        "rows": list(lab.traffic.hidden_rows(500).rows),
        "kinds": {kind: chance.randint(*bounds) for kind, bounds in kinds.items()} | {"quoted": 5, "nameless": 8},
    }
    return await played(lab, plan)


async def played(lab: Lab, plan: Object) -> Object:
    """What traffic.py, in a pod, says of a plan."""
    here = Path(__file__).parent
    files = {name: (here / name).read_text() for name in PROGRAM} | {"plan.json": json.dumps(plan)}
    # As modules of a package, which the folder /checker is.
    program = "cd / && exec python3 -m checker.traffic /checker/plan.json"
    output = await lab.programs.run("workbench:1", "sh", "-c", program, files=files, within=SENT_WITHIN)
    return output.json()


def target(pod: Object) -> Object:
    """A pod as traffic.py takes it; `metrics`: where they may be, at any declared port where no annotation says it."""
    notes, port = pod["metadata"].get("annotations") or {}, pod["port"]
    path, said = notes.get("prometheus.io/path") or "/metrics", str(notes.get("prometheus.io/port", ""))
    declared = [each["containerPort"] for one in lasting(pod) for each in one.get("ports") or []]
    ports = [int(said)] if re.fullmatch("[0-9]{1,5}", said) else [port, *declared]
    places = dict.fromkeys([*((each, path) for each in ports), (port, "/metrics")])
    return {
        "name": pod["metadata"]["name"], "address": pod["status"]["podIP"], "port": port,
        "metrics": [list(each) for each in places],
    }  # fmt: skip


def identities(pods: Iterable[Object]) -> set[tuple[str, int]]:
    """What changes when a pod is replaced or a container of it is started again."""
    return {(pod["metadata"]["uid"], restarts(pod)) for pod in pods}


def described(pods: Iterable[Object]) -> str:
    return ", ".join(f"{pod['metadata']['name']} ({restarts(pod)} restarts)" for pod in pods)
