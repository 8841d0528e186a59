"""What rows look like, counted on the bins that the model kept of its training rows, for the drift rules of Prometheus.

`model_feature_value{feature}` is a histogram of each numeric feature; `model_reference_fraction{of, above, le}` tells
which fraction of the training rows was in each bin, of a feature or of the predictions (`of="prediction"`), with bounds
spelt as in the histograms. A missing value is in no bin. Another model begins anew, on bins of its own.

Bounds and values are compared as 32-bit numbers, as training did: many values are bounds themselves (wind comes in
whole knots), and which side of its own rounding a value is on depends on its last digit.
"""

from __future__ import annotations

import struct
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString


def rounded(value: float) -> float:
    """The nearest 32-bit number."""
    (nearest,) = struct.unpack("f", struct.pack("f", value))
    return float(nearest)


class Seen:
    """Counts rows; a collector for a Prometheus registry."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: Mapping[str, Any] = {}
        self._edges: dict[str, list[float]] = {}
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def begin(self, reference: Mapping[str, Any]) -> None:
        """Count from nothing, on the bins of a model's reference.json (empty for a model that has none)."""
        features = reference.get("features", {})
        with self._lock:
            self._known = reference
            self._edges = {name: kept["edges"] for name, kept in features.items() if "edges" in kept}
            self._counts = {name: [0] * (len(edges) + 1) for name, edges in self._edges.items()}
            self._sums = dict.fromkeys(self._edges, 0.0)

    def observe(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Count the rows of a request."""
        with self._lock:
            for row in rows:
                for name, edges in self._edges.items():
                    value = row.get(name)
                    if value is not None:
                        self._counts[name][bisect_left(edges, rounded(value))] += 1
                        self._sums[name] += value

    def collect(self) -> Iterator[Metric]:
        """The two metrics as they are now."""
        values = HistogramMetricFamily("model_feature_value", "Values of each feature in requests.", labels=["feature"])
        fractions = GaugeMetricFamily(
            "model_reference_fraction", "Fraction of the training rows in a bin.", labels=["of", "above", "le"]
        )
        with self._lock:
            for name, edges in self._edges.items():
                whole, buckets = 0, []
                for bound, count in zip([*map(floatToGoString, edges), "+Inf"], self._counts[name], strict=True):
                    whole += count
                    buckets.append((bound, whole))
                values.add_metric([name], buckets, self._sums[name])
                known = self._known["features"][name]["shares"][:-1]  # the last is what was missing
                self._fractions(fractions, name, edges, known)
            if answers := self._known.get("answers"):
                self._fractions(fractions, "prediction", [step / 20 for step in range(1, 21)], answers)
        yield values
        yield fractions

    @staticmethod
    def _fractions(into: GaugeMetricFamily, of: str, edges: Iterable[float], shares: list[float]) -> None:
        bounds = ["-Inf", *map(floatToGoString, edges), "+Inf"]
        whole = sum(shares) or 1.0
        for above, le, share in zip(bounds, bounds[1:], shares, strict=False):
            into.add_metric([of, above, le], share / whole)
