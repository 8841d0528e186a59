"""One question to the class's server, asked again while it has trouble of its own: how learner, teacher, grader do it.

Nothing but its own address is talked to: no redirect is followed and no proxy used, as either could read the token.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from mlops_lab.base.errors import LabError, broken_connection, transient_status

_FIRST_PAUSE = 1.0  # s before the second try; each later one waits twice as long

Shape = TypeVar("Shape")


@dataclass(frozen=True)
class Refusal:
    """What the server says where it does not do as it is asked."""

    error: str = ""
    next: str = ""


@dataclass(frozen=True)
class Words:
    """What is said where there is no answer: what happened, with the reason for `{}`, and what to do next.

    Attributes:
        stranger: its certificate is another one's.
        silent: it is not to be reached, or breaks off.
        other: it answers something that is not of this version.
        refused: makes the error of a status.
    """

    stranger: tuple[str, str]
    silent: tuple[str, str]
    other: tuple[str, str]
    refused: Callable[[int, Refusal], LabError]


@dataclass(frozen=True)
class Patience:
    """How long to ask again.

    Attributes:
        longest: seconds between two tries at most, also where the server asks to wait longer.
        tries: at most; None for no limit.
        seconds: after which no other try begins.
        silence: seconds without a byte that end a try.
    """

    longest: float
    tries: int | None = None
    seconds: float = float("inf")
    silence: float = 20.0


class Client:
    """The class's server at an address.

    Args:
        address: such as `https://127.0.0.1:8443`, with a path or without; what is asked for lies below it.
        words: what is said where there is no answer.
        patience: how long to ask again.
        trusted: makes what its certificate is checked with, for https; at each try.
        name: the name that its certificate is for, if it is another one than the address's host.
        largest: bytes of an answer; None for no limit.
        wait: waits so many seconds.
    """

    def __init__(
        self,
        address: str,
        words: Words,
        patience: Patience,
        *,
        trusted: Callable[[], ssl.SSLContext],
        name: str = "",
        largest: int | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._parts, self._words, self._patience, self._wait = urlsplit(address), words, patience, wait
        self._trusted, self._name, self._largest = trusted, name, largest

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", token: str = ""
    ) -> tuple[int, bytes]:
        """Status, below 300, and body of the answer.

        Args:
            token: who asks.

        Raises:
            LabError: it does not answer, or another server does; what `refused` makes where it refuses.
        """
        own = {"Authorization": f"Bearer {token}", **headers}
        until, usual = time.monotonic() + self._patience.seconds, _FIRST_PAUSE
        for tried in count(1):
            later = 0.0
            try:
                status, content, later = self._once(method, path, own, body)
            except ssl.SSLCertVerificationError as wrong:
                raise _said(self._words.stranger, wrong.verify_message) from wrong
            except (OSError, http.client.HTTPException) as trouble:
                problem = _said(self._words.silent, _reason(trouble), transient=True)
            else:
                if status < 300:
                    return status, content
                problem = self._words.refused(status, _refusal(content))
                if not transient_status(status):
                    raise problem
            pause = min(max(usual, later), self._patience.longest)
            if tried == self._patience.tries or time.monotonic() + pause > until:
                raise problem
            self._wait(pause)
            usual = min(2 * usual, self._patience.longest)
        raise AssertionError("unreachable")

    def shaped(self, content: bytes, shape: type[Shape]) -> Shape:
        """An answer's content.

        Raises:
            LabError: it is something else.
        """
        try:
            return msgspec.json.decode(content, type=shape)
        except (ValueError, RecursionError) as other:
            raise _said(self._words.other, other) from other

    def _once(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes, float]:
        """Status and body of one answer, and after how many seconds it asks to come again (0: it does not)."""
        connection = self._connection()
        try:
            connection.request(method, self._parts.path.rstrip("/") + path, body or None, dict(headers))
            answer = connection.getresponse()
            content = answer.read() if self._largest is None else answer.read(self._largest + 1)
            if self._largest is not None and len(content) > self._largest:
                raise http.client.HTTPException("its answer is too long")
            later = answer.getheader("Retry-After", "")
            return answer.status, content, float(later) if later.isdecimal() else 0.0
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, silence = self._parts.hostname or "", self._patience.silence
        if self._parts.scheme != "https":
            return http.client.HTTPConnection(host, self._parts.port, timeout=silence)
        port = self._parts.port or http.client.HTTPS_PORT
        connection = http.client.HTTPConnection(host, port, timeout=silence)
        connection.default_port = http.client.HTTPS_PORT  # which no Host header names
        plain = socket.create_connection((host, port), silence)
        connection.sock = self._trusted().wrap_socket(plain, server_hostname=self._name or host)
        return connection


def trusting(authorities: str = "", certificate: Path | None = None) -> ssl.SSLContext:
    """What a server's certificate is checked with: these authorities and no other; without any, those of this machine.

    Args:
        authorities: their certificates, as PEM.
        certificate: a file with such.
    """
    context = ssl.create_default_context(cadata=authorities or None, cafile=certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _reason(trouble: Exception) -> str:
    if isinstance(trouble, ConnectionRefusedError):
        return "nothing listens there"
    return "it closed the connection" if broken_connection(trouble) else str(trouble) or "no answer"


def _refusal(content: bytes) -> Refusal:
    try:
        return msgspec.json.decode(content, type=Refusal)
    except (ValueError, RecursionError):
        return Refusal()


def _said(words: tuple[str, str], reason: object, *, transient: bool = False) -> LabError:
    what, hint = words
    return LabError(what.format(reason), hint, transient=transient)
