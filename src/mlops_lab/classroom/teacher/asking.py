"""The class's server, as its teacher asks it: through a port forward, with the teacher's token, over TLS."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from mlops_lab.base.errors import LabError, UsageError, broken_connection, transient_status
from mlops_lab.classroom.teacher.place import NAMESPACE, PORT, SERVER, Place
from mlops_lab.cluster.port_forward import forward

_TIMEOUT = 60.0  # s without a byte
_TRIES = 5
_PAUSE = 1.0  # s before the second try; each later one waits twice as long
_LONGEST_PAUSE = 10.0  # s that a server may ask to wait
_LOG = f"see its log: kubectl -n {NAMESPACE} logs deployment/server"

_END = "-----END CERTIFICATE-----\n"

Shape = TypeVar("Shape")


class Forbidden(LabError):
    """The server does not know the token."""


class _Refusal(msgspec.Struct):
    error: str = ""
    next: str = ""


class Server:
    """The server.

    Args:
        port: where it is on 127.0.0.1.
        token: the teacher's.
        trusted: what its certificate is checked with (PEM); empty for the authorities of this machine.
        name: the name that its certificate is for.
        wait: waits so many seconds.
    """

    def __init__(
        self, port: int, token: str, trusted: str, name: str, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._port, self._token, self._name, self._wait = port, token, name, wait
        self._context = ssl.create_default_context(cadata=trusted or None)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2

    def get(self, path: str, shape: type[Shape]) -> Shape:
        """Ask for something below `/api/v1/`.

        Raises:
            LabError: the server does not answer, or not with that.
            UsageError: it refuses.
        """
        return self._shaped(self.text("GET", path), shape)

    def post(self, path: str, shape: type[Shape], **values: Any) -> Shape:
        """Have it do something; raises as `get`."""
        return self._shaped(self.text("POST", path, msgspec.json.encode(values)), shape)

    def text(self, method: str, path: str, body: bytes = b"", token: str = "") -> bytes:
        """An answer as it comes; raises as `get`.

        Args:
            token: another one than the teacher's.
        """
        for again in range(_TRIES):
            pause = _PAUSE * 2**again
            try:
                status, content, later = self._once(method, path, body, token or self._token)
            except ssl.SSLCertVerificationError as wrong:
                raise LabError(
                    f"the server's certificate is not the class's: {wrong.verify_message}",
                    f"have it made again (kubectl -n {NAMESPACE} delete secret class-tls, then lab class up), or renew"
                    " the Secret that you brought as tls.existingSecret; the server takes it up within two minutes",
                ) from wrong
            except (OSError, http.client.HTTPException) as trouble:
                reason = "it closed the connection" if broken_connection(trouble) else str(trouble) or "no answer"
                problem = LabError(f"the class's server does not answer: {reason}", _LOG)
            else:
                if status < 300:
                    return content
                problem = _refusal(status, content)
                if not transient_status(status):
                    raise problem
                pause = min(max(pause, later), _LONGEST_PAUSE)
            if again == _TRIES - 1:
                raise problem
            self._wait(pause)
        raise AssertionError("unreachable")

    def knows(self, token: str) -> bool:
        """Is this a learner's token that works?

        Raises:
            LabError: the server does not answer.
        """
        try:
            self.text("GET", "me", token=token)
        except Forbidden:
            return False
        return True

    def _once(self, method: str, path: str, body: bytes, token: str) -> tuple[int, bytes, float]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT)
        try:
            plain = socket.create_connection(("127.0.0.1", self._port), _TIMEOUT)
            connection.sock = self._context.wrap_socket(plain, server_hostname=self._name)
            headers = {"Authorization": f"Bearer {token}", "Host": f"127.0.0.1:{self._port}"}
            connection.request(method, f"/api/v1/{path}", body or None, headers)
            answer = connection.getresponse()
            later = answer.getheader("Retry-After", "")
            return answer.status, answer.read(), float(later) if later.isdecimal() else 0
        finally:
            connection.close()

    @staticmethod
    def _shaped(content: bytes, shape: type[Shape]) -> Shape:
        try:
            return msgspec.json.decode(content, type=shape)
        except (ValueError, RecursionError) as other:
            raise LabError(
                f"the class's server answers something else than this `lab` understands: {other}",
                "bring both to one version: lab class up --roster roster.csv",
            ) from other


@contextlib.contextmanager
def asking(place: Place) -> Iterator[Server]:
    """The server of a class, while the block runs.

    Raises:
        LabError: it can't be reached.
    """
    told = place.told()
    secret = place.secret(told.value("server", "existingSecret") or "class")
    tls, name = trust(place)
    with forward(place.kubectl, NAMESPACE, SERVER, PORT) as port:
        yield Server(port, secret.get("teacher", ""), tls, name)


def trust(place: Place) -> tuple[str, str]:
    """What the server's certificate is checked with (PEM; empty for the machine's authorities), and for which name."""
    told = place.told()
    own = told.value("tls", "existingSecret")
    hosts = told.value("server", "hosts")
    return place.secret(own or "class-tls").get("ca.crt", ""), (hosts[0] if own and hosts else "localhost")


def fingerprint(place: Place) -> str:
    """The SHA-256 fingerprint of the server's certificate, as browsers show it; empty where it can't be told."""
    pem = place.secret(place.told().value("tls", "existingSecret") or "class-tls").get("tls.crt", "")
    if not pem:
        return ""
    # A brought certificate may come with others behind it.
    der = ssl.PEM_cert_to_DER_cert(pem.partition(_END)[0] + _END)
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest())


def _refusal(status: int, content: bytes) -> LabError:
    try:
        said = msgspec.json.decode(content, type=_Refusal)
    except (ValueError, RecursionError):
        said = _Refusal()
    kind = LabError if transient_status(status) else Forbidden if status in (401, 403) else UsageError
    what = said.error or f"the class's server answers with status {status}"
    return kind(what, said.next or _LOG)
