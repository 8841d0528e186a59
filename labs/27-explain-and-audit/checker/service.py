"""Service `credit` as lab 27's README has it: requests, and what their answers must at least be to be read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.prerequisites import must
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.http import Answer

from .loans import Model

ANSWER_WITHIN = 10  # s
PAGE, LONGEST = 100, 600  # lines of an answer, and bytes of a line
READ = 1000  # lines of a long trail, its last ones
NOTHING = "0" * 64  # what the first line names as the one before it
LARGEST = 64 << 10  # bytes that are read of an answer
EVENTS = ("model", "approval", "decision", "erasure")
_ID = re.compile(r"[A-Za-z0-9.-]{1,80}")
NO_ANSWER = "kubectl logs deployment/credit shows the exception behind a 500, and whether the request arrived at all"
REFUSED = "the README's table says which status each request is answered with, and when it is refused"
BEYOND = "from=N lies beyond the trail's end: 200 and no lines"


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Decided:
    """An answer of POST /decisions, or of POST /replays.

    Attributes:
        body: as it came.
        said: its fields.
    """

    body: bytes
    said: Object

    @property
    def id(self) -> str:
        """Of the decision."""
        return str(self.said["decision"])

    @property
    def at(self) -> str:
        """When."""
        return str(self.said["at"])


@dataclass(frozen=True)
class Trail:
    """A copy of the trail.

    Attributes:
        first: the number of its first line, from 1.
        lines: without their ends.
        head: what the service says of the last one.
    """

    first: int
    lines: tuple[bytes, ...]
    head: Object

    @property
    def events(self) -> list[Object]:
        """Its lines' fields, those of the four events that the task names."""
        return [each for each in map(json.loads, self.lines) if each.get("event") in EVENTS]

    def since(self, older: Trail) -> list[Object]:
        """What has been added since an older copy."""
        return Trail(0, self.lines[older.first + len(older.lines) - self.first :], {}).events


class Credit:
    """The service, or a copy of it.

    Args:
        service: its name.
    """

    def __init__(self, lab: Lab, service: str = "credit") -> None:
        self._lab, self.service = lab, service

    async def ask(self, method: str, path: str, body: Any = None, *, token: str = "") -> Answer:
        """One request."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self._lab.traffic.request(method, self.service, path, body, headers=headers, within=ANSWER_WITHIN)

    async def hand_in(self, model: Model, token: str, text: str | None = None) -> Answer:
        """A model file under a version."""
        return await self.ask("PUT", f"/models/{model.version}", model.text if text is None else text, token=token)

    async def approve(self, model: Model, token: str, body: Any = None) -> Answer:
        """Its approval."""
        return await self.ask("POST", f"/models/{model.version}/approval", body or {}, token=token)

    async def serve(self, model: Model, developer: str, officer: str) -> None:
        """Hand a model in and approve it.

        Raises:
            Failure: one of them is refused.
        """
        succeeds(await self.hand_in(model, developer), f"PUT /models/{model.version} by one of the staff")
        succeeds(await self.approve(model, officer), f"POST /models/{model.version}/approval by a risk officer")

    async def decide(self, application: Object) -> Decided:
        """A decision.

        Raises:
            Failure: it is none that has an id and a time.
        """
        answer = await self.ask("POST", "/decisions", application)
        succeeds(answer, "POST /decisions with an application")
        return decided(answer)

    async def record(self, decision: str) -> bytes:
        """The bytes of a decision's record.

        Raises:
            Failure: there is none.
        """
        answer = await self.ask("GET", f"/decisions/{quote(decision)}")
        is_status(answer, 200, "GET /decisions/ID of a decision just made")
        return answer.body

    async def replay(self, record: bytes | Object) -> Decided:
        """What a record leads to.

        Raises:
            Failure: nothing that is like a decision.
        """
        body = record.decode(errors="replace") if isinstance(record, bytes) else record
        answer = await self.ask("POST", "/replays", body)
        is_status(answer, 200, "POST /replays with a record")
        return decided(answer)

    async def head(self) -> Object:
        """How long the trail is, and its last line's digest.

        Raises:
            Failure: that is not what it says.
        """
        answer = await self.ask("GET", "/trail/head")
        is_status(answer, 200, "GET /trail/head")
        head = answer.fields()
        lines = head.get("lines")
        right = isinstance(lines, int) and not isinstance(lines, bool) and 0 <= lines < 10**9
        right = right and (lines == 0 or isinstance(head.get("sha256"), str))
        must(
            Observation(right, '{"lines": a number, "sha256": "..."}', answer.shown),
            "the head says how many lines there are and which is the last",
        )
        return head

    async def length(self) -> int:
        """How many lines the trail has. Raises as `head`."""
        lines: int = (await self.head())["lines"]
        return lines

    async def trail(self, first: int = 0) -> Trail:
        """A copy of the trail up to its head, with its links looked at.

        Args:
            first: the number of the line to begin at; 0 begins at the first, or where the last `READ` lines begin.

        Raises:
            Failure: it is not there, not what a trail's lines must be, or not whole.
        """
        head = await self.head()
        first = first or max(1, head["lines"] - READ + 1)
        lines: list[bytes] = []
        while (left := head["lines"] - first + 1 - len(lines)) > 0:
            lines += await self.page(first + len(lines), min(left, PAGE))
        copy = Trail(first, tuple(lines[: head["lines"] - first + 1]), head)
        must(
            unbroken(copy),
            "each line names the digest of the line before it, as the bytes were given out: without the \\n, and not "
            "of what was parsed and printed anew. Who appends has to know the last line, also when two come at once, "
            "and after the program has been started anew",
        )
        return copy

    async def page(self, first: int, count: int) -> list[bytes]:
        """Lines from one on.

        Args:
            count: how many there are at least; none where it is 0.

        Raises:
            Failure: there are others than that.
        """
        path = f"/trail?from={first}"
        answer = await self.ask("GET", path)
        is_status(answer, 200, f"GET {path}", "" if count else _beyond(answer))
        lines = answer.body.removesuffix(b"\n").split(b"\n") if answer.body else []
        said = f"{len(lines)} lines"
        right = count <= len(lines) <= (PAGE if count else 0)
        if len(answer.body) >= LARGEST:
            right, said = False, f"{len(answer.body)} bytes, the last of them {answer.body[-20:]!r}"
        elif long := [len(line) for line in lines if len(line) > LONGEST]:
            right, said = False, f"a line of {long[0]} bytes"
        number = f"{count} to {PAGE}" if count < PAGE else PAGE
        wanted = f"{number} lines, each of {LONGEST} bytes at most" if count else "no line"
        must(
            Observation(right, f"GET {path}: {wanted}", said),
            "lines are given out as they were written, a hundred at a time, and none beyond the head's",
        )
        return lines


def unbroken(copy: Trail) -> Observation:
    """Whether each line names the one before it, and the head the last."""
    expected = NOTHING if copy.first == 1 else None
    last = ""
    for number, line in enumerate(copy.lines, copy.first):
        fields = fields_of(line)
        if fields is None:
            return Observation(False, "a trail of JSON objects", f"line {number}: {line[:80]!r}")
        if expected is not None and str(fields.get("previous")).lower() != expected:
            seen = f"line {number} names {str(fields.get('previous'))[:12]}, that one's digest is {expected[:12]}"
            return Observation(False, "each line names the digest of the one before it", seen)
        expected = last = digest(line)
    right = not copy.lines or str(copy.head["sha256"]).lower() == last
    seen = f"the head's is {str(copy.head['sha256'])[:12]}, that of line {copy.head['lines']} {last[:12]}"
    return Observation(right, "the head has the digest of the last line", seen)


def fields_of(line: bytes) -> Object | None:
    """A line's fields; None if it is no JSON object."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def decided(answer: Answer) -> Decided:
    """What can be read of a decision.

    Raises:
        Failure: no JSON object with an id and a time.
    """
    said = answer.fields()
    right = isinstance(said.get("decision"), str) and bool(_ID.fullmatch(said["decision"]))
    seen = f"decision {str(said.get('decision'))[:60]}, at {str(said.get('at'))[:60]}"
    must(
        Observation(right and isinstance(said.get("at"), str), "a decision with its id and its time", seen),
        "whoever asks about a decision later has nothing but its id: at most 80 letters, digits, hyphens and dots",
    )
    return Decided(answer.body, said)


def succeeds(answer: Answer, what: str) -> None:
    """A status 2xx.

    Raises:
        Failure: another one.
    """
    must(Observation(200 <= answer.status < 300, f"{what}: a status 2xx", answer.shown), _why(answer))


def is_status(answer: Answer, wanted: int, what: str, why: str = "") -> None:
    """That status.

    Raises:
        Failure: another one.
    """
    must(Observation(answer.status == wanted, f"{what}: status {wanted}", answer.shown), why or _why(answer))


def _without(answer: Answer) -> bool:
    """Whether the program failed, or none answered."""
    return answer.status == 0 or answer.status >= 500


def _beyond(answer: Answer) -> str:
    """Of a page where there are no lines any more."""
    return f"{BEYOND}. {NO_ANSWER}" if _without(answer) else BEYOND


def _why(answer: Answer) -> str:
    """Of a status that is not the wanted one."""
    return NO_ANSWER if _without(answer) else REFUSED


def only(events: Iterable[Object], kind: str) -> list[Object]:
    """Those of a kind."""
    return [each for each in events if each.get("event") == kind]
