"""Ways from this process to the platform's services: a port-forward each, made when asked for, ended with `close`.

A way breaks when the pod behind it is replaced; `lost` drops it, and the next question makes a new one. After `close`
there are none any more: a thread that is still at work then, since nobody can end it, leaves no port-forward behind.
"""

from __future__ import annotations

import contextlib
import threading

from mlops_lab.base.errors import LabError
from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.kube.client import Kube
from mlops_lab.platform.pages import forwarding
from mlops_lab.platform.releases import RELEASES


class Ways:
    """The ways that one run of checks uses; its methods may be called from many threads."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self._kubectl = Kubectl(kube.context, str(kube.kubeconfig))
        self._lock = threading.Lock()
        self._open: dict[str, tuple[contextlib.ExitStack, str]] = {}
        self._closed = False

    def address(self, page: str) -> str:
        """Where a page of the platform answers on this machine, such as `http://127.0.0.1:41231`.

        Args:
            page: by its name in `platform.releases`, such as `mlflow`, `prometheus` or `pipelines`.

        Raises:
            LabError: the API server does not answer, there is no ready pod behind the page, or the ways are closed.
        """
        with self._lock:
            if self._closed:
                raise LabError(f"{page} is not asked any more: the checks are over", "check again")
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
        """End all ways, for good."""
        with self._lock:
            self._closed = True
            for way, _ in self._open.values():
                way.close()
            self._open.clear()

    def _forward(self, page: str) -> tuple[contextlib.ExitStack, str]:
        release, found = next((release, each) for release in RELEASES for each in release.pages if each.name == page)
        self.kube.version()  # says within its own limit that the API server is away, where kubectl would wait long
        with contextlib.ExitStack() as stack:
            try:
                way = forwarding(self._kubectl, release.namespace, f"service/{found.service}", found.port, 0)
                _, port = stack.enter_context(way)
            except LabError as trouble:
                raise LabError(trouble.message, f"see how {release.part} is: lab status", trouble.detail) from trouble
            return stack.pop_all(), f"http://127.0.0.1:{port}"
        raise AssertionError("unreachable")
