"""A pod of the checker's own that stays for a while: a server to compare with, or a program that answers line by line.

Like `script`, it runs in the tool's namespace with restricted rights and no credentials of the cluster. Kubernetes ends
it after `LIVES`, even if this process is killed.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.execs import ExecStream
from mlops_lab.kube.objects import is_ready
from mlops_lab.measure.cluster.environment import SYSTEM_NAMESPACE
from mlops_lab.measure.pods.evidence import evidence, pod_state
from mlops_lab.measure.pods.removal import remove
from mlops_lab.measure.pods.script import objects

READY_WITHIN = 120.0  # s; a busy node starts pods slowly
LIVES = 900.0  # s


class OwnPod:
    """One pod, from `start` to `delete`.

    Args:
        image: by the name that the cluster knows.
        words: the command.
        files: by name; they lie in /checker. A megabyte in all.
        env: environment variables.
        readiness: the container's readinessProbe; without one it is ready when it runs.

    Attributes:
        name: in `environment.SYSTEM_NAMESPACE`.
        seen: the pod as it was when it became ready; empty before.
    """

    def __init__(
        self,
        kube: Kube,
        image: str,
        words: Sequence[str],
        *,
        files: Mapping[str, str | bytes],
        env: Mapping[str, str],
        readiness: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = f"own-{uuid.uuid4().hex[:8]}"
        self.seen: Object = {}
        self._kube = kube
        self._objects = objects(self.name, image, list(words), files, env, LIVES)
        if readiness:
            self._objects[-1]["spec"]["containers"][0]["readinessProbe"] = dict(readiness)
        self._stop = threading.Event()

    @property
    def address(self) -> str:
        """Its IP address; every pod of the cluster reaches it."""
        return str(self.seen["status"]["podIP"])

    def start(self) -> None:
        """Make it, and wait until it is ready.

        Raises:
            LabError: it does not become so within `READY_WITHIN`.
        """
        try:
            self._kube.apply(self._objects)
            done, pod = self._kube.wait(
                "Pod", self.name, SYSTEM_NAMESPACE, _ready, within=READY_WITHIN, stop=self._stop
            )
        finally:
            if self._stop.is_set():  # it may have been made after `delete` looked for it
                self.delete()
        if not done or not pod or not is_ready(pod):
            raise LabError(
                f"the checker's own pod is not ready after {READY_WITHIN:g} s: {pod_state(pod) if pod else 'gone'}",
                "see what is wrong with the cluster: lab status",
                "\n".join(evidence(self._kube, "Pod", self.name, SYSTEM_NAMESPACE)),
            )
        self.seen = pod

    def talk(self, words: Sequence[str]) -> Talk:
        """Start a program in it that answers each line with one."""
        return Talk(self._kube.exec(self.name, SYSTEM_NAMESPACE, list(words)), words[-1])

    def delete(self) -> None:
        """Delete it and its files; a `start` under way in another thread ends.

        Raises:
            LabError: the API server is away for too long.
        """
        self._stop.set()
        remove(self._kube, self._objects)


class Talk:
    """A program that reads a JSON object a line, and answers each with one; leaving the block closes its input."""

    def __init__(self, stream: ExecStream, what: str) -> None:
        self._stream, self._what = stream, what

    def ask(self, said: Mapping[str, Any], *, within: float) -> dict[str, Any]:
        """Say something and take the answer.

        Raises:
            LabError: the program ended, took longer than so many seconds, or said something else.
        """
        self._stream.write(json.dumps(said) + "\n")
        return self.hear(within=within)

    def hear(self, *, within: float) -> dict[str, Any]:
        """What it says next; raises as `ask` does."""
        for line in self._stream.lines(within=within):
            if not line:
                continue
            try:
                return dict(json.loads(line))
            except ValueError as broken:
                raise self._trouble(f"said {line[:80]!r}, which is no JSON object") from broken
        raise self._trouble("ended")

    def _trouble(self, how: str) -> LabError:
        return LabError(
            f"the checker's own program {self._what} {how}", "see what is wrong with the cluster: lab status",
            self._stream.stderr()[-2000:],
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()


def _ready(pod: Object | None) -> bool | None:
    """True also when nothing more is to come: the pod is gone, or has ended."""
    over = pod is None or pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return True if over or is_ready(pod) else None
