"""The class's server, as its teacher asks it: through a port forward, with the teacher's token, over TLS."""

from __future__ import annotations

import contextlib
import hashlib
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from mlops_lab.base.errors import LabError, UsageError, transient_status
from mlops_lab.classroom.client import Client, Patience, Refusal, Words, trusting
from mlops_lab.classroom.teacher.place import NAMESPACE, PORT, SERVER, Place
from mlops_lab.cluster.port_forward import forward

_PATIENCE = Patience(longest=10.0, tries=5, silence=60.0)
_LOG = f"see its log: kubectl -n {NAMESPACE} logs deployment/server"

_END = "-----END CERTIFICATE-----\n"

Shape = TypeVar("Shape")


class Forbidden(LabError):
    """The server does not know the token."""


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
        self._token, context = token, trusting(trusted)
        self._client = Client(
            f"https://127.0.0.1:{port}", _WORDS, _PATIENCE, trusted=lambda: context, name=name, wait=wait
        )

    def get(self, path: str, shape: type[Shape]) -> Shape:
        """Ask for something below `/api/v1/`.

        Raises:
            LabError: the server does not answer, or not with that.
            UsageError: it refuses.
        """
        return self._client.shaped(self.text("GET", path), shape)

    def post(self, path: str, shape: type[Shape], **values: Any) -> Shape:
        """Have it do something; raises as `get`."""
        return self._client.shaped(self.text("POST", path, msgspec.json.encode(values)), shape)

    def text(self, method: str, path: str, body: bytes = b"", token: str = "") -> bytes:
        """An answer as it comes; raises as `get`.

        Args:
            token: another one than the teacher's.
        """
        return self._client.ask(method, f"/api/v1/{path}", {}, body, token or self._token)[1]

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


def _refused(status: int, said: Refusal) -> LabError:
    kind = LabError if transient_status(status) else Forbidden if status in (401, 403) else UsageError
    return kind(said.error or f"the class's server answers with status {status}", said.next or _LOG)


_WORDS = Words(
    stranger=(
        "the server's certificate is not the class's: {}",
        f"have it made again (kubectl -n {NAMESPACE} delete secret class-tls, then lab class up), or renew"
        " the Secret that you brought as tls.existingSecret; the server takes it up within two minutes",
    ),
    silent=("the class's server does not answer: {}", _LOG),
    other=(
        "the class's server answers something else than this `lab` understands: {}",
        "bring both to one version: lab class up --roster roster.csv",
    ),
    refused=_refused,
)
