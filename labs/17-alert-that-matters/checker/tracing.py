"""Requests through the gateway, and what `./trace` prints about each."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import random
import string
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlops_lab.checks import Failure, Lab, LabError, Observation
from mlops_lab.kit import deployments
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.json_lines import json_object, json_objects
from mlops_lab.kit.pods import leaving
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.http import Answer

from .forms import answered
from .running import runs
from .world import in_service, untouched

ANSWERS_WITHIN = 20  # s for the gateway to answer as it should
BURIED, AT_ONCE = 24, 8  # requests after those that are looked for, and how many of them come at the same time
REST = 1  # s in which the line about the last one is written, without another in it
NAMELESS = 4  # of these without an id, all at once
WITHIN = 60  # s for each call of ./trace
SIGNS = "!#$%&'*+-.^_`|~"  # what a word of an HTTP header may have in it beside letters and digits
SHORT = 8  # characters of a line that may be a rule or a bracket, and no sentence
LINES = 20_000  # of a container's log; some write several for each request
LENGTH = 128  # characters of a long id
RUBBISH, BROKEN = 422, 500  # what v2 answers to what is no flight, and to a flight without weather
WEATHER = ("temp", "wind_speed", "precip", "visib")
EACH = 10  # s between two of these: they fail, and each counts
# Requests at the model itself, over 1000 lines in each pod's log; s for all, at most. With each sixth goes one through
# the gateway.
ASKS, ASKS_FOR = 3600, 40
ASKED_WITHIN = 90  # s for the pod that sends them to come and go
ASK = """
import http.client, sys, threading, time, urllib.request

url, asks, end = sys.argv[1], int(sys.argv[2]), time.monotonic() + float(sys.argv[3])
gateway, body = sys.argv[4], sys.argv[5].encode()

def ask():
    flight = urllib.request.Request(gateway, body, {"Content-Type": "application/json"})
    for number in range(asks // 4):
        for what in (flight, url) if number % 6 == 0 else (url,):
            if time.monotonic() < end:
                try:
                    urllib.request.urlopen(what, timeout=5).read()
                except (OSError, http.client.HTTPException):
                    pass

for each in [threading.Thread(target=ask) for _ in range(4)]:
    each.start()
"""
ALONE = '#!/bin/sh\nexec ./trace "$@" 2>/dev/null\n'  # prints what ./trace writes to its standard output


@dataclass
class Request:
    """One request through the gateway: the id that it was given, what came back, and what ./trace printed.

    Attributes:
        others: the ids that came back to requests alike, each sent without one.
        of_model, of_gateway: how many lines the model logs about it, and the gateway has at least.
        sentences: what ./trace wrote to its standard output that is no JSON object.
        after: the ids of requests that came after it, several at once, each with the one that came back.
        unlogged: of these ids, those that the gateway's log lacks.
    """

    what: str
    status: int
    given: str = ""
    answered: int = 0
    id: str = ""
    lines: list[Object] = field(default_factory=list)
    foreign: int = 0
    logged: bool = False  # a JSON object with its id and status is in the gateway's own log
    printed: tuple[str, ...] = ()
    of_model: int = 1
    of_gateway: int = 1
    sentences: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    after: tuple[tuple[str, str], ...] = ()
    unlogged: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Whether it was answered as it should be; of one on which the model fails a gateway may say 502, too."""
        return self.answered == self.status or (self.status == BROKEN and BROKEN <= self.answered < 600)

    @property
    def mixed(self) -> list[str]:
        """Which of the requests after it got the id of another one back, in words."""
        return [f"{sent} came back as {back or 'no id'}" for sent, back in self.after if sent != back]


async def requested(lab: Lab) -> list[Request]:
    """Four requests, and many more after them; the first that is not answered as it should be is the last."""
    await runs(lab, "gateway")
    await in_service(lab)
    await untouched(lab)
    flight = whole_flight(lab)
    good: Object = {"rows": [flight]}
    bodies: dict[int, Object] = {RUBBISH: {"rows": "rubbish"}, BROKEN: {"rows": [without_weather(flight)]}}
    requests = [
        Request("with an id", 200, given=new_id()),
        Request("without an id", 200),
        Request("with rubbish", RUBBISH, given=strange_id(drawn(lab, "an id"))),
        Request("without weather", BROKEN, given=str(uuid.uuid4()), of_model=2),
    ]
    for request in requests:
        body = bodies.get(request.status, good)
        headers = {"X-Request-ID": request.given} if request.given else {}
        # Of a pod that has just got ready the network hears a moment later.
        seen = await lab.time.eventually(
            functools.partial(lab.traffic.post, "gateway", "/predict", body, headers=headers),
            functools.partial(_has_status, request.status), expected="an answer", shown=answered, within=ANSWERS_WITHIN,
            every=EACH if request.status == BROKEN else 1,
        )  # fmt: skip
        request.answered = seen.value.status
        request.id = seen.value.headers.get("x-request-id", "")[:200].replace("\0", "\ufffd")  # no program takes it
        if not request.right:
            return requests[: requests.index(request) + 1]
    if all(request.id for request in requests):
        await lab.time.pause(REST)
        for part in range(0, BURIED, AT_ONCE):
            # Their ids look like the first one, which they are not.
            ids = [like(requests[0].id, number) for number in range(part, part + AT_ONCE)]
            answers = await asyncio.gather(
                *(lab.traffic.post("gateway", "/predict", good, headers={"X-Request-ID": each}) for each in ids)
            )
            requests[0].after += tuple(
                (sent, answer.headers.get("x-request-id", "")[:200])
                for sent, answer in zip(ids, answers, strict=True)
                if answer.status == requests[0].status
            )
        answers = await asyncio.gather(*(lab.traffic.post("gateway", "/predict", good) for _ in range(NAMELESS)))
        requests[1].others = tuple(
            each.headers.get("x-request-id", "")[:200] for each in answers if each.status == requests[1].status
        )
    return requests


async def buried(lab: Lab) -> None:
    """Let thousands of other requests come to the model, and hundreds to the gateway; fewer, if that can't be."""
    model, gateway = [f"http://{await lab.traffic.host(each)}" for each in ("model", "gateway")]
    limits, body = (str(ASKS), str(ASKS_FOR)), json.dumps({"rows": [whole_flight(lab)]})
    words = ("python3", "/checker/ask.py", f"{model}/version", *limits, f"{gateway}/predict", body)
    with contextlib.suppress(LabError):
        await lab.programs.run("flight-delay:v1", *words, files={"ask.py": ASK}, within=ASKED_WITHIN)


def whole_flight(lab: Lab) -> Mapping[str, Any]:
    """A flight with all that v2 needs of it."""
    return next(row for row in lab.traffic.hidden_rows(50).rows if None not in row.values())


def without_weather(flight: Mapping[str, Any]) -> Object:
    """A flight without what v2 needs of it."""
    return {key: value for key, value in flight.items() if key not in WEATHER}


def new_id() -> str:
    """An id that nobody has seen, with a dot in it."""
    return f"check.{uuid.uuid4().hex[:8]}"


def strange_id(chance: random.Random) -> str:
    """A long id that nobody has seen, with whatever a word of a header may have; it begins as an option does."""
    begin, end = f"-check{''.join(chance.sample(SIGNS, len(SIGNS)))}", uuid.uuid4().hex[:8]
    more = chance.choices(string.ascii_letters + string.digits + SIGNS, k=LENGTH - len(begin) - len(end))
    return f"{begin}{''.join(more)}{end}"


def like(given: str, number: int) -> str:
    """Another id: it begins or ends as one does, has another character for its dot or capitals, or is quite short."""
    dotless = given.replace(".", chr(ord("a") + number), 1)
    short = uuid.uuid4().hex[: 1 + number % 4]
    kinds = (f"{given}-{number}", f"{number}-{given}", dotless, given.swapcase(), short)
    return kinds[number % len(kinds)]


def _has_status(wanted: int, answer: Answer) -> bool:
    return answer.status == wanted


async def traced(lab: Lab) -> list[tuple[Request, Observation]]:
    """What ./trace prints about each of them, and how it ended."""
    found: list[tuple[Request, Observation]] = []
    printed: list[list[str]] = []
    for request in await lab.once(requested):
        if not request.id:
            continue
        command = await lab.work.command("trace", request.id, within=WITHIN, cluster=True)
        printed.append(command.output.splitlines())
        request.printed = tuple(line[:200] for line in printed[-1][-4:])
        if not _of_one(printed[-1], request.id) and (alone := await standard_output(lab, request.id)):
            printed[-1] = alone
            plain = [line for line in alone if line.strip() and json_object(line) is None]
            request.sentences = tuple(line[:200] for line in plain)
        lines = [each for each in json_objects(printed[-1]) if each]
        request.lines = [each for each in lines if each.get("request_id") == request.id]
        request.foreign = len(lines) - len(request.lines)
        found.append((request, command.observed(command.code is not None, f"./trace ends within {WITHIN} s")))
        if command.code is None:  # it won't end for the next one either
            return found
    log = await gateway_log(lab)
    for (request, _), shown in zip(found, printed, strict=True):
        compared(request, shown, log)
    return found


def _of_one(printed: Sequence[str], request_id: str) -> bool:
    """Are all lines JSON about one request? Anything else may be of standard error, which comes in between."""
    said = [json_object(line) for line in printed if line.strip()]
    return all(each is not None and each.get("request_id") == request_id for each in said)


async def standard_output(lab: Lab, request_id: str) -> list[str]:
    """The lines of ./trace's standard output alone, from a copy of the workspace; none where that can't be."""
    with contextlib.suppress(Failure, LabError), lab.work.copy() as work:
        program = work.folder / f"alone-{uuid.uuid4().hex[:8]}"
        program.write_text(ALONE)
        program.chmod(0o755)
        command = await work.command(program.name, request_id, within=WITHIN, cluster=True)
        return command.output.splitlines()
    return []


def compared(request: Request, printed: Sequence[str], log: Sequence[str]) -> None:
    """Note what JSON the gateway's own log has about a request, and count its sentences among what was printed.

    What else is printed and is no JSON may be of standard error.
    """
    own = [each for each in json_objects(log) if each.get("request_id") == request.id]
    request.logged = any(each.get("status") == request.answered for each in own)
    request.of_gateway = max(1, len(own))
    # Threads that print at once may put two objects into one line.
    text = "\n".join(log)
    request.unlogged = tuple(sent for sent, _ in request.after if f'"{sent}"' not in text)
    sentences = {line.strip() for line in log if json_object(line) is None}
    request.foreign += sum(len(line.strip()) > SHORT and line.strip() in sentences for line in printed)


async def gateway_log(lab: Lab) -> list[str]:
    """The last lines of the log of the gateway's pods."""
    found: list[str] = []
    for pod in await deployments.pods_of(lab, "gateway"):
        for container in pod["spec"]["containers"] if not leaving(pod) else ():
            found += (await lab.objects.logs(pod["metadata"]["name"], container["name"], tail=LINES)).splitlines()
    return found
