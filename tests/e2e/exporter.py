"""A model server's metrics with known values, in a pod of its own: what the test of the monitoring measures.

Counters grow by the clock, so a rate over any window is the one that stands here. Nothing but Python is needed.

    GET /metrics          the metrics
    GET /set?mode=drift   or calm: how predictions are distributed from now on
    POST /alerts          what Alertmanager sends; GET gives all that came, as JSON
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

REQUESTS = {"200": 9.0, "500": 1.0}  # per second
LATENCY = {"0.01": 8.0, "0.1": 9.8, "0.5": 9.95, "1.0": 10.0, "+Inf": 10.0}  # per second, up to each bound
PREDICTIONS = 12.0  # per second
UP_TO_HALF = {"drift": 0.25, "calm": 0.5}  # share of predictions in (0, 0.5]; the reference has a half
MEAN = 0.7
IN_PROGRESS = 3
BINS = ("200.0", "500.0", "1000.0", "+Inf")  # of the feature distance, a quarter of all rows in each
MLFLOW = 2.0  # requests per second


class Counters:
    """Named numbers that grow evenly; rates may change, values never fall."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._base: dict[str, float] = {}
        self._rates: dict[str, float] = {}
        self._since = time.time()

    def rates(self, **rates: float) -> None:
        with self._lock:
            now = time.time()
            names = {*self._rates, *rates}
            self._base = {name: self._value(name, now) for name in names}
            self._rates.update(rates)
            self._since = now

    def values(self) -> dict[str, float]:
        with self._lock:
            now = time.time()
            return {name: self._value(name, now) for name in self._rates}

    def _value(self, name: str, now: float) -> float:
        return self._base.get(name, 0.0) + self._rates.get(name, 0.0) * (now - self._since)


def exposition(counters: Counters) -> str:
    """The metrics in Prometheus' text format."""
    now = counters.values()
    rows, seconds = now["rows"], now["seconds"]
    lines = [
        "# TYPE http_requests_total counter",
        f'http_requests_total{{route="/readyz",status="200"}} {seconds * 50}',
    ]
    for code, rate in REQUESTS.items():
        lines.append(f'http_requests_total{{route="/predict",status="{code}"}} {seconds * rate}')
    lines += ["# TYPE http_requests_in_progress gauge", f'http_requests_in_progress{{route="/predict"}} {IN_PROGRESS}']
    latency = {le: seconds * rate for le, rate in LATENCY.items()}
    lines += histogram("http_request_duration_seconds", 'route="/predict"', latency, seconds * 0.5)
    lines += histogram("model_prediction_probability", "", {"0.5": now["half"], "1.0": rows, "+Inf": rows}, rows * MEAN)
    quarters = {le: rows * number / len(BINS) for number, le in enumerate(BINS, 1)}
    lines += histogram("model_feature_value", 'feature="distance"', quarters, rows * 600)
    lines += ["# TYPE model_reference_fraction gauge"]
    for of, bounds in (("prediction", ("0.0", "0.5", "1.0")), ("distance", ("-Inf", *BINS))):
        for above, le in itertools.pairwise(bounds):
            labels = f'of="{of}",above="{above}",le="{le}"'
            lines.append(f"model_reference_fraction{{{labels}}} {1 / (len(bounds) - 1)}")
    lines += ["# TYPE model_info gauge", 'model_info{version="7",auc="0.71"} 1']
    lines += ["# TYPE model_load_seconds gauge", "model_load_seconds 0.4"]
    asked = seconds * MLFLOW
    lines += [
        "# TYPE mlflow_http_request_total counter",
        f'mlflow_http_request_total{{method="GET",status="299"}} {asked}',
    ]
    labels = 'method="GET",path="/x",status="299"'
    lines += histogram("mlflow_http_request_duration_seconds", labels, {"0.1": asked, "+Inf": asked}, 0)
    return "\n".join(lines) + "\n"


def histogram(name: str, labels: str, buckets: dict[str, float], total: float) -> list[str]:
    """The lines of one histogram; `buckets` count up to each bound, the last one is +Inf."""
    more = f"{labels}," if labels else ""
    return [
        f"# TYPE {name} histogram",
        *(f'{name}_bucket{{{more}le="{le}"}} {count}' for le, count in buckets.items()),
        f"{name}_sum{{{labels}}} {total}",
        f"{name}_count{{{labels}}} {buckets['+Inf']}",
    ]


def main(port: int) -> None:
    """Serve until killed."""
    counters, alerts = Counters(), []
    counters.rates(seconds=1.0, rows=PREDICTIONS, half=PREDICTIONS * UP_TO_HALF["calm"])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/set":
                counters.rates(half=PREDICTIONS * UP_TO_HALF[parse_qs(url.query)["mode"][0]])
            answers = {"/metrics": lambda: exposition(counters), "/alerts": lambda: json.dumps(alerts)}
            self._say(answers.get(url.path, lambda: "ok\n")())

        def do_POST(self) -> None:
            alerts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._say("ok\n")

        def _say(self, text: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    ThreadingHTTPServer(("", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
