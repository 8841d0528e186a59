"""What learners ask the class's operator for, where they share its cluster: labs there, and tokens for kubectl.

The operator's answer stands beside what was asked; see `operator.requests`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from mlops_lab.classroom.operator import accounts, names, requests
from mlops_lab.classroom.operator.requests import GOING, MAKING, READY, Kit, Lab, State
from mlops_lab.kube.client import Kube
from mlops_lab.kube.inside import connect_inside

_HOURS = 720.0  # that are asked for of a token; the chart's value tokenHours says less
_AT_ONCE = 4
_ASKED = State(MAKING, "the class's operator has not looked yet")

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Stand:
    """How a learner stands on the cluster.

    Attributes:
        labs: what became of each that was begun, by its number.
        token: of the token for the cluster; None if none was asked for.
        trouble: why nothing can be told; empty if it can.
    """

    labs: Mapping[str, State] = field(default_factory=dict)
    token: State | None = None
    trouble: str = ""

    def titles(self, shared: Mapping[str, str]) -> dict[str, str]:
        """Titles of the labs that a class has there, and of those that were begun and that it has no more."""
        gone = dict.fromkeys(self.labs, "is no longer in this class")
        return dict(sorted({**gone, **shared}.items()))

    @property
    def moves(self) -> bool:
        """Is something on its way?"""
        return any(each.state in (MAKING, GOING) for each in (*self.labs.values(), *filter(None, [self.token])))

    @property
    def has_token(self) -> bool:
        """Is there a kubeconfig to be had?"""
        return self.token is not None and self.token.state == READY


class Cluster:
    """The class's own cluster.

    Args:
        namespace: the class's.
        connect: how the API server is reached.
    """

    def __init__(self, namespace: str, connect: Callable[[], Kube] = connect_inside) -> None:
        self._namespace, self._connect = namespace, connect
        self._kube: Kube | None = None
        self._lock = threading.Lock()
        # Threads of its own: an API server that does not answer keeps nobody from the database.
        self._pool = ThreadPoolExecutor(_AT_ONCE, "cluster")

    async def stand(self, learner: str) -> Stand:
        """How a learner stands.

        Raises:
            LabError: the API server does not answer, or refuses.
        """
        return await self._run(self._stand, learner)

    async def begun(self, learner: str, lab: str) -> tuple[int, State] | None:
        """Which beginning of a lab there is, and what became of it; None if it was not begun. Raises as `stand`."""
        return await self._run(self._begun, learner, lab)

    async def begin(self, learner: str, lab: str, *, anew: bool = False) -> State:
        """Ask for a lab's namespace; `anew` has one that is there deleted and made again. Raises as `stand`."""
        return await self._run(self._begin, learner, lab, anew)

    async def end(self, learner: str, lab: str) -> None:
        """Give a lab's namespace back, with all that is in it. Raises as `stand`."""
        await self._run(self._end, learner, lab)

    async def renew(self, learner: str) -> State:
        """Ask for a token for the cluster; the one before is no longer good. Raises as `stand`."""
        return await self._run(self._renew, learner)

    async def kubeconfig(self, learner: str) -> str:
        """The kubeconfig with that token; empty where there is none yet. Raises as `stand`."""
        return await self._run(lambda kube: accounts.kubeconfig(kube, self._namespace, learner))

    def close(self) -> None:
        """Ask nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, function: Callable[..., Answer], *given: object) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: function(self._connected(), *given))

    def _connected(self) -> Kube:
        with self._lock:
            self._kube = self._kube or self._connect()
            return self._kube

    def _stand(self, kube: Kube, learner: str) -> Stand:
        item = kube.find("ConfigMap", f"{names.REQUEST}{learner}", self._namespace)
        wanted, told = requests.read(item or {}), requests.states(item)
        labs = {lab: told.get(f"lab-{lab}", _ASKED) for lab in wanted.labs}
        return Stand(labs, told.get("kit", _ASKED) if wanted.kit else None)

    def _begun(self, kube: Kube, learner: str, lab: str) -> tuple[int, State] | None:
        item = kube.find("ConfigMap", f"{names.REQUEST}{learner}", self._namespace)
        wanted = requests.read(item or {}).labs.get(lab)
        return (wanted.round, requests.states(item).get(f"lab-{lab}", _ASKED)) if wanted else None

    def _begin(self, kube: Kube, learner: str, lab: str, anew: bool) -> State:
        item = kube.find("ConfigMap", f"{names.REQUEST}{learner}", self._namespace)
        wanted = requests.read(item or {})
        if lab in wanted.labs and not anew:
            return requests.states(item).get(f"lab-{lab}", _ASKED)
        self._ask(kube, learner, {f"lab-{lab}": wanted.begin(lab)})
        return _ASKED

    def _end(self, kube: Kube, learner: str, lab: str) -> None:
        item = kube.find("ConfigMap", f"{names.REQUEST}{learner}", self._namespace)
        self._ask(kube, learner, {f"lab-{lab}": requests.read(item or {}).end(lab)})

    def _renew(self, kube: Kube, learner: str) -> State:
        item = kube.find("ConfigMap", f"{names.REQUEST}{learner}", self._namespace)
        before = requests.read(item or {}).kit
        self._ask(kube, learner, {"kit": Kit(before.round + 1 if before else 1, _HOURS)})
        return _ASKED

    def _ask(self, kube: Kube, learner: str, changes: dict[str, Lab | Kit | None]) -> None:
        requests.ask(kube, self._namespace, learner, changes)
