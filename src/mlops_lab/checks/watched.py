"""Objects of the learner's, watched until they are as a check wants them."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from mlops_lab.checks import current
from mlops_lab.checks.matchers import Matcher, equal_to
from mlops_lab.checks.observation import Observation, Unmet
from mlops_lab.kube.client import Kube, Object
from mlops_lab.measure.pods.evidence import evidence

T = TypeVar("T")


@dataclass(frozen=True)
class Watched:
    """An object by kind and name, which may not be there (yet)."""

    kube: Kube
    kind: str
    name: str
    namespace: str

    async def now(self) -> Object | None:
        """The object as it is, or None."""
        return await asyncio.to_thread(self.kube.find, self.kind, self.name, self.namespace)

    async def present(self) -> Object:
        """The object, which a check before has found.

        Raises:
            Failure: it was deleted meanwhile.
        """
        item = await self.now()
        if item is None:
            raise Unmet(
                Observation(False, f"{self.kind} {self.name}, still there", "it was deleted meanwhile"),
                "what is checked must stay until the check ends: apply it again, and check again",
            )
        return item

    async def becomes(self, *, within: float, **fields: Any) -> Observation:
        """Wait until fields of the object's status are as wanted.

        Args:
            within: limit in seconds.
            fields: status fields in snake case with a matcher or a value each: `ready_replicas=at_least(2)` reads
                `status.readyReplicas`. A field that is not set counts as 0, as the API leaves out zeros.

        Returns:
            The observation; its `value` is the seconds it took. When the time ran out, its evidence says what the
            object's pods and events tell.
        """
        wanted = {
            name: matcher if isinstance(matcher, Matcher) else equal_to(matcher) for name, matcher in fields.items()
        }

        def seen(item: Object | None) -> dict[str, Any]:
            status = (item or {}).get("status") or {}
            return {name: status.get(_camel(name), 0) for name in wanted}

        expected = ", ".join(f"{_camel(name)} {matcher}" for name, matcher in wanted.items())
        return await self.until(
            lambda item: item is not None and all(test(seen(item)[name]) for name, test in wanted.items()),
            expected=expected,
            shown=lambda item: (
                "no such object"
                if item is None
                else ", ".join(f"{_camel(name)} {value}" for name, value in seen(item).items())
            ),
            within=within,
        )

    async def rolled_out(self, *, within: float, pods: int = 1, expected: str = "") -> Observation:
        """Wait until all pods that a Deployment wants, `pods` at least, are up to date and available."""
        wanted = expected or (f"{pods} pods or more, all ready" if pods > 1 else "all pods up to date and ready")
        return await self.until(
            lambda item: rolled_out(item, pods), expected=wanted, shown=rollout_state, within=within
        )

    async def until(
        self,
        test: Callable[[Object | None], bool],
        *,
        expected: str,
        shown: Callable[[Object | None], str],
        within: float,
    ) -> Observation:
        """Wait until `test` holds for the object (None while it is not there).

        Args:
            expected: what is waited for, in the learner's words.
            shown: what is seen of the object, in few words.
        """
        done, item, took = await followed(
            lambda condition, stop: self.kube.wait(
                self.kind, self.name, self.namespace, condition, within=within, stop=stop
            ),
            test,
            shown=lambda item: f"{self.kind} {self.name}: {shown(item)}",
            within=within,
        )
        lines = () if done else await asyncio.to_thread(evidence, self.kube, self.kind, self.name, self.namespace)
        return Observation(
            done,
            f"{self.kind} {self.name}: {expected} within {within:g} s",
            f"{shown(item)} after {took:.0f} s",
            took,
            lines,
        )


def rolled_out(item: Object | None, pods: int = 1) -> bool:
    """Has a Deployment's controller seen the newest spec, and are all pods that it wants of that spec and available?

    Args:
        pods: how many it must want at least.
    """
    if item is None or item.get("status", {}).get("observedGeneration", 0) < item["metadata"]["generation"]:
        return False
    wanted = item["spec"].get("replicas", 1)
    counts = {_count(item, name) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return wanted >= pods and counts == {wanted}


def rollout_state(item: Object | None) -> str:
    """A Deployment's pods in words."""
    if item is None:
        return "no Deployment"
    current, ready = _count(item, "updatedReplicas"), _count(item, "readyReplicas")
    return f"{_count(item, 'replicas')} pods, {current} of them up to date, {ready} ready"


def _count(item: Object, name: str) -> int:
    return int(item.get("status", {}).get(name) or 0)


async def followed(
    wait: Callable[[Callable[[T], bool | None], threading.Event], tuple[bool | None, T]],
    test: Callable[[T], bool],
    *,
    shown: Callable[[T], str],
    within: float,
) -> tuple[bool, T, float]:
    """Wait in a thread until `test` holds, and say meanwhile what is seen.

    Args:
        wait: blocks until its condition yields True, or its event is set, or the time ran out.
        shown: what is seen, in the learner's words.

    Returns:
        Whether it held, what was seen last, and the seconds that it took.
    """
    began = time.monotonic()
    stop = threading.Event()
    loop = asyncio.get_running_loop()

    def condition(seen: T) -> bool | None:
        if test(seen):
            return True
        loop.call_soon_threadsafe(current.say, shown(seen), within - (time.monotonic() - began))
        return None

    with current.waits():
        try:
            done, seen = await asyncio.to_thread(wait, condition, stop)
        finally:
            stop.set()
    if not done:
        current.trace().ran_out(began)
    return bool(done), seen, time.monotonic() - began


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda letter: letter.group(1).upper(), name)
