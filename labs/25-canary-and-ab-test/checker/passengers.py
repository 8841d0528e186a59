"""Passengers, each by a name of his own: their requests, on a schedule, and later what became of their flights.

Runs in a pod of the checker's, with the standard library alone.
"""

from __future__ import annotations

import contextlib
import heapq
import http.client
import json
import math
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .models import Came, Models, chance

THREADS = 64
ANSWERS_WITHIN = 10.0  # s
OUTCOME_AFTER = (2.0, 6.0)  # s
BATCH = 200  # outcomes at once
PATIENCE = 20.0  # s beyond the schedule
LATE = 1.0  # s after which a request counts as sent late
SHOWN = 4


class Crowd:
    """A number of requests, from `start` until all are sent or `stop`.

    Args:
        models: that are to be asked; they say what came to them.
        targets: `host:port`, one of which each request goes to.
        rate: requests a second.
        users: who asks, in turn; none for somebody new each time.
        count: how many requests; None for no end.
        outcomes: whether it becomes known what was true.
        elsewhere: whether that is told at another target than the one that answered.
    """

    _numbers = 0  # of requests, over all crowds

    def __init__(
        self, models: Models, targets: Sequence[str], *, rate: float, users: Sequence[str] = (),
        count: int | None = None, outcomes: bool = False, elsewhere: bool = False, seed: int = 0,
    ) -> None:  # fmt: skip
        self.models, self.targets, self.rate, self.users = models, list(targets), rate, list(users)
        self.count, self.outcomes, self.elsewhere = count, outcomes, elsewhere
        self.random, self.lock, self.over = random.Random(seed), threading.Lock(), threading.Event()
        self.sent = self.late = self.refused = self.posted = 0
        self.by: Counter[str] = Counter()
        self.homes: dict[str, set[str]] = {}
        self.unlike: list[str] = []
        self._waiting: list[tuple[float, int, str, dict[str, Any]]] = []  # due, number, target, outcome
        self._began = 0.0
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to ask."""
        self._began = time.monotonic()
        self._threads = [threading.Thread(target=self._ask_on, daemon=True) for _ in range(THREADS)]
        self._threads += [threading.Thread(target=self._tell_on, daemon=True)] if self.outcomes else []
        for each in self._threads:
            each.start()

    def wait(self) -> None:
        """Until all are answered, or far more time has gone than that takes."""
        self._join((self.count or 0) / self.rate + PATIENCE)
        self.stop()

    def stop(self) -> None:
        """Ask no more, and wait for the answers that are due."""
        self.over.set()
        self._join(ANSWERS_WITHIN + 2)

    def _join(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        for each in self._threads[:THREADS]:
            each.join(max(0.0, end - time.monotonic()))

    def forget(self) -> None:
        """Forget the answers that were unlike the models'."""
        with self.lock:
            self.unlike.clear()

    def seen(self) -> dict[str, Any]:
        """What came of it so far."""
        with self.lock:
            return {
                "sent": self.sent, "wanted": self.count or 0, "late": self.late, "by": dict(self.by),
                "unlike": len(self.unlike),
                "examples": self.unlike[:SHOWN], "posted": self.posted, "refused": self.refused,
                "seconds": time.monotonic() - self._began,
            }  # fmt: skip

    def _next(self) -> tuple[int, str, float, str] | None:
        """Number, user, wind and target of the next request, when it is due."""
        with self.lock:
            if self.over.is_set() or (self.count is not None and self.sent >= self.count):
                return None
            place, self.sent = self.sent, self.sent + 1
            Crowd._numbers += 1
            number, wind = Crowd._numbers, round(self.random.gauss(15, 6), 3)
            if self.users:
                user = self.users[place % len(self.users)]
            else:
                user = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
            target = self.targets[place // max(len(self.users), 1) % len(self.targets)]
        due = self._began + place / self.rate
        if self.over.wait(max(0.0, due - time.monotonic())):
            with self.lock:
                self.sent -= 1
            return None
        if time.monotonic() - due > LATE:
            with self.lock:
                self.late += 1
        return number, user, wind, target

    def _ask_on(self) -> None:
        known: dict[str, http.client.HTTPConnection] = {}
        while (found := self._next()) is not None:
            number, user, wind, target = found
            asked = {"rows": [{"number": number, "wind": wind, "gate": f"C{number % 40}"}], "request": f"{number:x}"}
            status, text = posted(known, target, "/predict", json.dumps(asked), {"X-User": user})
            self._take(asked, user, target, status, text)
        for each in known.values():
            each.close()

    def _take(self, asked: dict[str, Any], user: str, target: str, status: int, text: bytes) -> None:
        """Hold an answer against what the model gave, and what the model got against what was asked.

        Where the model gave none, any status of 500 or more will do, and it may have been asked again.
        """
        number, wind = asked["rows"][0]["number"], asked["rows"][0]["wind"]
        came = self.models.came.pop(number, [])
        home = came[-1].model if came else ""
        right = bool(came) and all(each.asked == asked and each.model == home for each in came)
        if right and came[0].status == 0:
            right = status >= 500
        else:
            right = right and len(came) == 1 and came[0].status == status and same(text, came[0].said)
        with self.lock:
            self.by[home] += 1
            self.homes.setdefault(user, set()).update({each.model for each in came} or {""})
            if not right:
                self.unlike.append(f"status {status}, {text[:120].decode(errors='replace')!r}; {_of_it(came, asked)}")
            elif self.outcomes and status == 200:
                late = self.random.random() < 1 / (1 + math.exp(-chance(wind)))
                outcome = {"user": user, "probability": came[0].probability, "late": late}
                due = time.monotonic() + self.random.uniform(*OUTCOME_AFTER)
                heapq.heappush(self._waiting, (due, number, target, outcome))

    def _tell_on(self) -> None:
        known: dict[str, http.client.HTTPConnection] = {}
        while not self.over.wait(1.0):
            due: dict[str, list[dict[str, Any]]] = {}
            with self.lock:
                while self._waiting and self._waiting[0][0] < time.monotonic():
                    _, _, target, outcome = heapq.heappop(self._waiting)
                    due.setdefault(target if self.elsewhere else "", []).append(outcome)
            for target, batch in due.items():
                self.random.shuffle(batch)
                others = [each for each in self.targets if each != target]
                for begin in range(0, len(batch), BATCH):
                    body = json.dumps({"outcomes": batch[begin : begin + BATCH]})
                    status, _ = posted(known, self.random.choice(others), "/outcomes", body, {})
                    with self.lock:
                        self.posted += 1
                        self.refused += not 200 <= status < 300


def _of_it(came: Sequence[Came], asked: dict[str, Any]) -> str:
    """What the models know of a request, in words."""
    if came and came[0].status == 0 and len({each.model for each in came}) == 1:
        return "the model broke the connection: a status of 500 or more is due"
    if len(came) != 1:
        return f"{len(came)} models asked"
    if came[0].asked != asked:
        return f"the model got {json.dumps(came[0].asked)[:120]}, not {json.dumps(asked)}"
    return f"the model said {came[0].status} {json.dumps(came[0].said)}"


def posted(
    known: dict[str, http.client.HTTPConnection], target: str, path: str, body: str, headers: dict[str, str]
) -> tuple[int, bytes]:
    """POST over a connection that is kept; status 0 where there is no answer.

    A kept connection that turns out to be closed is opened anew, once: nothing was read from it.
    """
    for fresh in (target not in known, True):
        connection = known.get(target) or http.client.HTTPConnection(target, timeout=ANSWERS_WITHIN)
        known[target] = connection
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            found = answer.status, answer.read(4096)
            if answer.will_close or answer.read(1):
                known.pop(target).close()
            return found
        except (OSError, http.client.HTTPException) as trouble:
            known.pop(target).close()
            closed = isinstance(trouble, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError))
            if fresh or not closed:
                return 0, f"{type(trouble).__name__}: {trouble}".encode()
    return 0, b""


def same(text: bytes, said: dict[str, Any] | str) -> bool:
    """Whether an answer is the model's: its JSON object, however it is written, or its text, byte for byte."""
    return text == said.encode() if isinstance(said, str) else fields(text) == said


def fields(text: bytes) -> dict[str, Any]:
    """The members of a JSON object; none if it is anything else."""
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(text)
        if isinstance(found, dict):
            return found
    return {}
