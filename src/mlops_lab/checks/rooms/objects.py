"""`lab.objects`: the objects of the lab's namespace, to look at, to wait for and to change."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_lab.checks import current
from mlops_lab.checks.current import change, in_thread
from mlops_lab.checks.observation import Observation, Unmet
from mlops_lab.checks.watched import Watched, followed
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.execs import Beyond, Unending
from mlops_lab.kube.objects import alive

_PRINTED = 4 << 20  # bytes that a command may print


@dataclass(frozen=True)
class Printed:
    """What a command in a container printed.

    Attributes:
        code: its exit code; None if its connection ended before it did.
        lines: of its output, without empty ones.
        errors: of its error output, as it is.
    """

    code: int | None
    lines: list[str]
    errors: str


class Objects:
    """The objects of one namespace."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube, self._namespace = kube, namespace

    def deployment(self, name: str) -> Watched:
        """The Deployment of that name, there or not."""
        return self.named("Deployment", name)

    def named(self, kind: str, name: str) -> Watched:
        """The object of that kind and name, there or not."""
        current.trace().looked_at(kind, name)
        return Watched(self._kube, kind, name, self._namespace)

    async def all(self, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind.

        Args:
            selector: labels as kubectl takes them, such as `app=model,track=b`.
        """
        return await asyncio.to_thread(self._kube.list, kind, self._namespace, selector)

    async def service(self, name: str) -> Object:
        """A Service.

        Raises:
            Failure: there is no such Service.
        """
        found = await self.named("Service", name).now()
        if found is None:
            names = sorted(item["metadata"]["name"] for item in await self.all("Service"))
            raise Unmet(
                Observation(False, f"a Service named {name}", f"Services here: {', '.join(names) or 'none'}"),
                "clients reach the pods by the Service's name, so without it nothing can be asked",
            )
        return found

    async def pods_of(self, service: str) -> list[Object]:
        """The pods that a Service selects and that are not being deleted.

        Raises:
            Failure: there is no such Service.
        """
        labels = await self._selector(service)
        return alive(await self.all("Pod", labels)) if labels else []

    async def pods_until(
        self,
        service: str,
        test: Callable[[Sequence[Object]], bool],
        *,
        expected: str,
        shown: Callable[[Sequence[Object]], str],
        within: float,
    ) -> Observation:
        """Watch the pods of `pods_of` until `test` holds for them all together.

        Args:
            expected: what is waited for, in the learner's words.
            shown: what is seen of the pods, in few words.
            within: seconds.

        Returns:
            The observation; its `value` is the pods as they were seen last.

        Raises:
            Failure: there is no such Service.
        """
        labels = await self._selector(service)

        def wait(condition: Callable[[Sequence[Object]], bool | None], stop: threading.Event) -> Any:
            if not labels:  # a Service without a selector has no pods, however long one waits
                return condition([]), []
            return self._kube.wait_all("Pod", self._namespace, condition, selector=labels, within=within, stop=stop)

        done, pods, took = await followed(
            wait, lambda pods: test(alive(pods)), shown=lambda pods: shown(alive(pods)), within=within
        )
        pods = alive(pods)
        return Observation(done, f"{expected} within {within:g} s", f"{shown(pods)} after {took:.0f} s", pods)

    async def apply(self, objects: Iterable[Object]) -> None:
        """Server-side apply in the given order, taking over fields that others set."""
        await change(self._kube.apply, objects, self._namespace)

    async def patch(self, kind: str, name: str, patch: Object) -> Object:
        """Merge-patch an object (RFC 7386) and return it."""
        return await change(self._kube.patch, kind, name, patch, self._namespace)

    async def delete(self, kind: str, name: str, grace: int | None = None) -> None:
        """Delete an object, if it exists. `grace` in seconds, None for the object's own.

        It is done even where the check is cancelled meanwhile.
        """
        await change(self._kube.delete, kind, name, self._namespace, grace=grace)

    async def kill(self, pod: str, grace: int | None = None) -> None:
        """Delete a pod as `kubectl delete pod` does, with its own grace period; with `grace=0` as `--force` does."""
        await self.delete("Pod", pod, grace)

    async def gone(self, kind: str, name: str, *, within: float) -> None:
        """Wait until an object is gone.

        Raises:
            LabError: it is still there after `within` seconds.
        """
        await in_thread(self._kube.wait_gone, kind, name, self._namespace, within=within)

    async def logs(
        self,
        pod: str,
        container: str | None = None,
        *,
        tail: int | None = 50,
        previous: bool = False,
        limit: int | None = None,
    ) -> str:
        """The last `tail` lines that a container wrote, or all with None; of these the first `limit` bytes.

        Args:
            previous: of the container's run before its last restart.

        Raises:
            LabError: there is no such pod, container or log.
        """
        return await in_thread(self._kube.logs, pod, self._namespace, container, tail, previous, limit)

    async def run_in(self, pod: str, *command: str, container: str | None = None, within: float = 30) -> Printed:
        """Run a command in a pod's container, as `kubectl exec` does.

        Args:
            within: seconds.

        Raises:
            LabError: there is no such pod or container, or it does not run.
            Unending: the command did not end in time.
            Failure: it printed more than 4 MiB; no command of a checker's does, so the image has another one.
        """

        def run() -> Printed:
            with self._kube.exec(pod, self._namespace, list(command), container) as stream:
                lines = [line for line in stream.lines(within=within, most=_PRINTED) if line]
                return Printed(stream.code, lines, stream.stderr())

        try:
            return await in_thread(run)
        except Unending:
            raise
        except Beyond as beyond:
            seen = Observation(False, f"{command[0]} in pod {pod} prints a few lines", beyond.message, timed=False)
            raise Unmet(seen, f"what the container's image has as {command[0]} prints without end") from beyond

    async def events(self, kind: str, name: str) -> list[Object]:
        """The events about an object, oldest first."""
        return await in_thread(self._kube.events, name, self._namespace, kind)

    async def evidence(self, kind: str, name: str) -> tuple[str, ...]:
        """Why an object is not as it should be, in few lines: its conditions, its pods' states, and warnings."""
        from mlops_lab.measure.pods.evidence import evidence

        return await in_thread(evidence, self._kube, kind, name, self._namespace)

    async def recent_events(self, names: Iterable[tuple[str, str]]) -> list[str]:
        """The last events of objects, and of what bears their names before a hyphen, such as their pods.

        Args:
            names: kind and name of each.
        """
        from mlops_lab.measure.pods.evidence import recent

        return await asyncio.to_thread(recent, self._kube, self._namespace, list(names))

    async def _selector(self, service: str) -> str:
        selector = (await self.service(service))["spec"].get("selector") or {}
        return ",".join(f"{key}={value}" for key, value in selector.items())
