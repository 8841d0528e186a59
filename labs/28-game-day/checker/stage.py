"""The world's pod and how the checker leads it: feeds in place of the seed's, passengers, and where they ask."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_lab.checks import Failure, Lab, LabError
from mlops_lab.checks.rooms.programs import Conversation
from mlops_lab.kit import fakes, sandbox
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.restore import put_back
from mlops_lab.kube.client import Object

from .feeds import PATHS, PORTS

HERE = Path(__file__).parent
MODELS = HERE.parent / "start" / "models.py"
IMAGE, ARCHIVE, FLIGHTS = "components:1", "programs.zip", "/data/flights"
SERVICE = {"page": "page", "forecast": "forecast", "recommend": "recommend", "air": "edge", "records": "edge"}
GROUND = "records"
REACHED_WITHIN, SAID_WITHIN = 30.0, 60.0  # s
HEARD_AFTER = 3.0  # s until other nodes know it, too: kube-proxy writes what has changed once a second
PLAYED, SEEDED = "mlops-lab/played-by", {"app": "world"}


@dataclass(frozen=True)
class Event:
    """A request that came back, or did not.

    Attributes:
        at: Unix time when it was sent.
        away: parts of a page that say that they are.
        wrong: what was, in few words.
    """

    at: float
    kind: str
    right: bool
    away: tuple[str, ...]
    version: str
    wrong: str


@dataclass
class Stage:
    """The world while it stands.

    Attributes:
        address: of its pod.
        events: all that came back so far.
        ahead: seconds that its clock is ahead of this machine's.
    """

    lab: Lab
    conversation: Conversation
    address: str
    events: list[Event] = field(default_factory=list)
    ahead: float = 0.0
    targets: dict[str, str] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    number: int = 0

    @property
    def now(self) -> float:
        """Unix time by the world's clock."""
        return time.time() + self.ahead

    async def say(self, **what: Any) -> dict[str, Any]:
        """Tell the world something; see `world.World.do`."""
        async with self.turn:
            before, self.number = time.time(), self.number + 1
            found = await self.conversation.ask({"n": self.number, **what}, within=SAID_WITHIN)
            while found.get("n") != self.number:  # an answer that nobody waited for
                found = await self.conversation.hear(within=SAID_WITHIN)
        if before + 1 > time.time():  # else nobody can say when it was
            self.ahead = float(found["now"]) - (before + time.time()) / 2
        return found

    async def look(self) -> None:
        """Take what came since, and tell the world where Services are now."""
        hosts = {service: await target(self.lab, service) for service in set(SERVICE.values())}
        targets = {kind: hosts[service] for kind, service in SERVICE.items()}
        changed = {kind: each for kind, each in targets.items() if self.targets.get(kind) != each}
        self.targets = targets
        while True:
            found = await self.say(events=len(self.events), targets=changed)
            new = [Event(at, kind, right, tuple(away), version, wrong)
                   for at, kind, right, away, version, wrong in found["events"]]  # fmt: skip
            self.events += new
            if len(new) < 1000:
                return

    def since(self, moment: float, *kinds: str) -> list[Event]:
        """The events of some kinds from a moment on."""
        return [each for each in self.events if each.at >= moment and each.kind in kinds]

    async def rates(self, **rates: float) -> None:
        """So many requests a second from now on; kinds that are not named get none."""
        await self.say(rates=dict.fromkeys(SERVICE, 0.0) | rates)


async def target(lab: Lab, service: str) -> str:
    """`host:port` of a Service; empty where there is none."""
    found = await lab.objects.named("Service", service).now()
    host = ((found or {}).get("spec") or {}).get("clusterIP")
    if found is None or not host:
        return ""
    if host == "None":
        try:
            host = await lab.traffic.host(service)
        except Failure:  # none of its pods is there
            return ""
    return f"[{host}]:80" if ":" in host else f"{host}:80"


def ends_at(service: str, named: str, address: str, port: int, called: str) -> Object:
    """An EndpointSlice by which a Service leads to a pod of the checker's.

    Args:
        called: the name of the Service's port; empty if it has none.
    """
    _, ends = fakes.objects(service, address, port)
    ends["metadata"]["name"] = named
    ends["ports"][0] |= {"port": port, "name": called}
    return ends


def seed_of(lab: Lab) -> int:
    """Of the run's data."""
    return drawn(lab, "data").randrange(10**9)


@contextlib.asynccontextmanager
async def staged(lab: Lab, state: int) -> AsyncIterator[Stage]:
    """The world while the block runs, with the data in a state; afterwards the feeds are the seed's again.

    Raises:
        LabError: the checker's own pod, or the feeds through it, can't be reached.
        Failure: a feed's Service is not there.
    """
    packed = sandbox.archive(
        HERE / "world.py", [HERE / f"{name}.py" for name in ("crowd", "feeds", "ledger", "lossy")] + [MODELS]
    )
    files: dict[str, str | bytes] = {ARCHIVE: packed, "prices.csv": (HERE / "prices.csv").read_text()}
    words = (
        "python3",
        f"/checker/{ARCHIVE}",
        f"{sandbox.PACKAGE}.world",
        "/checker/prices.csv",
        FLIGHTS,
        str(seed_of(lab)),
    )
    async with (
        lab.programs.pod(IMAGE, "sleep", "900", files=files) as pod,
        pod.talk(*words) as conversation,
    ):
        stage = Stage(lab, conversation, pod.address)
        await stage.say(state=state, states=[state])
        async with contextlib.AsyncExitStack() as played:
            for feed in PORTS:
                await played.enter_async_context(_played(lab, feed, pod.address))
            for feed in PORTS:
                await _reached(lab, feed)
            await lab.time.pause(HEARD_AFTER)
            await stage.look()
            yield stage


@contextlib.asynccontextmanager
async def _played(lab: Lab, feed: str, address: str) -> AsyncIterator[None]:
    """A feed's Service leads to the world's pod while the block runs."""
    before: Object = {"apiVersion": "v1", "kind": "Service"}
    before |= await lab.objects.service(feed)
    kept = before["spec"].get("selector") or {}
    before["spec"] = before["spec"] | {"selector": SEEDED}  # a check that was cut off may have left another one
    called = (before["spec"].get("ports") or [{}])[0].get("name", "")
    ends = ends_at(feed, f"{feed}-played", address, PORTS[feed], called)
    try:
        await lab.objects.patch("Service", feed, {"spec": {"selector": dict.fromkeys(kept) | {PLAYED: "checker"}}})
        await lab.objects.apply([ends])
        yield
    finally:
        await lab.objects.delete("EndpointSlice", f"{feed}-played")
        await put_back(lab, before)


async def _reached(lab: Lab, feed: str) -> None:
    """Wait until questions to a feed come to the world."""
    seed = str(seed_of(lab))
    answer = await lab.traffic.first_answer(
        lambda: lab.traffic.get(feed, PATHS[feed], within=3),
        lambda answer: answer.headers.get("x-played") == seed,
        within=REACHED_WITHIN,
    )
    if answer.headers.get("x-played") != seed:
        raise LabError(
            f"the checker's feed {feed} is not reached after {REACHED_WITHIN:g} s: {answer.shown}",
            "see how the nodes are: lab status",
        )


def share(events: Sequence[Event]) -> float:
    """The share of the events that are right; 0 of none."""
    return sum(each.right for each in events) / len(events) if events else 0.0


def policy(name: str, selector: Object, address: str = "") -> Object:
    """A NetworkPolicy that shuts pods off: all ways in; with an address all ways out, too, and that one may come in.

    Args:
        selector: a Deployment's.
    """
    spec: Object = {"podSelector": selector, "policyTypes": ["Ingress"]}
    if address:
        block = {"cidr": f"{address}/{128 if ':' in address else 32}"}
        spec |= {"policyTypes": ["Ingress", "Egress"], "ingress": [{"from": [{"ipBlock": block}]}]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec}
