"""Figures of nodes, from their kubelets themselves: by the API server they need a right over all that runs there.

To the API server all of a kubelet is one thing, `nodes/proxy`, with which a program can be run in any pod. A kubelet
that is asked itself tells its figures (`nodes/stats`, `nodes/metrics`) to whom may read these and nothing else:
https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/#kubelet-authorization

Kubelets' certificates are often their own, which nobody can check. So what is sent there is a token of an account that
may do nothing else: who listens gets figures.
"""

from __future__ import annotations

import http.client
import re
import ssl
import threading
import time
from collections.abc import Callable

import msgspec

from mlops_lab.base.errors import broken_connection, transient_status
from mlops_lab.kube import tokens
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.errors import Refused, Unreachable

ACCOUNT = "kubelets"  # in the class's own namespace, and a Secret of that name that its tokens go with
PORT = 10250
_PATH = re.compile(r"/api/v1/nodes/([^/?]+)/proxy(/(?:stats/summary|metrics/cadvisor)(?:\?.*)?)")
_SECONDS = 3600  # of a token
_RENEWED_AT = 0.5  # of that time
_LARGEST = 64 << 20  # bytes of an answer

Ways = tuple[tuple[str, int], ...]


def address(node: Object) -> tuple[str, int] | None:
    """Where a node's kubelet listens."""
    status = node.get("status") or {}
    hosts = [str(each["address"]) for each in status.get("addresses") or [] if each["type"] == "InternalIP"]
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port") or PORT
    return (hosts[0], int(port)) if hosts else None


def ways(kube: Kube) -> Ways:
    """Where all of them listen."""
    found = {where for node in kube.list("Node") if (where := address(node))}
    return tuple(sorted(found))


class Direct(Kube):
    """A connection by which figures of nodes come from their kubelets.

    Args:
        kube: a connection that may have tokens of the account, and see nodes.
        namespace: of the account.
    """

    def __init__(self, kube: Kube, namespace: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(kube.api_client, kube.context, kube.kubeconfig, kube._discovery, kube.timeout)
        self._namespace, self._clock = namespace, clock
        self._token, self._until = "", float("-inf")
        self._lock = threading.Lock()

    def raw(self, path: str, what: str) -> Object:
        if (content := self._figures(path, what)) is None:
            return super().raw(path, what)
        try:
            found: Object = msgspec.json.decode(content)
        except msgspec.MsgspecError as other:
            raise Unreachable(f"{what}: the kubelet answers something else", "check again", transient=True) from other
        return found

    def text(self, path: str, what: str) -> str:
        content = self._figures(path, what)
        return super().text(path, what) if content is None else content.decode(errors="replace")

    def _figures(self, path: str, what: str) -> bytes | None:
        """What a kubelet says; None where it is not one that is asked."""
        found = _PATH.fullmatch(path)
        if found is None:
            return None
        where = address(self.get("Node", found[1]))
        if where is None:
            raise Unreachable(f"{what}: node {found[1]} has no address", "see: kubectl get nodes -o wide")
        status, content = self._asked(where, found[2], what)
        if status == 401:  # the token went before its time, as when its Secret was made anew
            self._until = float("-inf")
            status, content = self._asked(where, found[2], what)
        if status == 200:
            return content
        said = f"{what}: the kubelet answers with status {status}"
        if transient_status(status):
            raise Unreachable(said, "check again", transient=True)
        raise Refused(said, f"see the rights of the account {ACCOUNT} in {self._namespace}", status)

    def _asked(self, where: tuple[str, int], path: str, what: str) -> tuple[int, bytes]:
        token, context = self._valid(), ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(*where, timeout=self.timeout, context=context)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            content = answer.read(_LARGEST + 1)
            if len(content) > _LARGEST:
                raise http.client.HTTPException("its answer is too long")
            return answer.status, content
        except (OSError, http.client.HTTPException) as down:
            raise Unreachable(
                f"{what}: the kubelet at {where[0]} port {where[1]} does not answer ({type(down).__name__})",
                "see whether pods of graders reach nodes there", transient=broken_connection(down),
            ) from down  # fmt: skip
        finally:
            connection.close()

    def _valid(self) -> str:
        with self._lock:  # checks ask side by side
            if self._clock() > self._until:
                secret = self.get("Secret", ACCOUNT, self._namespace)
                self._token = tokens.issue(self, ACCOUNT, self._namespace, _SECONDS, secret).token
                self._until = self._clock() + _SECONDS * _RENEWED_AT
            return self._token
