"""The way to Prometheus: a forwarded port (see `pages`), made anew when it broke."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from types import TracebackType

from mlops_lab.base.errors import LabError
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.platform import pages


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
        self._open = contextlib.ExitStack()
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
                self._begin()
            return f"http://127.0.0.1:{self._local}"

    def lost(self) -> None:
        """End it; the next `address` makes another."""
        with self._lock:
            self._end()

    def _begin(self) -> None:
        way = pages.forwarding(self._kubectl, self._namespace, f"service/{self._service}", self._port, 0)
        try:
            self._child, self._local = self._open.enter_context(way)
        except pages.NoWay as failed:
            raise LabError(
                f"{self._service} in {self._namespace} can't be reached",
                "install it (lab up --with monitoring), or see what it lacks: lab status",
                failed.message,
            ) from failed

    def _end(self) -> None:
        self._child = None
        self._open.close()
