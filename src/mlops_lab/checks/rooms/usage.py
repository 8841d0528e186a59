"""`lab.usage`: what the pods of the lab's namespace use, as an autoscaler, the kubelet or the kernel tells it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_lab.base.errors import LabError
from mlops_lab.checks import current
from mlops_lab.checks.current import in_thread
from mlops_lab.kube.client import Kube, Object

if TYPE_CHECKING:
    from mlops_lab.measure.cluster.autoscaler_metrics import Use
    from mlops_lab.measure.pods.containers import Reading
    from mlops_lab.measure.pods.cpu_time import Count, CpuMeter, Spent


MEASURED_WITHIN = 60.0  # s for a new measurement of the kubelet's; it takes one every 10 to 15 s
LOOK_EVERY = 2.0  # s


class CpuTime:
    """The CPU time that containers use, by the kubelet; to be asked while nothing is asked of them."""

    def __init__(self, meter: CpuMeter) -> None:
        self._meter = meter
        self._counts: list[Count] = []

    async def begin(self) -> None:
        """Count from a measurement on that comes after this moment; that takes up to 15 s."""
        self._counts = [await self._measured()]

    async def look(self) -> None:
        """See which containers there are, so that the time of one that ends is not lost."""
        self._counts.append(await in_thread(self._meter.look))

    async def spent(self) -> Spent:
        """What was used since `begin`, by a measurement that comes after this moment; that takes up to 15 s.

        Raises:
            LabError: the kubelet gives no new measurement.
        """
        from mlops_lab.measure.pods.cpu_time import spent

        self._counts.append(await self._measured())
        return spent(self._counts)

    async def _measured(self) -> Count:
        began, first = time.monotonic(), await in_thread(self._meter.look)
        while True:
            with current.waits():
                await asyncio.sleep(LOOK_EVERY)
            now = await in_thread(self._meter.look)
            if now.after(first):
                return now
            if time.monotonic() - began > MEASURED_WITHIN:
                raise LabError(
                    f"the kubelet gave no new measurement of {now.missing[0] if now.missing else 'the containers'} "
                    f"within {MEASURED_WITHIN:g} s",
                    "it takes one every 10 to 15 s unless the machine is too busy; close other programs, check again",
                )


class Usage:
    """Resource use of pods."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube, self._namespace = kube, namespace

    async def cpu(self) -> dict[str, Use]:
        """The newest CPU figure of each pod in the lab's namespace, as an autoscaler reads it."""
        from mlops_lab.measure.cluster.autoscaler_metrics import cpu

        return await in_thread(cpu, self._kube, self._namespace)

    async def custom_metric(self, name: str) -> dict[str, float]:
        """A custom metric of the pods in the lab's namespace, as an autoscaler reads it; pods without it are left out.

        Args:
            name: in the custom metrics API, such as `http_requests_per_second`.
        """
        from mlops_lab.measure.cluster.autoscaler_metrics import custom_metric

        return await in_thread(custom_metric, self._kube, self._namespace, name)

    async def containers(self, pods: Sequence[Object]) -> dict[tuple[str, str], Reading]:
        """What containers use, by pod and container, as the kubelet saw it last; see `measure.pods.containers`."""
        from mlops_lab.measure.pods.containers import readings

        return await in_thread(readings, self._kube, pods)

    def cpu_time(self, *pods: Object) -> CpuTime:
        """The CPU time of the containers of these pods, or of all that run in the lab's namespace meanwhile."""
        from mlops_lab.measure.pods.cpu_time import CpuMeter

        if not pods:
            return CpuTime(CpuMeter(self._kube, self._namespace))
        names = [pod["metadata"]["name"] for pod in pods]
        return CpuTime(CpuMeter(self._kube, pods[0]["metadata"]["namespace"], names))
