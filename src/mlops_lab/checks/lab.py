"""The `lab` object that a check gets: a few rooms, bound to one lab's namespace, workspace and platform.

A check names the objects that the task fixes (`model`), and never a namespace, a host, a port or the connection.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mlops_lab.base.errors import UsageError
from mlops_lab.checks import current
from mlops_lab.checks.check import Check
from mlops_lab.checks.rooms.nodes import Nodes
from mlops_lab.checks.rooms.objects import Objects
from mlops_lab.checks.rooms.platform import Platform
from mlops_lab.checks.rooms.programs import Programs
from mlops_lab.checks.rooms.time import Time
from mlops_lab.checks.rooms.traffic import Traffic
from mlops_lab.checks.rooms.usage import Usage
from mlops_lab.checks.rooms.work import Work
from mlops_lab.checks.trace import Trace
from mlops_lab.kube.client import Kube

if TYPE_CHECKING:
    from mlops_lab.measure.cluster.starvation import Starvation

T = TypeVar("T")
# s that what a check began may take to put things back once nobody waits for it.
_CLEARED_UP_WITHIN = 30.0


def seed_of_a_run() -> int:
    """The given seed, or a new one.

    Raises:
        UsageError: what is given is no whole number.
    """
    given = os.environ.get("MLOPS_LAB_SEED")
    if not given:
        return random.SystemRandom().randrange(10**9)
    try:
        return int(given)
    except ValueError as wrong:
        raise UsageError(
            f"MLOPS_LAB_SEED is {given!r}", "give it a whole number, as a report does, or unset it"
        ) from wrong


@dataclass(eq=False)
class Lab:
    """One lab on one cluster.

    Attributes:
        number: such as `10`.
        objects: the objects of the lab's namespace.
        traffic: requests to the learner's Services.
        work: the learner's own files and programs.
        platform: MLflow, Kubeflow Pipelines, Prometheus, and the names of images.
        programs: programs of the checker's own.
        nodes: the cluster's nodes, out of service for a while.
        usage: what pods use.
        time: waiting.
        mistake: in the verification of a mistake, the check that it must fail; else empty.
        machine: watches how much CPU the machine can give while checks run; None where nobody does.
        asked: the names of the checks of this run.
        seed: with which this run's names, dates and numbers are drawn; see `kit.drawn`.
    """

    number: str
    objects: Objects
    traffic: Traffic
    work: Work
    platform: Platform
    programs: Programs
    nodes: Nodes
    usage: Usage
    time: Time = field(default_factory=Time)
    mistake: str = ""
    machine: Starvation | None = None
    seed: int = field(default_factory=seed_of_a_run)
    asked: frozenset[str] = frozenset()
    _memory: dict[Any, tuple[asyncio.Task[Any], Trace]] = field(default_factory=dict)

    @classmethod
    def on(
        cls,
        kube: Kube,
        namespace: str,
        number: str,
        workspace: Path,
        registry: str,
        settings: Mapping[str, str] | None = None,
        mistake: str = "",
    ) -> Lab:
        """The rooms of a lab on a cluster.

        Args:
            registry: the prefix of image names, such as `localhost:5001`.
            settings: the variables by which programs in the cluster find the platform.
        """
        from mlops_lab.measure.cluster.starvation import Starvation

        objects, known = Objects(kube, namespace), settings or {}
        return cls(
            number,
            objects,
            Traffic(kube, namespace, objects),
            Work(workspace, namespace, registry, known),
            Platform(kube, namespace, registry, known),
            Programs(kube, registry, known),
            Nodes(kube, namespace),
            Usage(kube, namespace),
            mistake=mistake,
            machine=Starvation(kube, namespace),
        )

    def thorough(self, *checks: Check) -> bool:
        """Whether what these checks measure must be measured for as long as they say.

        It must, but for `lab verify` of a mistake in another check: what has passed by then may end earlier.
        """
        return not self.mistake or self.mistake in [item.name for item in checks]

    def runs(self, *checks: Check) -> bool:
        """Whether one of these checks is of this run: `lab check 12 NAME` has only that one, and what it needs."""
        return any(item.name in self.asked for item in checks)

    async def once(self, function: Callable[[Lab], Awaitable[T]]) -> T:
        """The result of `function(lab)`, run once however many checks ask for it; its exception likewise."""
        if function not in self._memory:
            apart = Trace()

            async def first() -> T:
                with current.traced(apart):
                    return await function(self)

            self._memory[function] = asyncio.create_task(first()), apart
        task, apart = self._memory[function]
        current.trace().shared.append(apart)
        with current.waits():
            result: T = await asyncio.shield(task)
        return result

    def beside(self, function: Callable[[Lab], Awaitable[Any]]) -> None:
        """Run `function(lab)` once beside the checks, until they are over: it is cancelled then, and may put back."""
        if function not in self._memory:
            apart = Trace()

            async def alone() -> None:
                with current.traced(apart):
                    await function(self)

            self._memory[function] = asyncio.create_task(alone()), apart

    async def end(self) -> None:
        """End what checks share (a load, say) and nobody waits for any more, let it put back what it changed, and
        close the port forwards to the platform."""
        for task, _ in self._memory.values():
            task.cancel()
        if self._memory:
            await asyncio.wait([task for task, _ in self._memory.values()], timeout=_CLEARED_UP_WITHIN)
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Close the port forwards to the platform."""
        self.platform.close()
