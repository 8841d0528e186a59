"""The service's team in a pod of the checker's: its repository, what comes of a commit, and who asks the service."""

from __future__ import annotations

import base64
import contextlib
import math
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, absent, expect
from mlops_lab.checks.rooms.programs import Conversation
from mlops_lab.kit import sandbox
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.endpoints import enough
from mlops_lab.kit.prerequisites import must

from .why import GIVEN

HERE = Path(__file__).parent
MODULES = ("faults", "models", "passengers", "repository")
IMAGE, ARCHIVE = "git:1", "programs.zip"
SAID_WITHIN = 120.0  # s for a command of the team's; Git has a limit of its own
DECIDED_WITHIN = 120.0  # s from a push to the note, and to what it says
BACK_WITHIN = 60.0  # s until a change by hand is put back
ROLLED_WITHIN = 30.0  # s for what is left of a rollout, once all answers are by the new model
RATE = 10.0  # passengers a second
LEFT = 20.0  # s at least until all answers are by the new model, also where the note came at the last moment
# What Git or Python says of a server that is away for a moment, or of a command that the machine had no time for.
AWAY = ("TimeoutExpired", "unable to access", "RPC failed", "hung up unexpectedly", "early EOF")
AGAIN = 8  # answers in a row that have to be right
TIMES = math.ceil(enough(2) / AGAIN)  # in which they do: the Service sends to all of two or three pods
MESSAGES = (
    "Weights of week {}", "What came in {}", "The service, {}", "As agreed in meeting {}", "Flights up to day {}",
)  # fmt: skip

Seen = dict[str, Any]


class Team:
    """What the checker asks its pod for."""

    def __init__(self, lab: Lab, conversation: Conversation) -> None:
        self.lab, self._conversation = lab, conversation
        self._draw = drawn(lab, "messages")
        self._since = time.monotonic()

    async def do(self, what: str, **given: Any) -> Seen:
        """One thing that `team.Team` does.

        Raises:
            Failure: the repository is not as it was given.
            LabError: it can't be reached.
        """
        answer = await self._conversation.ask({what: given}, within=SAID_WITHIN)
        if "trouble" in answer:
            trouble = str(answer["trouble"])
            server = await self.lab.traffic.get("git", "/healthz", within=10)
            if server.status != 200 or any(each in trouble for each in AWAY):
                why = f"the Git server does not answer: {server.shown}; {trouble[-200:]}"
                raise LabError(why, "kubectl logs deploy/git")
            expect(absent("the team commits to main and reads it", trouble[:300])).because(GIVEN)
        return answer

    async def change(self, message: str = "", **how: Any) -> Seen:
        """A commit on main; what it wants. Its message is drawn, if none is given."""
        message = message or a_message(self._draw)
        return await self._pushed("change", message=message, seed=self._draw.randrange(1 << 30), **how)

    async def revert(self, commit: str, message: str) -> Seen:
        """A commit is reverted on main; what is wanted then."""
        return await self._pushed("revert", commit=commit, message=message)

    async def _pushed(self, what: str, **how: Any) -> Seen:
        made = await self.do(what, **how)
        self._since = time.monotonic()
        return made

    async def note(self, commit: str) -> str:
        """What the repository says of a commit."""
        return str((await self.do("note", commits=[commit]))["notes"][0])

    async def told(self, commit: str, what: str, wanted: str) -> Observation:
        """Wait for the note on the commit that was pushed last; where it is refused, the note says why, too.

        Args:
            what: the commit is, in words.
            wanted: what its first line begins with.
        """
        seen = await self.lab.time.eventually(
            lambda: self.note(commit), bool, expected="a note", shown=lambda text: text or "no note",
            within=round(max(DECIDED_WITHIN - (time.monotonic() - self._since), LEFT)), every=1.0,
        )  # fmt: skip
        text = str(seen.value)
        first = (text.splitlines() or [""])[0][:200]
        ok = first == wanted or (first.startswith(wanted) and not first[len(wanted)].isalnum())
        why = " and why" if wanted.startswith("refused") else ""
        ok = ok and (not why or any(map(str.isalnum, text[len(wanted) :])))
        expected = f"the note on {what} says {wanted!r}{why} within {DECIDED_WITHIN:g} s"
        return Observation(ok, expected, repr(first) if first else "there is no note", first, timed=not first)

    async def serves_in_time(self, key: str, version: str) -> Observation:
        """The same as `serves` for what was pushed last: note and service have one limit, from the push on."""
        left = max(DECIDED_WITHIN - (time.monotonic() - self._since), LEFT)
        limit = f", {DECIDED_WITHIN:g} s after the push at the latest, that is"
        return await self.serves(key, version, within=round(left), limit=limit)

    async def serves(self, key: str, version: str, within: float = DECIDED_WITHIN, limit: str = "") -> Observation:
        """Wait until all answers of Service `model` with this key are of this model.

        Args:
            limit: what it is part of, in words.
        """

        def right(found: list[Any]) -> bool:
            return bool(found) and all(each == [200, version] for each in found)

        return await self.lab.time.eventually(
            lambda: self._answers(key, right), right, expected=f"Service model answers by model {version}{limit}",
            shown=lambda found: ", ".join(sorted({f"{status} {body}" for status, body in found})), within=within,
        )  # fmt: skip

    async def refuses(self, key: str) -> Observation:
        """Wait until a key that was replaced is refused: pods that had it may still be ending."""

        def right(found: list[Any]) -> bool:
            return bool(found) and all(status == 401 for status, _ in found)

        return await self.lab.time.eventually(
            lambda: self._answers(key, right), right, expected="the old key gets status 401",
            shown=lambda found: f"status {', '.join(map(str, sorted({status for status, _ in found})))}",
            within=ROLLED_WITHIN,
        )  # fmt: skip

    async def _answers(self, key: str, right: Callable[[list[Any]], bool]) -> list[Any]:
        """What Service `model` answers, status and version; it is asked on and on while all is right."""
        host, found = _at(await self.lab.traffic.host("model")), list[Any]()
        for _ in range(TIMES):
            found += (await self.do("ask", host=host, key=key, times=AGAIN))["answers"]
            if not right(found):
                break
        return found

    @contextlib.asynccontextmanager
    async def passengers(self, key: str) -> AsyncIterator[Seen]:
        """Passengers ask while the block runs; what they saw is in the dictionary when it is left without trouble."""
        found: Seen = {}
        await self.do("crowd", host=_at(await self.lab.traffic.host("model")), key=key, rate=RATE)
        try:
            yield found
        finally:
            found |= await self.do("stop")


def a_message(draw: random.Random) -> str:
    """A commit's message."""
    return draw.choice(MESSAGES).format(draw.randrange(1, 400))


def unharmed(seen: Seen, versions: Sequence[str]) -> list[Observation]:
    """Whether passengers got right answers, and by these models alone."""
    lost, sent = seen["lost"], seen["sent"]
    others = {version: count for version, count in seen["versions"].items() if version not in versions}
    shown = f"{lost} of {sent} are not" if lost else f"all {sent} are"
    allowed = " or ".join(dict.fromkeys(versions))
    strange = ", ".join(f"{count} by {version}" for version, count in others.items())
    return [
        Observation(lost == 0, f"of {sent} answers all are right", shown, lost, tuple(seen["examples"])),
        Observation(not others, f"all answers are by model {allowed}", strange or "they are", others),
    ]


@contextlib.asynccontextmanager
async def team(lab: Lab) -> AsyncIterator[Team]:
    """The team with a clone of the repository, while the block runs.

    Raises:
        LabError: the checker's own pod can't be started.
        Failure: there is no Service `git`.
    """
    packed = sandbox.archive(HERE / "team.py", tuple(HERE / f"{name}.py" for name in MODULES))
    url = f"http://{_at(await lab.traffic.host('git'))}/delays.git"
    async with (
        lab.programs.pod(IMAGE, "sleep", "900", files={ARCHIVE: packed}, env={"REPOSITORY": url}) as pod,
        pod.talk("python3", f"/checker/{ARCHIVE}", f"{sandbox.PACKAGE}.team") as conversation,
    ):
        yield Team(lab, conversation)


async def sealed_in(lab: Lab, secret: str, wanted: dict[str, str]) -> Observation:
    """Whether a Secret has all that was sealed."""
    found = ((await lab.objects.named("Secret", secret).now()) or {}).get("data") or {}
    coded = {each: base64.b64encode(value.encode()).decode() for each, value in wanted.items()}
    other = [
        f"{each} is {'not there' if each not in found else 'something else'}"
        for each, value in coded.items() if found.get(each) != value
    ]  # fmt: skip
    expected = f"Secret {secret} has what was sealed, {' and '.join(wanted)}"
    return Observation(not other, expected, ", ".join(other) or "it has")


async def key_in(lab: Lab, secret: str) -> str:
    """The API key in a Secret that was sealed.

    Raises:
        Failure: there is no such Secret, or it has no key.
    """
    found = await lab.objects.named("Secret", secret).now()
    coded = ((found or {}).get("data") or {}).get("API_KEY")
    seen = "no such Secret" if found is None else "no API_KEY in it"
    must(
        Observation(bool(coded), f"a Secret {secret} with API_KEY", seen),
        "sealed/key.yaml has its name, and its value encrypted. What follows the repository opens it with the private "
        "key of Secret delivery-key, and makes a Secret of that name",
    )
    return base64.b64decode(str(coded)).decode(errors="replace")


async def private_lines(lab: Lab) -> list[str]:
    """A line of the private key that no other key has; none if its Secret is not there."""
    found = await lab.objects.named("Secret", "delivery-key").now()
    coded = str(((found or {}).get("data") or {}).get("private.pem", ""))
    lines = base64.b64decode(coded).decode(errors="replace").split()
    lines = [each for each in lines if len(each) > 40]
    return lines[len(lines) // 2 :][:1]


def _at(host: str) -> str:
    return f"[{host}]" if host.count(":") > 1 else host
