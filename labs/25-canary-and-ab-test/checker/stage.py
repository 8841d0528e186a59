"""The checker's own models and passengers around the learner's canary, and the canary's interface."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, expect
from mlops_lab.checks.rooms.programs import Conversation
from mlops_lab.kit import fakes, sandbox
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object

from .models import PORTS

HERE = Path(__file__).parent
IMAGE, ARCHIVE = "flight-delay:v1", "programs.zip"
FIRST = "model-v1"  # what serves before the check, and after it
PUT_WITHIN, ASKED_WITHIN, REACHED_WITHIN = 30.0, 20.0, 30.0  # s
SETTLES = 10.0  # s in which all pods know of a canary's beginning or end
SAID_WITHIN = 90.0  # s for the checker's own program; it gives up waiting for answers before that
ENDS = ("promoted", "taken back")
STATES = ("none", "running", *ENDS)
SLICES = "kubernetes.io/service-name"

Seen = dict[str, Any]


class Stage:
    """Both models behind Services of drawn names, and their passengers.

    Attributes:
        names: of the Services, by `stable` and `candidate`.
    """

    def __init__(self, lab: Lab, conversation: Conversation, names: Mapping[str, str]) -> None:
        self.lab, self.names, self._conversation = lab, names, conversation

    async def behave(self, stable: Seen, candidate: Seen) -> None:
        """The models behave so from now on, and nothing has come yet; see `models.Behaviour`."""
        both = {"stable": stable | {"version": "a"}, "candidate": candidate | {"version": "b"}}
        await self._say({"models": both})

    async def send(self, targets: Sequence[str], **how: Any) -> None:
        """A crowd begins; see `passengers.Crowd`."""
        await self._say({"send": {"targets": list(targets), **how}})

    async def done(self, *, within: float = SAID_WITHIN, **more: Any) -> Seen:
        """Wait until the crowd is done; what was seen."""
        return await self._say({"wait": True, **more}, within=within)

    async def look(self, *, fresh: bool = False) -> Seen:
        """What was seen so far; with `fresh` answers that were unlike the model's so far are forgotten."""
        return await self._say({"look": True, "fresh": fresh})

    async def stop(self) -> Seen:
        """End the crowd; what was seen."""
        return await self._say({"stop": True})

    async def call(self, calls: Sequence[tuple[str, str, str, Any]]) -> list[tuple[int, str]]:
        """Requests, one after the other: method, `host:port`, path and JSON object; the answers' status and text."""
        seen = await self._say({"call": [list(each) for each in calls]}, within=SAID_WITHIN + 13 * len(calls))
        return [(int(status), str(text)) for status, text in seen["answers"]]

    async def _say(self, said: Mapping[str, Any], *, within: float = SAID_WITHIN) -> Seen:
        return await self._conversation.ask(said, within=within)


@contextlib.asynccontextmanager
async def staged(lab: Lab, what: str) -> AsyncIterator[Stage]:
    """A stage, while the block runs; afterwards the first model serves again.

    Args:
        what: is played on it; each has names of its own.

    Raises:
        LabError: the checker's own pod or Services can't be reached.
    """
    random = drawn(lab, f"names of {what}")
    words = random.sample(range(0x1000, 0x10000), 2)
    names = {model: f"model-{word:x}" for model, word in zip(PORTS, words, strict=True)}
    packed = sandbox.archive(HERE / "world.py", (HERE / "models.py", HERE / "passengers.py"))
    async with (
        lab.programs.pod(IMAGE, "sleep", "900", files={ARCHIVE: packed}) as pod,
        pod.talk("python3", f"/checker/{ARCHIVE}", f"{sandbox.PACKAGE}.world") as conversation,
    ):
        stage = Stage(lab, conversation, names)
        await stage.behave({}, {})
        async with standing(lab, [each for name in PORTS for each in leads_to(names[name], pod.address, PORTS[name])]):
            for name in names.values():
                await _reached(lab, name)
            try:
                yield stage
            finally:
                await _back(lab)


def leads_to(name: str, address: str, port: int) -> list[Object]:
    """A Service on port 80 that leads to a port of the checker's pod."""
    service, ends = fakes.objects(name, address, 80)
    service["spec"]["ports"][0]["targetPort"] = ends["ports"][0]["port"] = port
    return [service, ends]


async def _reached(lab: Lab, name: str) -> None:
    answer = await lab.traffic.first_answer(lambda: lab.traffic.get(name, "/", within=3), within=REACHED_WITHIN)
    if answer.status != 200:
        raise LabError(
            f"the checker's model {name} is not reached after {REACHED_WITHIN:g} s: {answer.shown}",
            "see how the nodes are: lab status",
        )


async def _back(lab: Lab) -> None:
    """The first model serves again, if anybody listens."""
    if await lab.objects.named("Service", "model").now():
        with contextlib.suppress(Exception):
            await lab.traffic.put("model", "/canary", {"stable": FIRST, "candidate": None}, within=12)


async def put(lab: Lab, stable: str, candidate: str | None) -> None:
    """Let a canary begin, or with None end it.

    Raises:
        Failure: Service `model` does not take it.
    """
    body = {"stable": stable, "candidate": candidate}
    seen = await lab.time.eventually(
        lambda: lab.traffic.put("model", "/canary", body, within=12), lambda answer: 200 <= answer.status < 300,
        expected="PUT /canary of Service model is answered with status 2xx", shown=lambda answer: answer.shown,
        within=PUT_WITHIN,
    )  # fmt: skip
    expect(seen).because(
        f"the checker sent {body}. The names are those of Services in your namespace, on port 80, and others each "
        "time. kubectl logs of what is behind Service model says what became of it"
    )


async def state(lab: Lab) -> str:
    """What GET /canary says; in words if it is no state."""
    answer = await lab.traffic.get("model", "/canary", within=5)
    said = answer.fields_if_any.get("state") if answer.status == 200 else None
    return said if isinstance(said, str) and said in STATES else f"no state ({answer.shown})"


async def service_address(lab: Lab) -> str:
    """Where passengers reach Service `model`.

    Raises:
        Failure: there is no such Service.
    """
    host = await lab.traffic.host("model")
    return f"[{host}]:80" if ":" in host else f"{host}:80"


async def each_of_them(lab: Lab, *, least: int = 2, within: float) -> list[str]:
    """`host:port` of all that is behind port 80 of Service `model` and ready, so many at least.

    Raises:
        Failure: there are fewer after so many seconds, or there is no such Service.
    """

    async def look() -> list[str]:
        service = await lab.objects.service("model")
        port = next((each.get("name", "") for each in service["spec"].get("ports") or [] if each["port"] == 80), None)
        leaving = {
            str((each.get("status") or {}).get("podIP"))
            for each in await lab.objects.all("Pod")
            if each["metadata"].get("deletionTimestamp")
        }
        found: set[str] = set()
        for one in await lab.objects.all("EndpointSlice", f"{SLICES}=model"):
            ports = [each["port"] for each in one.get("ports") or [] if (each.get("name") or "") == (port or "")]
            for end in one.get("endpoints") or []:
                if ports and (end.get("conditions") or {}).get("ready") is not False:
                    hosts = [each for each in end["addresses"] if each not in leaving]
                    found.update(f"[{each}]:{ports[0]}" if ":" in each else f"{each}:{ports[0]}" for each in hosts)
        return sorted(found) if port is not None else []

    seen = await lab.time.eventually(
        look, lambda found: len(found) >= least, expected=f"{least} ready pods behind port 80 of Service model",
        shown=lambda found: f"{len(found)}", within=within,
    )  # fmt: skip
    expect(seen).because(
        "passengers come to more than one pod, and which one is chance: what only one of them knows, others can't do. "
        "kubectl get endpointslices -l kubernetes.io/service-name=model, and kubectl describe pod for one that is not "
        "ready"
    )
    found: list[str] = seen.value
    return found


def as_the_model_said(seen: Seen, what: str) -> Observation:
    """Whether answers came through as the models gave them, each of one model, but for one in 500."""
    if seen["sent"] < 0.99 * seen["wanted"]:
        wanted = f"{seen['wanted']} requests {what} are answered in time"
        return Observation(False, wanted, f"{seen['sent']} in {seen['seconds']:.0f} s", timed=True)
    ok = seen["unlike"] <= seen["sent"] / 500
    number = f"{seen['unlike']} of {seen['sent']} answers {what}"
    expected = f"answers {what} are a model's own, from one model each, but for one in 500"
    shown = f"{number} are not" if seen["unlike"] else f"all {seen['sent']} answers {what} are"
    return Observation(ok, expected, shown, seen["unlike"], tuple(seen["examples"]), timed=True if not ok else None)


def seed_of(lab: Lab, what: str) -> int:
    """Of a crowd's names and flights."""
    return drawn(lab, f"passengers {what}").randrange(10**9)
