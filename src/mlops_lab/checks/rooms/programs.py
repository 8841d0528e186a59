"""`lab.programs`: programs of the checker's own, in pods outside the lab's namespace."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_lab.checks import current
from mlops_lab.checks.current import in_thread
from mlops_lab.kube.client import Kube, Object

if TYPE_CHECKING:
    from mlops_lab.measure.pods.own_pod import OwnPod, Talk
    from mlops_lab.measure.pods.script import Output


class Conversation:
    """A program in a pod that answers each JSON line with one."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    async def ask(self, said: Mapping[str, Any], *, within: float) -> dict[str, Any]:
        """Say something and take the answer.

        Raises:
            LabError: the program ended, took longer than so many seconds, or said something else.
        """
        return await in_thread(self._talk.ask, said, within=within)

    async def hear(self, *, within: float) -> dict[str, Any]:
        """What it says next; raises as `ask` does."""
        return await in_thread(self._talk.hear, within=within)


class Pod:
    """A pod of the checker's own that is ready.

    Attributes:
        seen: the pod as it was when it became ready.
        address: its IP address; every pod of the cluster reaches it.
    """

    def __init__(self, pod: OwnPod) -> None:
        self._pod = pod
        self.seen: Object = pod.seen
        self.address = pod.address

    @contextlib.asynccontextmanager
    async def talk(self, *words: str) -> AsyncIterator[Conversation]:
        """Start a program in it that answers each JSON line with one; leaving the block closes its input."""
        talk = await in_thread(self._pod.talk, words)
        try:
            yield Conversation(talk)
        finally:
            await asyncio.to_thread(talk.__exit__, None, None, None)


class Programs:
    """Starts programs of the checker's; they have the platform's settings in their environment.

    Args:
        registry: the prefix of image names that the cluster knows.
    """

    def __init__(self, kube: Kube, registry: str, settings: Mapping[str, str]) -> None:
        self._kube, self._registry, self._settings = kube, registry, settings

    async def run(
        self,
        image: str,
        *words: str,
        files: Mapping[str, str | bytes],
        env: Mapping[str, str] | None = None,
        within: float,
    ) -> Output:
        """Run a program in a pod to its end; see `measure.pods.script`.

        Args:
            image: below the cluster's registry, such as `components:1`.
            words: the command, such as `"python3", "/checker/score.py"`.
            files: by name; they lie in /checker. A megabyte in all.
            env: beside the platform's own settings, such as MLFLOW_TRACKING_URI.
            within: seconds.

        Raises:
            LabError: the pod could not run, or did not end in time.
        """
        return await self._run(image, words, files=files, env={**self._settings, **(env or {})}, within=within)

    async def apart(
        self,
        image: str,
        *words: str,
        files: Mapping[str, str | bytes],
        env: Mapping[str, str] | None = None,
        prepare: Sequence[str] = (),
        prepare_env: Mapping[str, str] | None = None,
        hides: Sequence[str] = (),
        within: float,
    ) -> Output:
        """Run a program in a pod that nobody reaches, and that reaches nobody: for what a learner has made.

        Args:
            image, words, files, within: as for `run`.
            env: the whole environment that it gets beside the image's; not the platform's settings.
            prepare: the command of a program of the checker's that ends before it begins. It has the platform's
                settings, reaches the platform, and puts into /prepared what the other one may read there.
            prepare_env: of that program, beside the settings.
            hides: folders of the image that the other program finds empty.

        Raises:
            LabError: the pod could not run, or did not end in time.
        """
        from mlops_lab.measure.pods.script import Apart

        apart = Apart(prepare, {**self._settings, **(prepare_env or {})}, hides)
        return await self._run(image, words, files=files, env=env or {}, within=within, apart=apart)

    async def _run(self, image: str, words: Sequence[str], **more: Any) -> Output:
        from mlops_lab.measure.pods.script import run_script

        stop = threading.Event()
        with current.waits():
            try:
                return await asyncio.to_thread(
                    run_script, self._kube, f"{self._registry}/{image}", list(words), stop=stop, **more
                )
            finally:
                stop.set()

    @contextlib.asynccontextmanager
    async def pod(
        self,
        image: str,
        *words: str,
        files: Mapping[str, str | bytes],
        env: Mapping[str, str] | None = None,
        readiness: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[Pod]:
        """A pod with a program that stays while the block runs.

        Args:
            image, words, files, env: as for `run`, without the platform's settings.
            readiness: the container's readinessProbe; the block begins when the pod is ready.

        Raises:
            LabError: the pod did not become ready.
        """
        from mlops_lab.measure.pods.own_pod import OwnPod

        pod = OwnPod(self._kube, f"{self._registry}/{image}", words, files=files, env=env or {}, readiness=readiness)
        try:
            await in_thread(pod.start)
            yield Pod(pod)
        finally:
            await asyncio.to_thread(pod.delete)
