"""What a check did to find its verdict: requests, loads, and the objects that it looked at; plain data in the end.

Bounded, whatever a service answers: a few requests with the beginning of what they carried, a few loads with their
latencies in at most 60 slices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_lab.measure.traffic.http import Answer
    from mlops_lab.measure.traffic.report import LoadReport, Request

# Requests, loads and objects of one check that are kept; of more requests the first and the last ones.
_FIRST, _LAST, _LOADS, _OBJECTS = 6, 6, 4, 20
_TEXT = 400  # characters of a body
_SLICES = 60


@dataclass
class Trace:
    """One check's trace; what several checks share (`lab.once`) is in `shared` of each."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    loads: list[Callable[[], dict[str, Any]]] = field(default_factory=list)
    objects: dict[tuple[str, str], None] = field(default_factory=dict)
    shared: list[Trace] = field(default_factory=list)
    left_out: int = 0
    own_seed: int | None = None

    def drew(self, seed: int) -> None:
        """Note that something was drawn with the run's seed."""
        self.own_seed = seed

    @property
    def seed(self) -> int | None:
        """With which the check, or what it shares with others, drew something; None if nothing was drawn."""
        seeds = (self.own_seed, *(other.seed for other in self.shared))
        return next((each for each in seeds if each is not None), None)

    def request(self, method: str, url: str, sent: str, answer: Answer) -> None:
        """Note one request and what came back."""
        self.requests.append(
            {
                "method": method,
                "url": url,
                "sent": shortened(sent),
                "status": answer.status,
                "got": shortened(answer.text) if answer.status else answer.error,
                "seconds": round(answer.seconds, 4),
            }
        )
        if len(self.requests) > _FIRST + _LAST:
            del self.requests[_FIRST]
            self.left_out += 1

    def load(self, url: str, rate: str, report: Callable[[], LoadReport]) -> None:
        """Note a load; its report is asked for when the trace is read."""
        if len(self.loads) < _LOADS:
            self.loads.append(lambda: {"url": url, "rate": rate, **drawn(report())})

    def looked_at(self, kind: str, name: str) -> None:
        """Note an object that the check asked for."""
        if len(self.objects) < _OBJECTS:
            self.objects[(kind, name)] = None

    def names(self) -> list[tuple[str, str]]:
        """Kind and name of all objects, those of what is shared too."""
        found = dict(self.objects)
        for other in self.shared:
            found.update(dict.fromkeys(other.names()))
        return list(found)

    def plain(self) -> dict[str, Any]:
        """As plain data: `requests`, `left_out` (how many of them are not in it), `loads`, `objects`."""
        whole: dict[str, Any] = {
            "requests": list(self.requests),
            "left_out": self.left_out,
            "loads": [each() for each in self.loads],
            "objects": [f"{kind}/{name}" for kind, name in self.names()],
        }
        for other in self.shared:
            plain = other.plain()
            whole["requests"] += plain["requests"]
            whole["left_out"] += plain["left_out"]
            whole["loads"] += plain["loads"]
        return whole


def drawn(report: LoadReport) -> dict[str, Any]:
    """A load in few numbers.

    Returns:
        `sent`, `failed`, `statuses` (by status; 0: no answer), `errors`, `p50` and `p99` in seconds (null without a
        good answer), `slice` (seconds) and `slices`: for each slice of the load its requests, failed ones, and the
        p50 and p99 of its good answers.
    """
    last = max((request.due for request in report.requests), default=0.0)
    wide = math.ceil((last + 0.001) / _SLICES)  # seconds
    parts: list[list[Request]] = [[] for _ in range(math.ceil((last + 0.001) / wide))]
    for request in report.requests:
        parts[int(request.due // wide)].append(request)
    slices = []
    for inside in parts:
        part = replace(report, requests=tuple(inside))
        slices.append(
            {"sent": len(inside), "failed": part.failed, "p50": _finite(part.p(50)), "p99": _finite(part.p(99))}
        )
    return {
        "sent": report.sent,
        "failed": report.failed,
        "statuses": {str(status): number for status, number in sorted(report.statuses.items())},
        "errors": dict(report.errors.most_common(5)),
        "p50": _finite(report.p(50)),
        "p99": _finite(report.p(99)),
        "slice": wide,
        "slices": slices,
    }


def shortened(text: str, most: int = _TEXT) -> str:
    """The beginning of a text, and how long it was if that is not all of it."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def _finite(value: float) -> float | None:
    return round(value, 5) if math.isfinite(value) else None
