"""Port forwards from this process to the platform's services, each made on demand, ended with `close`.

A port forward breaks when the pod behind it is replaced; `lost` ends it, and the next request makes a new one. So does
a request after `close`, since an interrupted check still restores what it changed. That one ends with this object.
"""

from __future__ import annotations

import threading
import weakref

from mlops_lab.cluster.kubectl import Kubectl
from mlops_lab.cluster.port_forward import PortForward
from mlops_lab.kube.client import Kube
from mlops_lab.platform.releases import RELEASES


class PortForwards:
    """The port forwards that one run of checks uses; its methods may be called from many threads."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self._kubectl = Kubectl(kube.context, str(kube.kubeconfig or ""))
        self._lock = threading.Lock()
        self._forwards: dict[str, PortForward] = {}
        weakref.finalize(self, _close, self._forwards)

    def address(self, page: str) -> str:
        """Where a page of the platform answers on this machine, such as `http://127.0.0.1:41231`.

        Args:
            page: by its name in `platform.releases`, such as `mlflow`, `prometheus` or `pipelines`.

        Raises:
            LabError: the API server does not answer, or there is no ready pod behind the page.
        """
        return self._to(page).address()

    def lost(self, page: str, address: str = "") -> None:
        """Forget the port forward to a page that did not answer.

        Args:
            address: where it was asked; what another thread has made meanwhile stays. Empty for any.
        """
        self._to(page).lost(address)

    def close(self) -> None:
        """End all port forwards that there are."""
        _close(self._forwards)

    def _to(self, page: str) -> PortForward:
        with self._lock:
            if page not in self._forwards:
                self._forwards[page] = self._made(page)
            return self._forwards[page]

    def _made(self, page: str) -> PortForward:
        release, found = next((release, each) for release in RELEASES for each in release.pages if each.name == page)
        return PortForward(
            self._kubectl,
            release.namespace,
            found.service,
            found.port,
            # If the API server goes away now, kubectl blocks: for three of the connection's limits at most, in all.
            within=2 * self.kube.timeout,
            hint=f"see what is wrong with {release.part}: lab status",
            # Fails within its own limit if the API server is away, while kubectl waits long.
            before=self.kube.version,
        )


def _close(forwards: dict[str, PortForward]) -> None:
    for each in list(forwards.values()):
        each.close()
