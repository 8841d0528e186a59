"""Port forwards: a port of a pod or Service on 127.0.0.1, by `kubectl port-forward`.

They enter a pod through its node, so they need nothing exposed and no hole in a NetworkPolicy.
"""

from __future__ import annotations

import contextlib
import re
import select
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import IO, Self

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import ended
from mlops_lab.cluster.kubectl import Kubectl

_FORWARDING = re.compile(rb"Forwarding from 127\.0\.0\.1:(\d+)")
_START = 20.0  # s that kubectl may take to listen
_HINT = "see what is wrong with it: lab status"
_BUSY = "if nothing is, this machine is too busy: close other programs, and try again"


class ForwardFailed(LabError):
    """kubectl forwards nothing; the message ends with what it said."""


class PortForward:
    """A forwarded port of a Service, made when it is asked for and again when it broke; as a context manager, too.

    Its methods may be called from many threads.

    Args:
        kubectl: on the cluster.
        namespace: the Service's.
        service: its name.
        port: its port.
        within: seconds that kubectl may take to listen.
        hint: what the user should do if it can't be made.
        before: called before one is made; what it raises comes instead.
    """

    def __init__(
        self,
        kubectl: Kubectl,
        namespace: str,
        service: str,
        port: int,
        *,
        within: float = _START,
        hint: str = _HINT,
        before: Callable[[], object] = lambda: None,
    ) -> None:
        self._kubectl, self._namespace, self._service, self._port = kubectl, namespace, service, port
        self._within, self._hint, self._before = within, hint, before
        self._lock = threading.Lock()
        self._open = contextlib.ExitStack()
        self._child: subprocess.Popen[bytes] | None = None
        self._local = 0

    def __enter__(self) -> Self:
        self.address()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def address(self) -> str:
        """Where the Service answers on this machine now, such as `http://127.0.0.1:40123`.

        Raises:
            ForwardFailed: kubectl could not.
            LabError: there is no kubectl.
        """
        with self._lock:
            if self._child is None or self._child.poll() is not None:
                self._end()
                self._begin()
            return self._address()

    def lost(self, address: str = "") -> None:
        """End a port forward through which nothing answered; the next `address` makes another.

        Args:
            address: where it was asked; what another thread has made meanwhile stays. Empty for any.
        """
        with self._lock:
            if address in ("", self._address()):
                self._end()

    def close(self) -> None:
        """End it."""
        self.lost()

    def _address(self) -> str:
        return f"http://127.0.0.1:{self._local}"

    def _begin(self) -> None:
        self._before()
        service = f"service/{self._service}"
        begun = forwarding(self._kubectl, self._namespace, service, self._port, 0, self._within, self._hint)
        self._child, self._local = self._open.enter_context(begun)

    def _end(self) -> None:
        self._child = None
        self._open.close()


@contextlib.contextmanager
def forward(kubectl: Kubectl, namespace: str, target: str, port: int, local: int = 0) -> Iterator[int]:
    """Forward a port of a pod or Service to 127.0.0.1 while the block runs.

    Args:
        target: such as `service/mlflow` or `pod/mlflow-0`.
        local: the port on 127.0.0.1; 0 means any.

    Yields:
        The port on 127.0.0.1.

    Raises:
        ForwardFailed: kubectl could not.
        LabError: there is no kubectl.
    """
    with forwarding(kubectl, namespace, target, port, local) as (_, listening):
        yield listening


@contextlib.contextmanager
def forwarding(
    kubectl: Kubectl, namespace: str, target: str, port: int, local: int, within: float = _START, hint: str = _HINT
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The same as `forward`, and the program that forwards: when it has ended, so has the forwarding.

    Args:
        within: seconds that kubectl may take to listen.
        hint: what the user should do if it can't be made.
    """
    words = ("port-forward", "--address", "127.0.0.1", "-n", namespace, target, f"{local or ''}:{port}")
    with ended(kubectl.start(*words), within=5) as child:
        assert child.stdout
        limit, said = time.monotonic() + within, b""
        while not (found := _FORWARDING.search(said)):
            ready, _, _ = select.select([child.stdout], [], [], max(0, limit - time.monotonic()))
            more = child.stdout.read1(4096) if ready else b""  # type: ignore[attr-defined]
            said += more
            if not more:
                if text := said.decode(errors="replace").strip():
                    raise ForwardFailed(f"{target} can't be reached: {text}", hint)
                silent = f"kubectl port-forward {'ended' if ready else f'took {within:.0f} s'} and said nothing"
                raise ForwardFailed(f"{target} can't be reached: {silent}", f"{hint}; {_BUSY}")
        # It tells of every connection; unread, that would fill the pipe and hold it up.
        threading.Thread(target=_discard, args=(child.stdout,), daemon=True).start()
        yield child, int(found.group(1))


def _discard(stream: IO[bytes]) -> None:
    """Read it to its end, and keep nothing: a forward may go on for days."""
    while stream.read(1 << 16):
        pass
