"""The class's server as graders ask it: take a submission, its archive, that it is worked on, and what became of it."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mlops_lab.base.errors import LabError, UsageError, transient_status
from mlops_lab.classroom.packing import LARGEST

_TIMEOUT = 20.0  # s without a byte
_FIRST, _LONGEST = 1.0, 20.0  # s between two tries
_LARGEST = LARGEST + (1 << 20)  # bytes of an answer
_STALE = (404, 409)


class Stale(LabError):
    """The submission is another grader's by now, or it is graded: nothing is left to do."""


@dataclass(frozen=True)
class Taken:
    """A submission that is to be graded; the token is good for this one only.

    Attributes:
        tries: how often it was taken, this time included: with `submission` it names all that is made for it.
        namespace: the learner's own, where it is graded in place; else empty.
    """

    submission: int
    learner: str
    lab: str
    number: int
    sha256: str
    token: str
    tries: int
    namespace: str = ""


class Server:
    """The class's server, at the address that it has inside of the cluster.

    Args:
        address: such as `https://server.mlops-lab-class.svc:8444`.
        token: the dispatcher's, or that of one submission.
        certificate: a file with what the server is trusted by; None for what this system trusts.
        patience: seconds for which a server that does not answer is asked again.
        wait: waits so many seconds.
    """

    def __init__(
        self,
        address: str,
        token: str,
        certificate: Path | None = None,
        *,
        patience: float = 0.0,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._parts, self._token, self._certificate = urlsplit(address), token, certificate
        self._patience, self._wait = patience, wait

    def take(self, grader: str, checker: str, labs: Sequence[str]) -> Taken | None:
        """The next submission of these labs; None if none waits. One that was taken and is lost waits again by itself.

        Raises:
            LabError: the server does not answer, or refuses.
        """
        status, body, _ = self._asked("POST", "take", {"grader": grader, "checker": checker, "labs": list(labs)})
        return None if status == 204 else _shaped(body, Taken)

    def back(self, submission: int, why: str, tries: int = 0, *, over: bool = False) -> None:
        """Let a submission wait again; raises as `take`, and `Stale` where it is somebody else's by now.

        Args:
            over: no other try could grade it, so it is given up.
        """
        self._asked("POST", f"submissions/{submission}/back", {"why": why[:1000], "tries": tries, "over": over})

    def archive(self, submission: int, sha256: str) -> bytes:
        """What was handed in.

        Raises:
            Stale: it is somebody else's by now.
            LabError: the server does not answer, or sends something else.
        """
        _, body, _ = self._asked("GET", f"submissions/{submission}/archive")
        if hashlib.sha256(body).hexdigest() != sha256:
            raise LabError("the archive is not the one that was handed in", "it is fetched again at the next try")
        return body

    def looked(self, submission: int, content: bytes) -> str:
        """Have the list of what is looked at in place be kept; its sha256. Raises as `archive`."""
        _, body, _ = self._asked("POST", f"submissions/{submission}/looked", content)
        return str(_shaped(body, _Kept).sha256)

    def alive(self, submission: int) -> None:
        """It is still worked on; raises as `archive`."""
        self._asked("POST", f"submissions/{submission}/alive", {})

    def result(self, submission: int, outcome: dict[str, Any]) -> str:
        """Tell what the checks have said; the submission's state then. Raises as `archive`."""
        _, body, _ = self._asked("POST", f"submissions/{submission}/result", outcome)
        return str(_shaped(body, _State).state)

    def _asked(self, method: str, path: str, body: dict[str, Any] | bytes = b"") -> tuple[int, bytes, float]:
        until, pause = time.monotonic() + self._patience, _FIRST
        # No escapes for what is not ASCII: they take up to three times the bytes, and the server has a limit.
        sent = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode(errors="replace")
        while True:
            try:
                status, content, later = self._once(method, path, sent)
            except ssl.SSLCertVerificationError as wrong:
                raise LabError(
                    f"this is not the class's server, by its certificate: {wrong.verify_message}",
                    "see that chart and certificate are of one class",
                ) from wrong
            except (OSError, http.client.HTTPException) as trouble:
                problem: LabError = LabError(
                    f"the class's server does not answer: {trouble or type(trouble).__name__}",
                    "see whether it runs: kubectl get pods", transient=True,
                )  # fmt: skip
                later = 0.0
            else:
                if status < 300:
                    return status, content, later
                problem = _refusal(status, content)
                if not transient_status(status):
                    raise problem
            pause = max(pause, min(later, _LONGEST))
            if time.monotonic() + pause > until:
                raise problem
            self._wait(pause)
            pause = min(_LONGEST, pause * 2)

    def _once(self, method: str, path: str, body: bytes) -> tuple[int, bytes, float]:
        host, port = self._parts.hostname or "", self._parts.port
        connection: http.client.HTTPConnection
        if self._parts.scheme == "https":
            trusted = ssl.create_default_context(cafile=str(self._certificate) if self._certificate else None)
            trusted.minimum_version = ssl.TLSVersion.TLSv1_2
            connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=trusted)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
        try:
            headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
            connection.request(method, f"{self._parts.path.rstrip('/')}/internal/{path}", body or None, headers)
            answer = connection.getresponse()
            content = answer.read(_LARGEST + 1)
            if len(content) > _LARGEST:
                raise http.client.HTTPException("its answer is too long")
            later = answer.getheader("Retry-After", "")
            return answer.status, content, float(later) if later.isdecimal() else 0.0
        finally:
            connection.close()


@dataclass(frozen=True)
class _State:
    state: str


@dataclass(frozen=True)
class _Kept:
    sha256: str


@dataclass(frozen=True)
class _Refused:
    error: str = ""
    next: str = ""


def _shaped(content: bytes, shape: type[Any]) -> Any:
    try:
        return msgspec.json.decode(content, type=shape)
    except (ValueError, RecursionError) as other:
        raise LabError(
            f"the class's server answers something else: {other}", "install server and grader of one version"
        ) from other


def _refusal(status: int, content: bytes) -> LabError:
    try:
        said = msgspec.json.decode(content, type=_Refused)
    except (ValueError, RecursionError):
        said = _Refused()
    what, hint = said.error or f"the class's server answers with status {status}", said.next or "see its log"
    if status in _STALE:
        return Stale(what, hint)
    return LabError(what, hint, transient=True) if transient_status(status) else UsageError(what, hint)
