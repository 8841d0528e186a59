"""A connection for which one namespace lies in another: what is made there by its old name is made in the new one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_lab.kube.client import Kube
from mlops_lab.kube.execs import ExecStream
from mlops_lab.kube.objects import Objects


class Elsewhere(Kube):
    """As the connection that it is made of, but for one namespace.

    Args:
        moved: the namespace's name in what is asked.
        to: where it lies.
    """

    def __init__(self, kube: Kube, moved: str, to: str) -> None:
        super().__init__(kube.api_client, kube.context, kube.kubeconfig, kube._discovery, kube.timeout)
        self._moved, self._to = moved, to

    def place(self, namespace: str | None) -> str | None:
        """Where a namespace lies."""
        return self._to if namespace == self._moved else namespace

    def logs(
        self,
        pod: str,
        namespace: str,
        container: str | None = None,
        tail: int | None = 50,
        previous: bool = False,
        limit: int | None = None,
    ) -> str:
        return super().logs(pod, self.place(namespace) or "", container, tail, previous, limit)

    def events(self, name: str, namespace: str, kind: str | None = None) -> Objects:
        return super().events(name, self.place(namespace) or "", kind)

    def exec(self, pod: str, namespace: str, command: Sequence[str], container: str | None = None) -> ExecStream:
        return super().exec(pod, self.place(namespace) or "", command, container)

    def evict(self, pod: str, namespace: str, *, dry_run: bool = False) -> None:
        super().evict(pod, self.place(namespace) or "", dry_run=dry_run)

    def _resource(self, kind: str, api_version: str | None) -> Any:
        return _Moved(super()._resource(kind, api_version), self)


class _Moved:
    """A kind's own client, asked in the place where things lie."""

    def __init__(self, resource: Any, of: Elsewhere) -> None:
        self._resource, self._of = resource, of

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._resource, name)
        if not callable(found):
            return found

        def asked(**given: Any) -> Any:
            if "namespace" in given:
                given["namespace"] = self._of.place(given["namespace"])
            meta = (given.get("body") or {}).get("metadata") or {}
            if "namespace" in meta:
                meta = {**meta, "namespace": self._of.place(meta["namespace"])}
                given["body"] = {**given["body"], "metadata": meta}
            return found(**given)

        return asked
