"""Lab 14's crowd: it runs in a pod of the checker's, asks a server as many clients at once, and compares every answer.

It reads a JSON object a line on standard input and answers each with one line. Rows are made anew for each run (its
argument is the seed), and what is right the model of this image says, by scikit-learn.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, Protocol, TypedDict

from .client import Client
from .flights import MOST_ROWS, NEAR, Bad, Flights, Object, meant, on_splits, one_field_apart, strange, with_fractions
from .modelling import make

MEMBERS = ("model_version", "probabilities")  # of an answer
MORE = "more than the members of the contract"
SHOWN = 6  # answers that are told in words
IN_CHUNKS = {"a body in chunks": 2, f"{MOST_ROWS} rows in chunks": MOST_ROWS}  # how many rows each has
LATE = "not sent any more: those before took"
FRACTIONS = 6  # splits beside which flights have a distance with a fraction


class Predictor(Protocol):
    """A version of the model."""

    def probabilities(self, rows: Sequence[Object]) -> list[float]:
        """One for each row."""


class Crowd(TypedDict):
    """What a crowd saw: counts of its requests, and some of what was wrong in words.

    `planned`, `ended` and `good` ones (those without a bad row); of the good ones those that were answered `wrong`: of
    these `none` not at all (and of these `alike` had asked what another one did at once), `refused_good` by another
    status, `mixed` by the values of another request. Of the bad ones the statuses, without a 5xx to what is no JSON,
    and in words those that were not refused. `restarted` are containers meanwhile, which whoever sent the crowd adds.
    """

    planned: int
    ended: int
    good: int
    seconds: float
    wrong: int
    none: int
    alike: int
    refused_good: int
    mixed: int
    problems: list[str]
    bad_statuses: dict[str, int]
    bad_taken: list[str]
    restarted: NotRequired[int]


class Alone(TypedDict):
    """What a client that was alone saw, by server: the seconds of its requests, and the first that was wrong."""

    took: dict[str, list[float]]
    problems: dict[str, str]


class Unusual(TypedDict):
    """How many bodies were sent, and which were answered wrong: what they were, and how."""

    sent: int
    wrong: list[tuple[str, str]]


def judged(status: int, content: bytes, wanted: Sequence[float], version: str) -> tuple[str, list[float]]:
    """What is wrong with an answer, in words (empty: nothing), and the numbers that it gives."""
    text = " ".join(content[:300].decode(errors="replace").split())
    if status != 200:
        return (f"status {status}: {text[:120]}" if status else f"no answer: {text[:120]}"), []
    try:
        said = json.loads(content)
        given = said["probabilities"]
        numbers = [float(one) for one in given if isinstance(one, int | float) and not isinstance(one, bool)]
        if not isinstance(given, list) or len(numbers) != len(given):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return f"no probabilities in it: {text[:120]}", []
    if len(numbers) != len(wanted):
        return f"{len(numbers)} probabilities for {len(wanted)} rows", numbers
    apart = [abs(one - other) for one, other in zip(numbers, wanted, strict=True)]
    if far := [each for each in apart if not each <= NEAR]:  # NaN is not
        return f"up to {max(far):.2g} away from the model's own", numbers
    if said.get("model_version") != version:
        return f"model_version {str(said.get('model_version'))[:40]}, not {version}", numbers
    if more := beside_the_contract(said):
        return f"{MORE}: {more}", numbers
    return "", numbers


def beside_the_contract(said: Object) -> str:
    """The names of the members that an answer has beside those of the contract; empty if it has none."""
    return ", ".join(name for name in said if name not in MEMBERS)[:80]


def sent(body: Any) -> bytes:
    """A body as it is sent: in JSON, but for text and bytes, which are sent as they are."""
    return body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()


async def crowd(task: Object, models: Mapping[str, Predictor], flights: Flights) -> Crowd:
    """So many clients, each with one request after the other, until all requests are answered, the time is over, or
    as many had no answer as there are clients.

    `sizes` is how many rows the requests have, in turn; every `bad_every`th request has a row that breaks the contract,
    and of each `twin_every` requests the second asks the same as the first.
    """
    version, every = task["version"], task.get("bad_every", 0)
    sizes = task["sizes"]
    rows: list[list[Object]] = [flights.rows(sizes[number % len(sizes)]) for number in range(task["requests"])]
    alike: set[int] = set()
    if twins := task.get("twin_every", 0):
        rows[1::twins] = rows[: len(rows) - 1 : twins]
        alike = {number + one for number in range(0, len(rows) - 1, twins) for one in (0, 1)}
    bodies: list[Any] = [{"rows": each} for each in rows]  # text and bytes are sent as they are
    spoilt: dict[int, Bad] = {}
    for number in range(every - 1, len(bodies), every) if every else ():
        bodies[number], spoilt[number] = flights.spoilt(rows[number], len(spoilt))
    good = [number for number in range(len(bodies)) if number not in spoilt]
    flat = iter(models[version].probabilities([row for number in good for row in rows[number]]))
    wanted = {number: [next(flat) for _ in rows[number]] for number in good}
    todo = iter(range(len(bodies)))
    began, end = time.monotonic(), time.monotonic() + task["within"]
    took: list[float] = []
    wrong: list[tuple[int, str, list[float]]] = []
    refused: Counter[int] = Counter()
    taken: list[str] = []
    silent: list[int] = []

    async def client() -> None:
        one = Client(task["host"], task["port"])
        for number in todo:
            left = end - time.monotonic()
            if left < 0.1 or len(silent) >= task["clients"]:  # nobody is answered any more
                break
            body = sent(bodies[number])
            start = time.monotonic()
            status, content = await one.post(body, min(task["answer_within"], left))
            took.append(time.monotonic() - start)
            if not status:
                silent.append(number)
            if bad := spoilt.get(number):
                if bad.no_json and status >= 500:
                    continue
                refused[status] += 1
                if not 400 <= status < 500:
                    answered = "status 200" if status == 200 else judged(status, content, [], "")[0]
                    taken.append(f"{bad.what}: {answered}")
                continue
            problem, given = judged(status, content, wanted[number], version)
            if problem:
                wrong.append((number, problem, given))
        one.close()

    await asyncio.gather(*(client() for _ in range(task["clients"])))
    none = [number for number, problem, _ in wrong if problem.startswith("no answer")]
    return {
        "planned": len(bodies), "ended": len(took), "good": len(good), "seconds": time.monotonic() - began,
        "wrong": len(wrong), "none": len(none), "alike": len(alike & {*none}),
        "refused_good": sum(problem.startswith("status") for _, problem, _ in wrong),
        "mixed": sum(_anothers(given, wanted, number) for number, _, given in wrong if given),
        "problems": [problem for _, problem, _ in wrong[:SHOWN]],
        "bad_statuses": {str(status): count for status, count in refused.items()}, "bad_taken": taken[:SHOWN],
    }  # fmt: skip


def _anothers(given: Sequence[float], wanted: Mapping[int, Sequence[float]], number: int) -> bool:
    """Are these the right values for the rows of another request?"""

    def same(right: Sequence[float]) -> bool:
        return len(right) == len(given) and all(abs(a - b) <= NEAR for a, b in zip(given, right, strict=True))

    return any(other != number and same(right) for other, right in wanted.items())


async def alone(task: Object, models: Mapping[str, Predictor], flights: Flights) -> Alone:
    """One client that asks the servers in turn, each `times` times: the seconds that each request took, by server."""
    clients = {name: Client(*address) for name, address in task["servers"].items()}
    took: dict[str, list[float]] = {name: [] for name in clients}
    end = time.monotonic() + task["within"]
    problems: dict[str, str] = {}
    for _ in range(task["times"]):
        for name, client in clients.items():
            rows = flights.rows(1)
            body, wanted = json.dumps({"rows": rows}).encode(), models["v1"].probabilities(rows)
            if time.monotonic() > end:
                break
            start = time.monotonic()
            status, content = await client.post(body, task["answer_within"])
            took[name].append(time.monotonic() - start)
            if problem := judged(status, content, wanted, "v1")[0]:
                problems.setdefault(name, problem)
    return {"took": took, "problems": problems}


async def unusual(task: Object, models: Mapping[str, Predictor], flights: Flights) -> Unusual:
    """Bodies that are strange but allowed, one after the other; with a `field`, flights on its splits as well."""
    version = task["version"]
    bodies = strange(*flights.rows(2)) | one_field_apart(models[version], flights)
    if rows := with_fractions(models[version], "distance", FRACTIONS, flights):
        bodies["distances with a fraction"] = rows
    bodies |= {what: flights.rows(count) for what, count in IN_CHUNKS.items()}
    if "field" in task:
        bodies |= on_splits(models[version], task["field"], task["count"], flights)
    client, end = Client(task["host"], task["port"]), time.monotonic() + task["within"]
    wrong: list[tuple[str, str]] = []
    for what, rows in bodies.items():
        if time.monotonic() > end:
            wrong.append((what, f"{LATE} {task['within']:g} s"))
            break
        wanted = models[version].probabilities(meant(rows))
        body = json.dumps({"rows": rows}).encode()
        status, content = await client.post(body, task["answer_within"], chunked=what in IN_CHUNKS)
        if problem := judged(status, content, wanted, version)[0]:
            wrong.append((what, problem))
        if not status:  # who does not answer is not asked on and on
            break
    client.close()
    return {"sent": len(bodies), "wrong": wrong}


def values(task: Object, models: Mapping[str, Predictor]) -> Object:
    """What a version of the model says of rows."""
    return {"probabilities": models[task["version"]].probabilities(task["rows"])}


def made(task: Object, models: dict[str, Any], flights: Flights) -> Object:
    """Make a model that nobody has seen, and know it from now on: its files in base64, by name."""
    from flight_delay.model import Model

    folder = Path(tempfile.mkdtemp())
    like = {"bundle": models["v2"]._bundle, "metadata": models["v2"].metadata}
    make(like, flights, task["seed"], task["version"], folder)
    model = models[task["version"]] = Model(folder)
    model.start_loading().join()
    return {"files": {file.name: base64.b64encode(file.read_bytes()).decode() for file in folder.iterdir()}}


def say(what: Mapping[str, object]) -> None:
    """One line, in one piece: `print` writes its end apart where Python does not buffer."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Load the models, say so, and do what each line asks."""
    from flight_delay.model import Model

    models = {version: Model(Path("/model") / version) for version in ("v1", "v2")}
    for model in models.values():
        model.start_loading().join()
    say({"reasons": [model.reason for model in models.values() if model.reason]})
    flights = Flights(json.loads((Path(__file__).parent / "flights.json").read_text()), int(sys.argv[1]))
    for line in sys.stdin:
        task = json.loads(line)
        match task["do"]:
            case "crowd":
                say(await crowd(task, models, flights))
            case "alone":
                say(await alone(task, models, flights))
            case "unusual":
                say(await unusual(task, models, flights))
            case "make":
                say(made(task, models, flights))
            case _:
                say(values(task, models))


if __name__ == "__main__":
    asyncio.run(main())
