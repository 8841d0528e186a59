"""The busy evening of lab 06, played once: requests, a nightly report, and what the kubelet sees of the containers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, holds, quantity
from mlops_lab.kit.pods import restarts
from mlops_lab.kube.client import Object
from mlops_lab.measure.pods.containers import Reading, Use, last_end, use
from mlops_lab.measure.pods.evidence import pod_state
from mlops_lab.measure.traffic.http import Answer
from mlops_lab.measure.traffic.load import Load
from mlops_lab.measure.traffic.report import LoadReport

from .pods import NAMES, memory_limit, only_pod, resources
from .sizes import MIB

RATE, LONGEST = 5, 180  # requests a second to `model` and to `history`, s
ANSWER_LIMIT, REPORT_LIMIT = 15.0, 60.0  # s; requests wait while a limit holds the server up, and are not lost
LATE_AT_MOST = 5.0  # s that requests may leave late on a busy machine; no latencies are measured
SETTLED, LOOK_EVERY = 3, 2  # s
WINDOW, SHORT = 30, 15  # s at least between the readings; the second where only other checks are of interest
REPORT = 256 * MIB  # what a nightly report takes


@dataclass(frozen=True)
class Evening:
    """One run of the evening's load.

    Attributes:
        predictions, lookups: what became of the requests to `model`, and to `history`.
        report: whether the nightly report was answered.
        whole: whether all containers lived on.
        resources: their requests and limits by name.
        uses: what they used; empty where one was killed or the report failed.
    """

    predictions: LoadReport
    lookups: LoadReport
    report: Observation
    whole: Observation
    resources: Mapping[str, Object]
    uses: Mapping[str, Use]

    def requested(self, name: str, resource: str) -> float:
        """What a container requests: cores, or bytes; 0 if nothing."""
        return float(quantity(self.resources[name].get("requests", {}).get(resource, "0")))


async def evening(lab: Lab) -> Evening:
    """Send the load, have a nightly report made, and read what the kubelet sees of the three containers."""
    from . import cpu_requests_fit, memory_requests_fit, not_throttled, survives_the_evening  # which begin with this

    pods = {name: await only_pod(lab, name) for name in NAMES}
    if missing := [name for name, pod in pods.items() if pod is None]:
        raise LabError(f"the pods of {', '.join(missing)} are being replaced", "check again")
    watched = Watched(lab, {name: pod for name, pod in pods.items() if pod is not None})
    measured = lab.thorough(survives_the_evening, not_throttled, cpu_requests_fit, memory_requests_fit)

    def load(service: str, path: str, body: Any) -> AbstractAsyncContextManager[Load]:
        return lab.traffic.load(
            service, path=path, body=body, rate=RATE, duration=LONGEST, answer_within=ANSWER_LIMIT,
            late_at_most=LATE_AT_MOST,
        )  # fmt: skip

    async with (
        load("model", "/predict", lab.traffic.hidden_rows(1).body) as predictions,
        load("history", "/flights/N14228", None) as lookups,
    ):
        await lab.time.pause(SETTLED)
        await watched.look()
        answer = await watched.until_known(WINDOW if measured else SHORT)
    kept = watched.harm is None
    answered = answer is not None and answer.status == 200
    seen = "not looked at" if answer is None else f"{answer.status} {answer.error or answer.text[:100]}".strip()
    return Evening(
        predictions.report,
        lookups.report,
        Observation(answered, "a nightly report is answered with 200", seen),
        holds(kept, "no container is killed or restarted", watched.harm or "", evidence=watched.evidence),
        {name: resources(pod) for name, pod in watched.pods.items()},
        {name: use(readings) for name, readings in watched.readings.items()} if kept and answered else {},
    )


class Watched:
    """The three pods while the load runs: what the kubelet reads of them, and whether they come to harm.

    Attributes:
        pods: as they were at the beginning.
        readings: by name; the first look's only tells from when on they count.
        harm, evidence: what happened to one, and the lines that show it.
    """

    def __init__(self, lab: Lab, pods: Mapping[str, Object]) -> None:
        self.lab, self.pods = lab, pods
        self.readings: dict[str, list[Reading]] = {name: [] for name in pods}
        self.harm: str | None = None
        self.evidence: tuple[str, ...] = ()
        self._before: dict[str, Reading] = {}

    async def until_known(self, window: float) -> Answer | None:
        """Look until there are readings over `window` seconds, one of them from within a nightly report.

        Returns:
            The report's answer; None where a container came to harm before.

        Raises:
            LabError: the kubelet does not look often enough.
        """
        end = time.monotonic() + LONGEST - 2 * SETTLED
        report, answer = self._report(), None
        try:
            while time.monotonic() < end:
                await self.lab.time.pause(LOOK_EVERY)
                if await self._harmed():
                    return None
                await self.look()
                if not report.done():
                    continue
                answer = report.result()
                if answer.status not in (200, 409):
                    await self._harmed()
                    return answer
                # 409: the learner has one made just now.
                if answer.status == 409 or not self._saw(answer.fields().get("bytes")):
                    report = self._report()
                elif all(seen and seen[-1].at - seen[0].at >= window for seen in self.readings.values()):
                    return answer
        finally:
            report.cancel()
            await asyncio.gather(report, return_exceptions=True)
        if answer is not None and answer.status == 409:  # to the end, though a report takes 20 s
            return answer
        raise LabError(
            f"the kubelet gave too few figures of these containers in {LONGEST} s",
            "it looks every 10 to 15 s, unless the machine is too busy; close what else runs on it and check again",
        )

    async def look(self) -> None:
        """Take in the newest readings."""
        found = await self.lab.usage.containers(list(self.pods.values()))
        for name, pod in self.pods.items():
            now = found.get((pod["metadata"]["name"], pod["spec"]["containers"][0]["name"]))
            if now is None:
                continue
            last = self.readings[name][-1] if self.readings[name] else self._before.setdefault(name, now)
            if now.at > last.at:
                self.readings[name].append(now)

    def _report(self) -> asyncio.Task[Answer]:
        return asyncio.create_task(self.lab.traffic.post("model", "/report", {}, within=REPORT_LIMIT))

    def _saw(self, size: Any) -> bool:
        """Was there a reading while the report's memory, so many bytes, was in use?"""
        if not isinstance(size, int) or size > REPORT:
            return True  # it is another program's report, and says not what it takes
        return any(each.memory >= size for each in self.readings["model"])

    async def _harmed(self) -> bool:
        for name, before in self.pods.items():
            pod = await only_pod(self.lab, name)
            if pod is None or pod["metadata"]["uid"] != before["metadata"]["uid"]:
                self.harm = f"{name}: its pod is gone, or another one"
            elif restarts(pod) > restarts(before):
                ended = last_end(pod)
                self.harm = f"{name}: its container ended ({ended.get('reason')}, exit code {ended.get('exitCode')})"
            else:
                continue
            self.evidence = (f"memory limit of {name}: {memory_limit(before)}", *([pod_state(pod)] if pod else []))
            return True
        return False
