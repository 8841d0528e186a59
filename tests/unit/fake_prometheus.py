"""A Prometheus that answers every query with something of the right form, and remembers what it was asked."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

LABELS = {"namespace": ["shop", "lab-26"], "app": ["model", "other.app"], "of": ["distance", "prediction"]}
BOUNDS = ("0.1", "0.5", "1.0", "+Inf")


class FakePrometheus:
    """Answers at `url`; `asked` is what it was asked, as (path, form)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.refuse = ""  # queries with this text in them are refused
        self.empty = False

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, Any]:
        self.asked.append((path, form))
        query = form["query"]
        if self.refuse and self.refuse in query:
            return 400, {"status": "error", "errorType": "bad_data", "error": "no query of mine"}
        if query.startswith("group by ("):
            label = query.partition("(")[2].partition(")")[0]
            return 200, _vector([({label: value}, 1.0) for value in LABELS[label]])
        if self.empty:
            return 200, {"status": "success", "data": {"resultType": "vector", "result": []}}
        series = _series(query)
        if path.endswith("/query"):
            return 200, _vector(series)
        begin, end, step = (float(form[key]) for key in ("start", "end", "step"))
        times = [begin + step * index for index in range(int((end - begin) // step) + 1)]
        result = [
            {"metric": labels, "values": [[at, str(value * (1 + 0.2 * math.sin(at / 300)))] for at in times]}
            for labels, value in series
        ]
        return 200, {"status": "success", "data": {"resultType": "matrix", "result": result}}


@contextmanager
def fake_prometheus() -> Iterator[FakePrometheus]:
    """One that listens while the block runs."""
    fake = FakePrometheus("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {key: values[0] for key, values in parse_qs(body).items()}
            status, said = fake.answer(self.path, form)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


def _series(query: str) -> list[tuple[dict[str, str], float]]:
    if query.startswith("sum by (le)") or "share2m" in query or "reference:fraction" in query:
        return [({"le": bound, "of": "prediction"}, 0.2 * number) for number, bound in enumerate(BOUNDS, 1)]
    if "NaN" in query:
        return [({}, float("nan"))]
    labels = {
        "namespace": "shop",
        "app": "model",
        "pod": "model-1",
        "node": "worker",
        "of": "prediction",
        "phase": "Running",
    }
    return [({**labels, "status": code, "version": number, "quantile": "0.9"}, value) for code, number, value in (
        ("200", "1", 0.6), ("500", "2", 0.1),
    )]  # fmt: skip


def _vector(series: list[tuple[dict[str, str], float]]) -> Any:
    result = [{"metric": labels, "value": [1000.5, str(value)]} for labels, value in series]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}
