"""What is asked for and what CPU figures say while the load of lab 11 runs, second by second."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace

from mlops_lab.checks import Lab, Observation, at_least
from mlops_lab.kit.autoscalers import Hands
from mlops_lab.kit.deployments import followed, status_count
from mlops_lab.kube.client import Object

OUT_WITHIN = 90  # seconds from the first request to ready pods, as in lab 10
LISTED = 1000  # pods, of which it is noted when they were asked for
# Lab 10's autoscaler: 60 % of a request of 100m. It does nothing up to 10 % over its target, as any autoscaler.
CPU_TARGET = 0.06
CPU_ACTS = CPU_TARGET * 1.1
REST_AFTER, REST_FOR = 3, 15  # seconds after a load, and those in which is looked what pods use at rest


class Pace:
    """What is asked for and what CPU figures say, while a load runs; seconds since its first request.

    CPU counts for the pods that were there when the load began. Figures of before it are left out: they may hold what
    a pod took to start.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._began = time.monotonic()
        self._pods: set[str] = set()
        self._old: set[str] = set()
        self.asked: dict[int, float] = {}  # since when so many pods were asked for, and since when so many were ready
        self.ready: dict[int, float] = {}
        self.most = 0
        self.hands = Hands()
        self.cpu = 0.0  # the highest figure so far, of the first pods' mean, in cores
        self.crossed: float | None = None  # when it was over what makes lab 10's autoscaler act

    @property
    def elapsed(self) -> float:
        """Seconds since the first request."""
        return time.monotonic() - self._began

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Follow the Deployment inside the block; the clock starts with `begin`."""
        self._pods = {pod["metadata"]["name"] for pod in await self._lab.objects.pods_of("model")}
        self._old = {use.at for use in (await self._lab.usage.cpu()).values()}
        async with followed(self._lab, self._take, within=3 * OUT_WITHIN):
            yield

    def begin(self) -> None:
        """The first request leaves."""
        self._began = time.monotonic()

    async def comes_ready(self, pods: int) -> Observation:
        """Wait until so many pods have been ready, or it is too late for that."""
        left = max(1.0, OUT_WITHIN - self.elapsed)
        now = await self._lab.objects.deployment("model").becomes(ready_replicas=at_least(pods), within=left)
        at = self.ready.get(pods)
        return replace(
            now,
            ok=at is not None and at <= OUT_WITHIN,
            expected=f"{pods} pods ready within {OUT_WITHIN} s of the first request",
            seen=now.seen if at is None else f"{pods} pods ready after {at:.0f} s",
        )

    async def decided(self, until: float) -> None:
        """Wait until a second pod is asked for, or the CPU figures would have told so, or it is so late."""
        while not self.crossed and self.elapsed < until:
            acted = 2 in self.asked
            # One more look after the autoscaler has acted: what made it act was there a moment before.
            figures = await self._lab.usage.cpu()
            cores = [use.cores for name, use in figures.items() if name in self._pods and use.at not in self._old]
            self.cpu = max(self.cpu, sum(cores) / max(1, len(cores)))
            if self.cpu >= CPU_ACTS:
                self.crossed = self.elapsed
            if acted:
                return
            await self._lab.time.pause(1)

    async def comes_to(self, seconds: float) -> None:
        """Wait until the load is that old."""
        await self._lab.time.pause(max(0.0, seconds - self.elapsed))

    async def at_rest(self) -> float:
        """What the first pods use while nobody asks them anything, each on average, in cores.

        Raises:
            LabError: it can't be read.
        """
        await self._lab.time.pause(REST_AFTER)
        first = [pod for pod in await self._lab.objects.pods_of("model") if pod["metadata"]["name"] in self._pods]
        clock = self._lab.usage.cpu_time(*first)
        await clock.begin()
        began = time.monotonic()
        await self._lab.time.pause(REST_FOR)
        used, passed = await clock.spent(), time.monotonic() - began
        return used.seconds / passed / max(1, len(first))

    def _take(self, item: Object | None) -> None:
        self.hands.take(item)
        self.most = max(self.most, status_count(item, "replicas"))
        asked = int(((item or {}).get("spec") or {}).get("replicas") or 0)
        for wanted in range(2, min(asked, LISTED) + 1):
            self.asked.setdefault(wanted, self.elapsed)
        for ready in range(2, status_count(item, "readyReplicas") + 1):
            self.ready.setdefault(ready, self.elapsed)
