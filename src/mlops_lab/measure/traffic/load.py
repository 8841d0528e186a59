"""Open-loop load on a Service: requests are sent on a fixed schedule, whatever the server does.

A pod in the cluster sends the requests; this module starts the load, follows the results, and stops it. Limits: 5,000
requests a second, ten minutes, 500,000 requests in all.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube
from mlops_lab.kube.execs import ExecStream
from mlops_lab.measure.traffic import load_generator
from mlops_lab.measure.traffic.http import encoded
from mlops_lab.measure.traffic.report import LATE_AT_MOST, LoadReport, Request

# The load generator says something each second; silence means that the connection is broken.
_SILENT = 15.0
_START_WITHIN = load_generator.READY_WITHIN + 15.0
# A load that was told to end reports a second after its last request at the latest; so much later its input is closed.
_STOP_WITHIN = 2.0


class Load:
    """One load; use it with `async with`.

    Leaving the block ends it: no more requests are sent, and those under way have their time to be answered. Where the
    block is left by an exception, or cancelled, nobody waits for them.

    Args:
        kube: the cluster.
        url: of a Service, by name or cluster IP.
        rate: requests a second; with `ramp_to` the rate at the start, which grows (or falls) evenly to `ramp_to`.
        duration: seconds at most.
        body: sent as JSON with each request; None sends nothing.
        headers: sent with each request.
        answer_within: seconds after which a request without an answer has failed.
        expect_status: the status of a good answer.
        keepalive: reuse connections; without it each request opens one of its own, as many clients do.
        late_at_most: seconds that 99 of 100 requests may leave late. Latency counts from when each was due, so what
            only counts failures may allow more.
        label: the key of the (JSON) answer whose values are counted in the report's `labels`.
    """

    def __init__(
        self,
        kube: Kube,
        url: str,
        *,
        rate: float,
        duration: float,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        ramp_to: float | None = None,
        method: str = "",
        answer_within: float = 10.0,
        expect_status: int = 200,
        keepalive: bool = False,
        label: str = "model_version",
        late_at_most: float = LATE_AT_MOST,
    ) -> None:
        self._kube = kube
        self._spec: dict[str, Any] = {
            "url": url,
            "method": method or ("GET" if body is None else "POST"),
            "body": encoded(body),
            "headers": dict(headers or {}),
            "rate": rate,
            "duration_s": duration,
            "timeout_s": answer_within,
            "keepalive": keepalive,
            "label": label,
        }
        if ramp_to is not None:
            self._spec["to_rate"] = ramp_to
        self._answer_within = answer_within
        self._whole = duration + answer_within
        self._expect_status = expect_status
        self._late_at_most = late_at_most
        self._requests: list[Request] = []
        self._highest = 0
        self._began = 0.0
        self._end: dict[str, Any] | None = None
        self._trouble: BaseException | None = None
        self._stop, self._abort = threading.Event(), threading.Event()
        self._started, self._ended = asyncio.Event(), asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._follow, name="load", daemon=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the first request was due; the same clock as `Request.due` and `LoadReport.window`."""
        return time.monotonic() - self._began

    @property
    def seen(self) -> LoadReport:
        """The requests that ended so far."""
        requests, sent = tuple(self._requests), self._highest
        return LoadReport(
            requests, sent, sent, max(0, sent - len(requests)), self.elapsed, self._expect_status, self._late_at_most
        )

    @property
    def report(self) -> LoadReport:
        """All requests; there once the load has ended (after the block, or after `finished`).

        Raises:
            LabError: the load was not sent as planned, or requests of it were given up, so it says nothing about the
                server.
            RuntimeError: the load has not ended.
        """
        if not self._ended.is_set():
            raise RuntimeError("the load has not ended; inside its block use `seen`, or await `finished()`")
        if self._trouble:
            raise self._trouble
        end = self._end
        if end is None:
            raise LabError("the load ended without a report", "try again; if it happens again: lab doctor")
        report = LoadReport(
            tuple(self._requests),
            end["due"],
            end["sent"],
            end["unfinished"],
            end["seconds"],
            self._expect_status,
            self._late_at_most,
        )
        if broken := report.broken_schedule:
            raise LabError(
                f"the load could not be sent as planned: {broken}",
                "the machine is too busy to measure; close other programs and check again",
            )
        if report.unfinished:
            raise LabError(
                f"the load ended before {report.unfinished} of {report.sent} requests were answered or out of time",
                "bring the cluster's own parts in order again: lab up; then check again",
            )
        return report

    async def finished(self) -> LoadReport:
        """Wait until the load has run for its whole duration, and return its report.

        Raises:
            LabError: as `report`, or the load does not end.
        """
        await _until(self._ended, self._whole + _SILENT + 5)
        if not self._ended.is_set():
            raise LabError("the load does not end", "see what is wrong with the cluster: lab status")
        return self.report

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        try:
            await _until(self._started, _START_WITHIN)
            if not self._began:
                raise self._trouble or LabError(
                    f"the load did not start within {_START_WITHIN:g} s",
                    "see what is wrong with the cluster: lab status",
                )
        except BaseException:
            self._abort.set()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The thread acts on these by itself, even if what follows is cancelled.
        if error is not None:
            self._abort.set()
        self._stop.set()
        try:
            await _until(self._ended, _STOP_WITHIN + (self._answer_within if error is None else 0) + 4)
        except BaseException:
            self._abort.set()
            raise
        if error is None:
            if not self._ended.is_set():
                raise LabError("the load does not stop", "see what is wrong with the cluster: lab status")
            _ = self.report  # raises if the load was not sent as planned

    def _follow(self) -> None:
        """Start the load and read its messages; runs in its own thread."""
        try:
            with load_generator.start(self._kube, "attack", self._spec) as stream:
                self._listen(stream)
        except BaseException as trouble:
            # Errors after the end of the load, or while it stops, change nothing.
            if self._end is None:
                self._trouble = trouble
        finally:
            self._tell(self._started)
            self._tell(self._ended)

    def _tell(self, event: asyncio.Event) -> None:
        assert self._loop
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(event.set)

    def _listen(self, stream: ExecStream) -> None:
        orders = [
            (self._stop, "stop\n", self._answer_within + _STOP_WITHIN),
            (self._abort, "abort\n", _STOP_WITHIN),
        ]
        end = math.inf
        for said in load_generator.messages(stream, within=self._whole + _SILENT, silent=_SILENT):
            if said:
                self._take(said)
            if self._end:
                return
            for order in [order for order in orders if order[0].is_set()]:
                orders.remove(order)
                _, word, within = order
                stream.write(word)
                end = min(end, time.monotonic() + within)
            if time.monotonic() > end:
                return  # closing the connection ends the load's input, and so the load

    def _take(self, said: dict[str, Any]) -> None:
        if "started" in said:
            self._began = time.monotonic()
            self._tell(self._started)
        elif "done" in said:
            self._end = said
        else:
            rows = said["results"] or []  # null as long as no request has ended
            self._requests.extend(Request.parse(row) for row in rows)
            self._highest = max([self._highest, *(row[0] + 1 for row in rows)])


async def _until(event: asyncio.Event, within: float) -> None:
    """Wait for an event for so many seconds; the caller looks at it afterwards."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            await event.wait()
