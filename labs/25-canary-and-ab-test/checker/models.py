"""Two models that the checker plays, each at a port: what they answer, and what came to them.

Runs in a pod of the checker's, with the standard library alone.
"""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORTS = {"stable": 8081, "candidate": 8082}
LOWEST, HIGHEST = 0.01, 0.99


@dataclass(frozen=True)
class Behaviour:
    """How a model answers: see `streams.Model`.

    Attributes:
        errors: share of requests that it fails, with one of `fails_with` and a text that is no JSON.
        broken: share of requests at which it breaks the connection, however often they come.
        refused: share of the other requests that it answers with status 422, which is no failure.
    """

    version: str = "-"
    errors: float = 0.0
    fails_with: Sequence[int] = (500, 502, 503, 504)
    broken: float = 0.0
    refused: float = 0.0
    median: float = 0.03
    spread: float = 0.4
    tail: float = 0.0
    odds: float = 1.0
    mixed: float = 0.0


@dataclass(frozen=True)
class Came:
    """A request that came to a model, and its answer.

    Attributes:
        status: 0 where there was no answer.
        asked: the JSON object of the request.
        said: the JSON object of the answer, or its text where that is none.
    """

    model: str
    status: int
    probability: float | None
    asked: dict[str, Any]
    said: dict[str, Any] | str


def chance(wind: float) -> float:
    """The log odds that a flight is late; what a good model knows."""
    return -1.1 + 1.2 * (wind - 15) / 6


def probability(odds: float) -> float:
    """Of log odds, as models tell it."""
    return min(max(1 / (1 + math.exp(-odds)), LOWEST), HIGHEST)


class Models:
    """Both models.

    Attributes:
        came: what came, by the request's own number; twice where it came twice.
        counts: how many came to each; what got no answer and came again is one.
    """

    def __init__(self) -> None:
        self._lock, self._random = threading.Lock(), random.Random()
        self.behave({name: Behaviour() for name in PORTS})

    def behave(self, behaviours: dict[str, Behaviour]) -> None:
        """Answer so from now on, and forget what came."""
        with self._lock:
            self._behaviours = behaviours
            self.came: dict[int, list[Came]] = {}
            self.counts = dict.fromkeys(PORTS, 0)
            self._unanswered: set[int] = set()

    def answer(self, name: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any] | str, float]:
        """Status, body, and seconds that it takes; kept. Status 0: no answer."""
        how, draw, row = self._behaviours[name], self._random, asked["rows"][0]
        number = int(row["number"])
        with self._lock:
            took = how.median * math.exp(how.spread * draw.gauss(0, 1)) * (10 if draw.random() < how.tail else 1)
            told = chance(float(row["wind"])) + math.log(how.odds) + how.mixed * draw.gauss(0, 1)
            failed, refused = draw.random() < how.errors, draw.random() < how.refused
            found = None if failed or refused else round(probability(told), 5)
            # What nobody knows beforehand: an answer that is made anew, of what its maker knows of, lacks it.
            trace = f"{draw.getrandbits(48):012x}"
            body: dict[str, Any] | str = f"no prediction, trace {trace}\n"
            if not failed:
                rest = {"detail": "wind: not known there"} if refused else {"probabilities": [found]}
                body = {"model_version": how.version, "trace": trace} | rest
            status = draw.choice(how.fails_with) if failed else 422 if refused else 200
            came = Came(name, status, found, asked, body)
            again = number in self._unanswered
            if again or draw.random() < how.broken:
                self._unanswered.add(number)
                came = Came(name, 0, None, asked, {})
            self.came.setdefault(number, []).append(came)
            self.counts[name] += not again
        return came.status, body, min(took, 3.0)


class Handler(BaseHTTPRequestHandler):
    """POST /predict of one model."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    models: Models
    name: str

    def do_POST(self) -> None:
        body = self._body()
        try:
            status, after = 404, 0.0
            said: dict[str, Any] | str = {"detail": f"the model knows POST /predict, not {self.path[:40]}"}
            if self.path == "/predict":
                status, said, after = self.models.answer(self.name, json.loads(body))
        except (ValueError, TypeError, LookupError, RecursionError):
            status, said, after = 400, {"detail": "no rows of a passenger's"}, 0.0
        time.sleep(after)
        if status == 0:
            self.close_connection = True
            return
        self._say(status, said)

    def do_GET(self) -> None:
        self._say(200, {"model": self.name})

    def _body(self) -> bytes:
        """What was sent, also in chunks, as a proxy does that does not know how long it is."""
        if "chunked" not in (self.headers.get("Transfer-Encoding") or "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        try:
            while size := int(self.rfile.readline(99).split(b";")[0], 16):
                found += self.rfile.read(size)
                self.rfile.readline(9)  # the end of its line
            while self.rfile.readline(999).strip():  # trailers, to the empty line
                pass
        except ValueError:
            self.close_connection = True
        return found

    def _say(self, status: int, said: dict[str, Any] | str) -> None:
        content = said.encode() if isinstance(said, str) else json.dumps(said).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(said, str) else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


class Server(ThreadingHTTPServer):
    """Many connections at once."""

    daemon_threads = True
    request_queue_size = 256


def serve(models: Models, ports: dict[str, int] | None = None) -> list[Server]:
    """Both servers, at work in threads of their own."""
    servers = []
    for name, port in (ports or PORTS).items():
        server = Server(("", port), type("Bound", (Handler,), {"models": models, "name": name}))
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        servers.append(server)
    return servers
