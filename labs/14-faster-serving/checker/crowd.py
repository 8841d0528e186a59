"""Lab 14's crowd: it runs in a pod of the checker's, asks a server as many clients at once, and compares every answer.

It reads a JSON object a line on standard input and answers each with one line. Rows are made anew for each run (its
argument is the seed), so that none was ever asked before, and what is right the model of this image says, by
scikit-learn. Time and size of every answer are bounded; a connection that was kept and that the server closed meanwhile
is opened again once.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Object = dict[str, Any]

NEAR = 1e-5
LARGEST = 256 << 10  # bytes of an answer; 1000 probabilities take 20 KiB
HEAD = 32 << 10
TRIED = 100  # flights, of which one at least comes by a split
SHOWN = 6  # answers that are told in words
WEATHER = ("temp", "wind_speed", "precip", "visib")


class Broken(Exception):
    """What came back is no HTTP answer, or too large."""


class Closed(Exception):
    """The server closed the connection before the first byte of an answer."""


class Client:
    """One client with one connection, which it keeps for as long as the server does."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: bytes, within: float) -> tuple[int, bytes]:
        """POST /predict: the status and the body; (0, why) when no whole answer came within so many seconds."""
        try:
            async with asyncio.timeout(within):
                reused = self._open is not None
                try:
                    return await self._exchange(body)
                except (Closed, ConnectionError):
                    self.close()
                    if not reused:
                        raise
                return await self._exchange(body)
        except TimeoutError:
            self.close()
            return 0, f"nothing whole within {within:g} s".encode()
        except (OSError, Broken, Closed, asyncio.IncompleteReadError, ValueError) as trouble:
            self.close()
            return 0, f"{type(trouble).__name__} {trouble}"[:200].encode()

    def close(self) -> None:
        """Let go of the connection."""
        if self._open:
            self._open[1].transport.abort()
        self._open = None

    async def _exchange(self, body: bytes) -> tuple[int, bytes]:
        if self._open is None:
            self._open = await asyncio.open_connection(self._host, self._port, limit=HEAD)
        reader, writer = self._open
        writer.write(
            b"POST /predict HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % (self._host.encode(), self._port, len(body)) + body
        )  # fmt: skip
        await writer.drain()
        first = await reader.read(1)
        if not first:
            raise Closed("the server closed the connection without an answer")
        try:
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.LimitOverrunError as large:
            raise Broken("headers without an end") from large
        line, *rest = head.split("\r\n")
        words = line.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            raise Broken(f"no HTTP answer: {line[:60]!r}")
        headers = {name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
        content = await _content(reader, headers)
        if words[0] == "HTTP/1.0" or headers.get("connection", "").lower() == "close" or not _delimited(headers):
            self.close()
        return int(words[1]), content


def _delimited(headers: Mapping[str, str]) -> bool:
    return "content-length" in headers or headers.get("transfer-encoding", "").lower() == "chunked"


async def _content(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        content = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            if len(content) + size > LARGEST:
                raise Broken(f"an answer of more than {LARGEST >> 10} KiB")
            content += await reader.readexactly(size)
            await reader.readexactly(2)
        while (await reader.readline()).strip():
            pass
        return content
    if "content-length" in headers:
        size = int(headers["content-length"])
        if not 0 <= size <= LARGEST:
            raise Broken(f"an answer of {size} bytes")
        return await reader.readexactly(size)
    content = b""
    while chunk := await reader.read(64 << 10):
        content += chunk
        if len(content) > LARGEST:
            raise Broken(f"an answer of more than {LARGEST >> 10} KiB")
    return content


class Flights:
    """Flights that nobody asked about before: the fields of known ones, mixed, at a distance of their own."""

    def __init__(self, known: Sequence[Mapping[str, Any]], seed: int) -> None:
        self._known, self._random = known, random.Random(seed)

    def rows(self, count: int) -> list[Object]:
        """So many; one in twenty has a carrier that no model has seen, and one in five no weather."""
        found = []
        for _ in range(count):
            row = {name: self._random.choice(self._known)[name] for name in self._known[0]}
            row["distance"] = round(self._random.uniform(90, 2700), 3)
            if self._random.random() < 0.05:
                row["carrier"] = "ZZ"
            if self._random.random() < 0.2:
                row |= dict.fromkeys(WEATHER)
            found.append(row)
        return found

    def bad(self) -> Object:
        """A flight with one thing wrong."""
        row = self.rows(1)[0]
        name, value = self._random.choice(
            [("month", 13), ("hour", "noon"), ("distance", -5), ("carrier", None), ("temp", "mild"), ("dest", "")]
        )
        return {**row, name: value}


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
    return "", numbers


async def crowd(asked: Object, models: Mapping[str, Any], flights: Flights) -> Object:
    """So many clients, each with one request after the other, until all requests are answered, the time is over, or
    as many had no answer as there are clients.

    `sizes` is how many rows the requests have, in turn; every `bad_every`th request has a row that breaks the contract.
    """
    version, every = asked["version"], asked.get("bad_every", 0)
    sizes = asked["sizes"]
    bodies: list[list[Object]] = [flights.rows(sizes[number % len(sizes)]) for number in range(asked["requests"])]
    spoilt = {number for number in range(len(bodies)) if every and number % every == every - 1}
    for number in spoilt:
        bodies[number][-1] = flights.bad()
    good = [number for number in range(len(bodies)) if number not in spoilt]
    flat = iter(models[version].probabilities([row for number in good for row in bodies[number]]))
    wanted = {number: [next(flat) for _ in bodies[number]] for number in good}
    todo = iter(range(len(bodies)))
    began, end = time.monotonic(), time.monotonic() + asked["within"]
    took: list[float] = []
    wrong: list[tuple[int, str, list[float]]] = []
    refused: Counter[int] = Counter()
    taken: list[str] = []
    silent: list[int] = []

    async def client() -> None:
        one = Client(asked["host"], asked["port"])
        for number in todo:
            left = end - time.monotonic()
            if left < 0.1 or len(silent) >= asked["clients"]:  # nobody is answered any more
                break
            body = json.dumps({"rows": bodies[number]}).encode()
            start = time.monotonic()
            status, content = await one.post(body, min(asked["answer_within"], left))
            took.append(time.monotonic() - start)
            if not status:
                silent.append(number)
            if number in spoilt:
                refused[status] += 1
                if not 400 <= status < 500:
                    said = "status 200" if status == 200 else judged(status, content, [], "")[0]
                    taken.append(f"a bad row: {said}")
                continue
            problem, given = judged(status, content, wanted[number], version)
            if problem:
                wrong.append((number, problem, given))
        one.close()

    await asyncio.gather(*(client() for _ in range(asked["clients"])))
    return {
        "planned": len(bodies), "ended": len(took), "good": len(good), "seconds": time.monotonic() - began,
        "wrong": len(wrong), "none": sum(problem.startswith("no answer") for _, problem, _ in wrong),
        "refused_good": sum(problem.startswith("status") for _, problem, _ in wrong),
        "mixed": sum(_anothers(given, wanted, number) for number, _, given in wrong if given),
        "told": [problem for _, problem, _ in wrong[:SHOWN]], "bad_statuses": dict(refused), "bad_taken": taken[:SHOWN],
        "median": sorted(took)[len(took) // 2] if took else 0.0,
    }  # fmt: skip


def _anothers(given: Sequence[float], wanted: Mapping[int, Sequence[float]], number: int) -> bool:
    """Are these the right values for the rows of another request?"""

    def same(right: Sequence[float]) -> bool:
        return len(right) == len(given) and all(abs(a - b) <= NEAR for a, b in zip(given, right, strict=True))

    return any(other != number and same(right) for other, right in wanted.items())


async def alone(asked: Object, models: Mapping[str, Any], flights: Flights) -> Object:
    """One client that asks the servers in turn, each `times` times: the seconds that each request took, by server."""
    clients = {name: Client(*address) for name, address in asked["servers"].items()}
    took: dict[str, list[float]] = {name: [] for name in clients}
    end = time.monotonic() + asked["within"]
    told: dict[str, str] = {}
    for _ in range(asked["times"]):
        for name, client in clients.items():
            rows = flights.rows(1)
            body, wanted = json.dumps({"rows": rows}).encode(), models["v1"].probabilities(rows)
            if time.monotonic() > end:
                break
            start = time.monotonic()
            status, content = await client.post(body, asked["answer_within"])
            took[name].append(time.monotonic() - start)
            if problem := judged(status, content, wanted, "v1")[0]:
                told.setdefault(name, problem)
    return {"took": took, "told": told}


def on_splits(model: Any, name: str, count: int, flights: Flights) -> list[Object]:
    """Flights with a field that lies on a split of a tree that they come by, and matters there: at most `count`.

    scikit-learn compares the float32 of a value with a split that is a float64. Whoever makes float32 of the splits as
    well sends such flights down the other branch, as if the value were the next smaller one.
    """
    import numpy as np

    bundle = model._bundle
    place = list(bundle["features"]).index(name)
    trees = [each.tree_ for each in bundle["forest"].estimators_]
    splits = np.unique(np.concatenate([tree.threshold[tree.feature == place] for tree in trees]))
    on = splits.astype(np.float32)
    on = on[on.astype(np.float64) > splits]
    found: list[Object] = []
    for value in on[:: max(1, len(on) // count)]:
        rows = flights.rows(TRIED)
        there = model.probabilities([{**row, name: float(value)} for row in rows])
        below = model.probabilities([{**row, name: float(np.nextafter(value, np.float32(-np.inf)))} for row in rows])
        apart = [abs(one - other) for one, other in zip(there, below, strict=True)]
        if max(apart) > 10 * NEAR:
            found.append({**rows[apart.index(max(apart))], name: float(value)})
    return found[:count]


def strange(first: Object, second: Object) -> dict[str, list[Object]]:
    """Rows that are allowed, by what is unusual about them."""
    bare = {key: value for key, value in second.items() if key not in WEATHER}
    least = {"month": 1, "day": 1, "weekday": 0, "hour": 0, "distance": 0.5}
    most = {"month": 12, "day": 31, "weekday": 6, "hour": 23, "distance": 20000}
    return {
        "a carrier and a destination that the model has never seen": [first, second | {"carrier": "ZZ", "dest": "QQQ"}],
        "weather left out in one of two": [bare, first],
        "weather null": [second | dict.fromkeys(WEATHER)],
        "the ends of each range": [second | least, second | most],
        "1000 rows": [bare | {"hour": number % 24, "month": number % 12 + 1} for number in range(1000)],
    }


async def unusual(asked: Object, models: Mapping[str, Any], flights: Flights) -> Object:
    """Bodies that are strange but allowed, one after the other; with a `field`, flights on its splits as well."""
    version = asked["version"]
    bodies = strange(*flights.rows(2))
    if "field" in asked and (rows := on_splits(models[version], asked["field"], asked["count"], flights)):
        bodies[f"flights with {asked['field']} on a split"] = rows
    client = Client(asked["host"], asked["port"])
    wrong: list[tuple[str, str]] = []
    for what, rows in bodies.items():
        wanted = models[version].probabilities(rows)
        status, content = await client.post(json.dumps({"rows": rows}).encode(), asked["answer_within"])
        if problem := judged(status, content, wanted, version)[0]:
            wrong.append((what, problem))
        if not status:  # who does not answer is not asked on and on
            break
    client.close()
    return {"asked": len(bodies), "wrong": wrong}


def values(asked: Object, models: Mapping[str, Any]) -> Object:
    """What a version of the model says of rows."""
    return {"probabilities": models[asked["version"]].probabilities(asked["rows"])}


def say(what: Object) -> None:
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
        asked = json.loads(line)
        match asked["do"]:
            case "crowd":
                said = await crowd(asked, models, flights)
            case "alone":
                said = await alone(asked, models, flights)
            case "unusual":
                said = await unusual(asked, models, flights)
            case _:
                said = values(asked, models)
        say(said)


if __name__ == "__main__":
    asyncio.run(main())
