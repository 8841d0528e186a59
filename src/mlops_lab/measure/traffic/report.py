"""What became of the requests of a load: counts, latencies, and whether the load was what it was meant to be."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

# A load counts as sent when it was sent: as many requests as planned, and 99 of 100 of them on time.
SENT_WITHIN = 0.01
LATE_AT_MOST = 0.05

# An attack that is stopped ends between two requests.
_ROUNDING = 2
_OWN_ADDRESS = re.compile(r"\S+:\d+->")


class Request(NamedTuple):
    """One request; times in seconds.

    Attributes:
        due: when it should have left, from the start of the load.
        late: how much later than that it left.
        latency: from when it was due to the end of the answer.
        status: HTTP status; 0 when no answer came.
        label: the value of the answer's key that the load asked for, such as the model's version.
        error: why no answer came.
    """

    due: float
    late: float
    latency: float
    status: int
    label: str
    error: str

    @classmethod
    def parse(cls, row: Sequence[Any]) -> Request:
        """From the load generator's compact form (images/load, type result)."""
        _, due, late, latency, status, _, label, error = row
        return cls(due / 1e6, late / 1e6, latency / 1e6, status, label, _cause(error))


@dataclass(frozen=True)
class LoadReport:
    """The requests of a load, or of a part of it.

    Attributes:
        requests: those that ended, in the order of their ends.
        due: how many should have left.
        sent: how many did.
        unfinished: sent, and neither answered nor out of time when this report was made; none in a load's own `report`.
        seconds: how long the load took.
        expect_status: the status of a good answer.
        late_at_most: seconds; when more than one request in a hundred left later, the plan was not kept.
    """

    requests: tuple[Request, ...]
    due: int
    sent: int
    unfinished: int
    seconds: float
    expect_status: int = 200
    late_at_most: float = LATE_AT_MOST

    @cached_property
    def good(self) -> int:
        """Requests that were answered as expected."""
        return self.statuses[self.expect_status]

    @property
    def failed(self) -> int:
        """Requests that ended otherwise: another status, or no answer."""
        return len(self.requests) - self.good

    @property
    def failed_ratio(self) -> float:
        """Failed ones among those that ended, 0 to 1."""
        return self.failed / len(self.requests) if self.requests else 0.0

    @cached_property
    def statuses(self) -> Counter[int]:
        """How many answers had which HTTP status; 0 stands for no answer."""
        return Counter(request.status for request in self.requests)

    @cached_property
    def labels(self) -> Counter[str]:
        """How many good answers had which label."""
        return Counter(request.label for request in self.requests if request.status == self.expect_status)

    @cached_property
    def errors(self) -> Counter[str]:
        """Why requests had no answer, with counts."""
        return Counter(request.error for request in self.requests if request.status == 0)

    def p(self, percent: float) -> float:
        """Latency in seconds, from when each was due, that `percent` of the good answers kept; infinite without any.

        The nearest-rank method: the value is one that was measured.
        """
        return _rank(self._good_latencies, percent)

    @property
    def lateness(self) -> float:
        """The 99th percentile of how late requests left, in seconds."""
        return max(0.0, _rank(sorted(request.late for request in self.requests), 99)) if self.requests else 0.0

    @property
    def broken_schedule(self) -> str:
        """How the load differed from its plan, in words: then it says nothing about the server. Empty if it did not."""
        if abs(self.sent - self.due) > max(_ROUNDING, SENT_WITHIN * self.due):
            return f"{self.sent} of {self.due} requests were sent"
        if self.lateness > self.late_at_most:
            return f"one request in a hundred left {self.lateness * 1000:.0f} ms late or more"
        return ""

    def window(self, begin: float, end: float) -> LoadReport:
        """The part whose requests were due in these seconds since the start (the end not included)."""
        inside = tuple(request for request in self.requests if begin <= request.due < end)
        return LoadReport(
            inside, len(inside), len(inside), 0, min(end, self.seconds) - begin, self.expect_status, self.late_at_most
        )

    @cached_property
    def _good_latencies(self) -> list[float]:
        return sorted(request.latency for request in self.requests if request.status == self.expect_status)


def _rank(ordered: Sequence[float], percent: float) -> float:
    if not ordered:
        return math.inf
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


_CAUSES: Iterable[tuple[str, str]] = (
    ("connection refused", "connection refused"),
    ("connection reset", "connection reset by the server"),
    ("network is unreachable", "nothing behind the Service's address"),
    ("no route to host", "no route to the pod's address"),
    ("deadline exceeded", "no answer in time"),
    ("Client.Timeout", "no answer in time"),
    ("i/o timeout", "no answer in time"),
    ("EOF", "connection closed without an answer"),
)


def _cause(error: str) -> str:
    """The same words for the same cause: addresses and ports in a message would make each one different."""
    for sign, words in _CAUSES:
        if sign in error:
            return words
    return _OWN_ADDRESS.sub("", error)
