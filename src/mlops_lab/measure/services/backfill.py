"""Metrics with a past: pods of the checker's whose first scrape gives Prometheus all that happened in some minutes.

Every sample carries its time, so Prometheus takes the whole history at once, and a query over five minutes need not be
waited for. It takes them for an hour back. The pods run in the tool's namespace, as `measure.pods.script` does it, and
are gone when Prometheus has what they tell; the samples stay, so their labels must be nobody else's.
"""

from __future__ import annotations

import base64
import gzip
import random
import threading
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube, Object
from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE
from mlops_lab.measure.pods import restricted
from mlops_lab.measure.pods.evidence import evidence
from mlops_lab.measure.pods.removal import remove
from mlops_lab.platform.dashboard.prometheus import Prometheus

STEP = 10  # s between two samples, as between two scrapes
_PORT = 8080
_LOOK_EVERY = 1.0  # s
_SERVE = f"""
import http.server, pathlib, sys
metrics = pathlib.Path(sys.argv[1]).read_bytes()
class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(metrics)))
        self.end_headers()
        self.wfile.write(metrics)
http.server.ThreadingHTTPServer(("", {_PORT}), Metrics).serve_forever()
"""


@dataclass(frozen=True)
class Counter:
    """A series that only grows, but for restarts: from `base` at the history's beginning, `rate` a second."""

    metric: str
    labels: Mapping[str, str]
    rate: float
    base: float


@dataclass(frozen=True)
class Gauge:
    """A series with a value for each sample, the newest first."""

    metric: str
    labels: Mapping[str, str]
    values: Sequence[float]


@dataclass(frozen=True)
class Past:
    """What one pod tells.

    Attributes:
        rhythm: for each slot of STEP seconds, the newest first, how much of the counters' rates was in it.
        restarts: slots at whose beginning the pod was started again, so that its counters began at 0.
    """

    rhythm: Sequence[float]
    restarts: Collection[int] = ()
    counters: list[Counter] = field(default_factory=list)
    gauges: list[Gauge] = field(default_factory=list)

    def growth(self, counter: Counter, seconds: int) -> float:
        """By how much a counter grew in the last seconds, restarts or not."""
        return counter.rate * STEP * sum(self.rhythm[: seconds // STEP])

    def values(self, counter: Counter) -> list[float]:
        """A counter's samples, oldest first."""
        found = [counter.base]
        for slot in reversed(range(len(self.rhythm))):
            before = 0.0 if slot in self.restarts else found[-1]
            found.append(before + counter.rate * STEP * self.rhythm[slot])
        return found

    def exposition(self, at: int) -> str:
        """All samples in Prometheus' text format, the last ones at a Unix time."""
        lines = []
        kept = [(each.metric, each.labels, self.values(each)) for each in self.counters]
        kept += [(each.metric, each.labels, [*reversed(each.values)]) for each in self.gauges]
        for metric, labels, values in kept:
            inside = ",".join(f'{name}="{value}"' for name, value in labels.items())
            for place, value in enumerate(values, 1 - len(values)):
                lines.append(f"{metric}{{{inside}}} {value:.6f} {(at + STEP * place) * 1000}")
        return "\n".join([*lines, ""])


def rhythm(
    rng: random.Random, newest: Sequence[float], windows: Sequence[int], slots: int, older: float = 1.0
) -> list[float]:
    """A rhythm for which rate() and increase() over some windows are what happened in them, to the last digit.

    They see no growth in the oldest slot of their window and take it to be as the others were:
    https://github.com/prometheus/prometheus/blob/main/promql/functions.go (extrapolatedRate). Here it is so.

    Args:
        newest: the first slots.
        windows: seconds.
        older: how much of the usual there was before the first window.
    """
    found = list(newest)
    while len(found) < slots:
        oldest = (len(found) + 1) * STEP in windows
        usual = older if len(found) * STEP > min(windows) else 1.0
        found.append(sum(found) / len(found) if oldest else rng.uniform(0.3, 1.4) * usual)
    return found


def backfill(
    kube: Kube,
    prometheus: Prometheus,
    image: str,
    pasts: Mapping[str, Past],
    at: int,
    *,
    labels: Mapping[str, str],
    within: float,
    namespace: str = SYSTEM_NAMESPACE,
    stop: threading.Event | None = None,
) -> None:
    """Give Prometheus the past of some pods.

    Args:
        image: one with python3.
        pasts: by the end of the pod's name.
        at: Unix time of the newest samples; not after Prometheus' own.
        labels: of the pods.
        within: seconds, the pods' start included.
        namespace: of the pods, and so of what they tell; the tool's own, or that of a part of the platform.

    Raises:
        LabError: Prometheus has not scraped them in time.
    """
    name = f"history-{uuid.uuid4().hex[:8]}"
    metric = next(counter.metric for past in pasts.values() for counter in past.counters)
    query = f'count(count by (pod) ({metric}{{namespace="{namespace}", pod=~"{name}-.+"}}))'
    objects = _objects(name, namespace, image, pasts, at, labels, within)
    end = time.monotonic() + within
    try:
        kube.apply(objects)
        while not (stop and stop.is_set()):
            found = prometheus.query(query, at)
            if found and found[0].points[0][1] == len(pasts):
                return
            if time.monotonic() > end:
                lines = [
                    line for item in objects[1:] for line in evidence(kube, "Pod", item["metadata"]["name"], namespace)
                ]
                raise LabError(
                    f"Prometheus has not scraped the checker's own pods within {within:g} s",
                    "see what is wrong with the monitoring: lab status", "\n".join(lines),
                )  # fmt: skip
            time.sleep(_LOOK_EVERY)
    finally:
        remove(kube, objects)


def _objects(
    name: str, namespace: str, image: str, pasts: Mapping[str, Past], at: int, labels: Mapping[str, str], within: float
) -> list[Object]:
    whose = {**labels, "app.kubernetes.io/managed-by": "mlops-lab"}
    meta = {"name": name, "namespace": namespace, "labels": whose}
    packed = {
        pod: base64.b64encode(gzip.compress(past.exposition(at).encode(), mtime=0)).decode()
        for pod, past in pasts.items()
    }
    found: list[Object] = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "binaryData": packed}]
    for pod in pasts:
        container = {
            "name": "metrics",
            "image": image,
            "command": ["python3", "-c", _SERVE, f"/history/{pod}"],
            "ports": [{"containerPort": _PORT}],
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
            "volumeMounts": [{"name": "history", "mountPath": "/history"}],
        }
        asks = {"prometheus.io/scrape": "true", "prometheus.io/port": str(_PORT)}
        about = {**meta, "name": f"{name}-{pod}", "annotations": asks}
        volumes = [{"name": "history", "configMap": {"name": name}}]
        found.append(restricted.pod(about, container, volumes, seconds=int(within) + 30))
    return found
