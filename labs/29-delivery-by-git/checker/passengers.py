"""Who asks the service all the time: what came back, and from which model.

Runs in a pod of the checker's, with the standard library alone.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .models import Model, Row, probability

WITHIN = 10.0  # s for an answer
_NEAR = 1e-6
_EXAMPLES = 5


def asked(host: str, key: str, rows: Sequence[Row], within: float = WITHIN) -> tuple[int, Any]:
    """Status and body of POST /predict; 0 and why where nothing came."""
    connection = http.client.HTTPConnection(host, timeout=within)
    try:
        body = json.dumps({"rows": list(rows)})
        connection.request("POST", "/predict", body, {"Content-Type": "application/json", "X-Api-Key": key})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read(1 << 20))
    except (OSError, ValueError, RecursionError, http.client.HTTPException) as trouble:
        return 0, f"{type(trouble).__name__}: {trouble}"
    finally:
        connection.close()


def wrong(status: int, body: Any, rows: Sequence[Row], models: Mapping[str, Model]) -> str:
    """What is wrong with an answer; empty if it is a known model's own."""
    if status != 200:
        return f"status {status} {str(body)[:80]}".strip()
    version = body.get("model_version") if isinstance(body, dict) else None
    told = body.get("probabilities") if isinstance(body, dict) else None
    if not isinstance(version, str) or version not in models:
        return f"an answer of no model that was ever accepted or refused: {str(body)[:80]}"
    if not isinstance(told, list) or len(told) != len(rows):
        return f"not one probability for each of {len(rows)} flights: {str(body)[:80]}"
    for each, row in zip(told, rows, strict=True):
        if type(each) is not float or not abs(each - probability(models[version], row)) <= _NEAR:  # NaN is never near
            return f"a probability that is not the model's own ({str(each)[:20]}), by {version}"
    return ""


class Crowd:
    """Passengers, from here until `stop`.

    Args:
        models: by version; more may come in while they ask.
    """

    def __init__(self, host: str, key: str, rate: float, rows: Sequence[Row], models: Mapping[str, Model]) -> None:
        self._where, self._rate, self._rows, self._models = (host, key), rate, rows, models
        self._lock, self._over = threading.Lock(), threading.Event()
        self._sent, self._lost, self._examples, self.versions = 0, 0, list[str](), Counter[str]()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        began, number, busy = time.monotonic(), 0, list[threading.Thread]()
        while not self._over.is_set():
            number += 1
            each = threading.Thread(target=self._ask, args=(number,), daemon=True)
            each.start()
            busy = [one for one in (*busy, each) if one.is_alive()]
            self._over.wait(max(began + number / self._rate - time.monotonic(), 0))
        for one in busy:
            one.join(WITHIN)

    def _ask(self, number: int) -> None:
        rows = [self._rows[(number * 7 + each) % len(self._rows)] for each in range(3)]
        status, body = asked(*self._where, rows)
        trouble = wrong(status, body, rows, self._models)
        with self._lock:
            self._sent += 1
            if trouble:
                self._lost += 1
                self._examples = [*self._examples, f"{time.strftime('%H:%M:%S')} {trouble}"][:_EXAMPLES]
            if status == 200 and isinstance(body, dict):
                self.versions[str(body.get("model_version"))[:40]] += 1

    def look(self) -> dict[str, Any]:
        """What was seen so far."""
        with self._lock:
            return {
                "sent": self._sent, "lost": self._lost, "examples": self._examples, "versions": dict(self.versions),
            }  # fmt: skip

    def stop(self) -> dict[str, Any]:
        """End them; what was seen."""
        self._over.set()
        self._thread.join(2 * WITHIN)
        return self.look()
