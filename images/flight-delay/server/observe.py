"""What the service tells about itself: Prometheus metrics and one line of JSON for each request.

Labels have few values by construction: an unknown path counts as `other`, whatever it was.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from typing import Any

from prometheus_client import Counter, Gauge, Histogram, Info, disable_created_metrics
from starlette.types import ASGIApp, Message, Receive, Scope, Send

disable_created_metrics()  # a second series for every one, which nobody asks for

REQUESTS = Counter("http_requests", "Answered requests.", ["route", "status"])
LATENCY = Histogram(
    "http_request_duration_seconds",
    "Time from a request's first byte to its answer's last.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
IN_PROGRESS = Gauge("http_requests_in_progress", "Requests being answered.", ["route"])
PREDICTIONS = Histogram(
    "model_prediction_probability", "Predicted probabilities of a late arrival.", buckets=[i / 20 for i in range(1, 21)]
)
MODEL = Info("model", "The model that answers.")
LOAD_SECONDS = Gauge("model_load_seconds", "Seconds that loading the model took; 0 until it is loaded.")

_ROUTES = {"/predict", "/version", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"}
_PROBES = {"/healthz", "/readyz", "/metrics"}


class Observed:
    """Wraps the application: counts, times and logs each request, and gives it an id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = scope["path"] if scope["path"] in _ROUTES else "other"
        request_id = _request_id(scope)
        status = 500

        async def telling(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode("latin-1"))]
            await send(message)

        began = time.perf_counter()
        try:
            with IN_PROGRESS.labels(route).track_inprogress():
                await self._app(scope, receive, telling)
        finally:
            took = time.perf_counter() - began
            REQUESTS.labels(route, str(status)).inc()
            LATENCY.labels(route).observe(took)
            if route not in _PROBES or status != 200:
                say(
                    "request", request_id=request_id, method=scope["method"], path=route, status=status,
                    seconds=round(took, 5),
                )  # fmt: skip


def say(event: str, **fields: Any) -> None:
    """Write one line of JSON to standard output."""
    sys.stdout.write(json.dumps({"time": round(time.time(), 3), "event": event, **fields}) + "\n")
    sys.stdout.flush()


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            if given.isascii() and given.isprintable() and len(given) <= 128:
                return str(given)
    return uuid.uuid4().hex
