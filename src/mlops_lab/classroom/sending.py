"""Sends a learner's archive to the class's server, and asks what became of it.

Nothing but the kit's own address is talked to: no redirect is followed and no proxy used, as either could read the
token. Sending again is safe: the server knows an archive by its sha256, so the same work is the same submission.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from mlops_lab.base.errors import LabError, UsageError, broken_connection, transient_status
from mlops_lab.checks.verdicts import Result
from mlops_lab.classroom.kit import Kit
from mlops_lab.classroom.packing import KIND, Packed

_TIMEOUT = 20.0  # s without a byte
_LARGEST = 4 << 20  # bytes of an answer
_TRIES = 4
_PAUSE = 1.0  # s before the second try; each later one waits twice as long
_LONGEST_PAUSE = 60.0  # s that a server may ask to wait
_EVERY = 2.0  # s between two questions

Shape = TypeVar("Shape")


@dataclass(frozen=True)
class Graded:
    """A submission's result."""

    points: int
    possible: int
    checks: list[Result] = field(default_factory=list)


@dataclass(frozen=True)
class Submission:
    """A submission as the server has it.

    Attributes:
        submission: its id.
        number: 1 for the learner's first of this lab, and so on.
        state: `waiting`, `grading`, `graded` or `failed` (the grader could not; it costs nothing).
        place: in the queue, from 1; 0 when it does not wait any more.
        why: of `failed`.
        result: once it is graded.
    """

    submission: str | int
    number: int
    state: str = "waiting"
    place: int = 0
    why: str = ""
    result: Graded | None = None


@dataclass(frozen=True)
class _Refusal:
    error: str = ""
    next: str = ""


class Server:
    """The class's server, as a learner sees it.

    Args:
        wait: waits so many seconds.
    """

    def __init__(self, kit: Kit, wait: Callable[[float], None] = time.sleep) -> None:
        self._kit, self._wait = kit, wait
        self._parts = urlsplit(kit.address)

    def submit(self, lab: str, packed: Packed) -> Submission:
        """Hand in work on a lab; tries again while the server is not to be reached.

        Raises:
            LabError: it could not be handed in; UsageError if the server refuses it.
        """
        headers = {"Content-Type": KIND, "X-Content-SHA256": packed.sha256}
        return self._asked("POST", f"submissions?lab={quote(lab)}", Submission, packed.content, headers)

    def ask(self, lab: str) -> Submission:
        """Have the own namespace of a lab graded as it is; raises as `submit`."""
        return self._asked("POST", f"submissions?lab={quote(lab)}", Submission)

    def submission(self, of: str | int) -> Submission:
        """A submission as it is now; raises as `submit`."""
        return self._asked("GET", f"submissions/{quote(str(of), safe='')}", Submission)

    def follow(self, of: Submission, within: float, seen: Callable[[Submission], None]) -> Submission:
        """Ask until a submission is graded or has failed, or so many seconds are over.

        Args:
            seen: called whenever its state or place is another.
        """
        until, last = time.monotonic() + within, of
        seen(last)
        while last.state in ("waiting", "grading") and time.monotonic() < until:
            self._wait(_EVERY)
            now = self.submission(of.submission)
            if (now.state, now.place) != (last.state, last.place):
                seen(now)
            last = now
        # What was handed in before may be graded already.
        return self.submission(of.submission) if last.state == "graded" and last.result is None else last

    def _asked(
        self, method: str, path: str, shape: type[Shape], body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Shape:
        for again in range(_TRIES):
            pause = _PAUSE * 2**again
            try:
                status, content, later = self._once(method, path, body, headers or {})
            except ssl.SSLCertVerificationError as wrong:
                raise LabError(
                    f"{self._kit.address} is not the server of your class, by its certificate: {wrong.verify_message}",
                    "send nothing; ask your teacher for the file again",
                ) from wrong
            except (OSError, http.client.HTTPException) as trouble:
                reason = "it closed the connection" if broken_connection(trouble) else str(trouble) or "no answer"
                problem = LabError(
                    f"the class's server {self._kit.address} does not answer: {reason}",
                    "run the same command again; the same work is handed in once only. If it goes on: ask your teacher",
                )
            else:
                if status < 300:
                    return self._shaped(content, shape)
                problem = self._refusal(status, content)
                if not transient_status(status):
                    raise problem
                pause = min(max(pause, later), _LONGEST_PAUSE)
            if again == _TRIES - 1:
                raise problem
            self._wait(pause)
        raise AssertionError("unreachable")

    def _once(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, float]:
        """Status and body of one answer, and after how many seconds it asks to come again (0: it does not)."""
        host, port = self._parts.hostname or "", self._parts.port
        connection: http.client.HTTPConnection
        if self._parts.scheme == "https":
            # With a certificate of the kit's own no other is trusted.
            trusted = ssl.create_default_context(cadata=self._kit.certificate or None)
            trusted.minimum_version = ssl.TLSVersion.TLSv1_2
            connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=trusted)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
        try:
            own = {"Authorization": f"Bearer {self._kit.token}", "Accept": "application/json", **headers}
            connection.request(method, f"{self._parts.path.rstrip('/')}/api/v1/{path}", body or None, own)
            answer = connection.getresponse()
            content = answer.read(_LARGEST + 1)
            if len(content) > _LARGEST:
                raise http.client.HTTPException("its answer is too long")
            later = answer.getheader("Retry-After", "")
            return answer.status, content, float(later) if later.isdecimal() else 0
        finally:
            connection.close()

    def _shaped(self, content: bytes, shape: type[Shape]) -> Shape:
        try:
            return msgspec.json.decode(content, type=shape)
        except (ValueError, RecursionError) as other:
            raise LabError(
                f"{self._kit.address} answers something else than the server of a class: {other}",
                "ask your teacher whether both are of the same version",
            ) from other

    def _refusal(self, status: int, content: bytes) -> LabError:
        try:
            said = msgspec.json.decode(content, type=_Refusal)
        except (ValueError, RecursionError):
            said = _Refusal()
        what = _line(said.error) or f"the class's server answers with status {status}"
        hint = _line(said.next) or (
            "your token may have ended: ask your teacher for another file" if status in (401, 403) else
            "run the same command again" if transient_status(status) else "ask your teacher"
        )  # fmt: skip
        return (LabError if transient_status(status) else UsageError)(what, hint)


def _line(text: Any) -> str:
    """A text from the server, for one line of a terminal."""
    return "".join(each if each.isprintable() else " " for each in str(text)[:500]).strip()
