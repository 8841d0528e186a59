"""`lab.nodes`: the cluster's nodes, taken out of service for a while."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from mlops_lab.base.errors import LabError
from mlops_lab.checks.current import in_thread
from mlops_lab.kube.client import Kube, Object


class Nodes:
    """The nodes that take pods, and evictions from them."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube, self._namespace = kube, namespace

    async def workers(self, at_least: int = 2) -> list[Object]:
        """The nodes that take pods, by name; `LabError` with what to do if there are fewer than `at_least`."""
        from mlops_lab.measure.cluster.nodes import workers

        return await in_thread(workers, self._kube, at_least)

    @contextlib.asynccontextmanager
    async def cordoned(self, node: str) -> AsyncIterator[None]:
        """No new pods on a node while the block runs; see `measure.cluster.nodes`.

        Raises:
            LabError: the cluster is not well without that node: say, the others have no room for the lab's pods.
        """
        from mlops_lab.measure.cluster.environment import problems
        from mlops_lab.measure.cluster.nodes import cordoned

        async with cordoned(self._kube, node):
            yield
            if found := await in_thread(problems, self._kube, (), self._namespace):
                raise LabError(
                    f"with node {node} out: {'; '.join(found)}", "see what is wrong with the cluster: lab status"
                )

    async def evict(self, pod: str, *, dry_run: bool = False) -> str:
        """Ask for a pod's eviction as `kubectl drain` does; empty if it was granted, else why a budget refused it."""
        from mlops_lab.measure.cluster.nodes import evict

        return await in_thread(evict, self._kube, pod, self._namespace, dry_run=dry_run)
