"""A Prometheus over HTTP: the three queries that dashboards need. Every request has a time limit."""

from __future__ import annotations

import http.client
import json
import math
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlops_lab.base.errors import LabError, broken_connection, transient_status

_LIMIT = 15.0
_LOST = (OSError, http.client.HTTPException)


class QueryRefused(LabError):
    """Prometheus answered, but refused the query."""


class NoPrometheus(LabError):
    """No Prometheus answered, or one that has trouble of its own."""


@dataclass(frozen=True)
class Series:
    """Labels and points `(Unix seconds, value)`; a value of None is not a number."""

    labels: dict[str, str]
    points: list[tuple[float, float | None]]


class Prometheus:
    """One Prometheus.

    Args:
        address: says where it is, such as `http://127.0.0.1:9090`; asked before each request, since it may change.
        lost: called when it did not answer, so that a new port forward can be made; one retry follows.
        limit: seconds of each request.
    """

    def __init__(
        self, address: Callable[[], str], lost: Callable[[], None] = lambda: None, limit: float = _LIMIT
    ) -> None:
        self._address, self._lost, self._limit = address, lost, limit

    def query(self, expr: str, at: float | None = None) -> list[Series]:
        """The value of a query at one time (now, if none is given).

        Raises:
            QueryRefused: it is not a query, or none of numbers at one time.
            NoPrometheus: nobody answers.
        """
        found = self._ask("query", {"query": expr, **({"time": f"{at:.3f}"} if at else {})})
        if found["resultType"] == "scalar":
            return [Series({}, [_point(found["result"])])]
        if found["resultType"] != "vector":
            raise QueryRefused(
                f"its result is a {'range vector' if found['resultType'] == 'matrix' else found['resultType']}, which "
                "has no value at one time", "of a range, a graph shows a function such as rate(...[5m])",
            )  # fmt: skip
        return [Series(each["metric"], [_point(each["value"])]) for each in found["result"]]

    def query_range(self, expr: str, begin: float, end: float, step: int) -> list[Series]:
        """The values of a query from one time to another, each `step` seconds."""
        times = {"start": f"{begin:.3f}", "end": f"{end:.3f}", "step": str(step)}
        found = self._ask("query_range", {"query": expr, **times})
        return [Series(each["metric"], [_point(point) for point in each["values"]]) for each in found["result"]]

    def values(self, series: str, label: str) -> list[str]:
        """The values that a label has in some series of the last hour, in order."""
        found = self.query(f"group by ({label}) (last_over_time({series}[1h]))")
        return sorted({each.labels[label] for each in found if each.labels.get(label)})

    def _ask(self, what: str, form: dict[str, str]) -> Any:
        try:
            return self._once(what, form)
        except _LOST:
            self._lost()
        try:
            return self._once(what, form)
        except _LOST as trouble:
            raise NoPrometheus(
                f"Prometheus does not answer ({type(trouble).__name__})", "see what is wrong with it: lab status",
                transient=broken_connection(trouble),
            ) from trouble  # fmt: skip

    def _once(self, what: str, form: dict[str, str]) -> Any:
        url = urllib.parse.urlsplit(self._address())
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=self._limit)
        try:
            head = {"Content-Type": "application/x-www-form-urlencoded"}
            path = f"{url.path.rstrip('/')}/api/v1/{what}"
            connection.request("POST", path, urllib.parse.urlencode(form, errors="replace"), head)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        try:
            said = json.loads(body)
        except json.JSONDecodeError as strange:
            raise NoPrometheus(
                f"what answers at {url.netloc} is no Prometheus (HTTP status {answer.status})", "check the address"
            ) from strange
        if said.get("status") != "success":
            why = str(said.get("error") or f"HTTP status {answer.status}")
            if transient_status(answer.status):
                raise NoPrometheus(
                    f"Prometheus has no answer now: {why}", "see what is wrong with it: lab status", transient=True
                )
            raise QueryRefused(why, "correct the query")
        return said["data"]


def _point(pair: list[Any]) -> tuple[float, float | None]:
    value = float(pair[1])
    return float(pair[0]), value if math.isfinite(value) else None
