"""`lab.usage`: what the pods of the lab's namespace use, as an autoscaler, the kubelet or the kernel tells it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from mlops_lab.checks.current import in_thread
from mlops_lab.kube.client import Kube, Object

if TYPE_CHECKING:
    from mlops_lab.measure.cluster.autoscaler_metrics import Use
    from mlops_lab.measure.pods.containers import Reading
    from mlops_lab.measure.pods.cpu_time import CpuClock


class CpuTime:
    """The CPU time that some pods' containers have used; to be asked while its block runs."""

    def __init__(self, clock: CpuClock) -> None:
        self._clock = clock

    async def seconds(self) -> float:
        """CPU seconds of all these containers together since they began, exact at the moment of asking.

        Raises:
            LabError: a container ended or was replaced meanwhile.
        """
        return await in_thread(self._clock.seconds)


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

    @contextlib.asynccontextmanager
    async def cpu_time(self, pods: Sequence[Object]) -> AsyncIterator[CpuTime]:
        """Reads the CPU time of all containers of these pods, exactly, while the block runs: `measure.pods.cpu_time`.

        Raises:
            LabError: it cannot be read.
        """
        from mlops_lab.measure.pods.cpu_time import CpuClock

        clock = CpuClock(self._kube, pods)
        try:
            await in_thread(clock.open)
            yield CpuTime(clock)
        finally:
            await asyncio.to_thread(clock.close)
