"""Ways from this process to the platform's services: a port-forward each, made when asked for, ended with `close`.

A way breaks when the pod behind it is replaced; `lost` drops it, and the next question makes a new one. So does one
after `close`: a check that is interrupted still puts back what it changed. That way ends with this object.
"""

from __future__ import annotations

import contextlib
import threading
import weakref

from mlops_lab.base.errors import LabError
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.kube.client import Kube
from mlops_lab.platform.pages import forwarding
from mlops_lab.platform.releases import RELEASES


class Ways:
    """The ways that one run of checks uses; its methods may be called from many threads."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self._kubectl = Kubectl(kube.context, str(kube.kubeconfig or ""))
        self._lock = threading.Lock()
        self._open: dict[str, tuple[contextlib.ExitStack, str]] = {}
        weakref.finalize(self, _end, self._open)

    def address(self, page: str) -> str:
        """Where a page of the platform answers on this machine, such as `http://127.0.0.1:41231`.

        Args:
            page: by its name in `platform.releases`, such as `mlflow`, `prometheus` or `pipelines`.

        Raises:
            LabError: the API server does not answer, or there is no ready pod behind the page.
        """
        with self._lock:
            if page not in self._open:
                self._open[page] = self._forward(page)
            return self._open[page][1]

    def lost(self, page: str, address: str = "") -> None:
        """Forget the way to a page that did not answer.

        Args:
            address: where it was asked; the way that another thread has made meanwhile stays. Empty for any.
        """
        with self._lock:
            if page in self._open and address in ("", self._open[page][1]):
                self._open.pop(page)[0].close()

    def close(self) -> None:
        """End all ways that there are."""
        with self._lock:
            _end(self._open)

    def _forward(self, page: str) -> tuple[contextlib.ExitStack, str]:
        release, found = next((release, each) for release in RELEASES for each in release.pages if each.name == page)
        self.kube.version()  # says within its own limit that the API server is away, where kubectl would wait long
        with contextlib.ExitStack() as stack:
            try:
                # An API server that goes away just now holds kubectl up: three of the connection's limits in all.
                within = 2 * self.kube.timeout
                way = forwarding(self._kubectl, release.namespace, f"service/{found.service}", found.port, 0, within)
                _, port = stack.enter_context(way)
            except LabError as trouble:
                raise LabError(trouble.message, f"see how {release.part} is: lab status", trouble.detail) from trouble
            return stack.pop_all(), f"http://127.0.0.1:{port}"
        raise AssertionError("unreachable")


def _end(ways: dict[str, tuple[contextlib.ExitStack, str]]) -> None:
    while ways:
        _, (way, _) = ways.popitem()
        way.close()
