"""Sends a learner's archive to the class's server, and asks what became of it.

Sending again is safe: the server knows an archive by its sha256, so the same work is the same submission.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from mlops_lab.base.errors import LabError, UsageError, transient_status
from mlops_lab.checks.verdicts import Result
from mlops_lab.classroom.client import Client, Patience, Refusal, Words, trusting
from mlops_lab.classroom.kit import Kit
from mlops_lab.classroom.packing import KIND, Packed

_PATIENCE = Patience(longest=60.0, tries=4)
_LARGEST = 4 << 20  # bytes of an answer
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


class Server:
    """The class's server, as a learner sees it.

    Args:
        wait: waits so many seconds.

    Raises:
        UsageError: the kit's certificate is none.
    """

    def __init__(self, kit: Kit, wait: Callable[[float], None] = time.sleep) -> None:
        self._kit, self._wait = kit, wait
        trusted = partial(trusting, kit.certificate)
        try:
            trusted()
        except (OSError, ValueError, TypeError) as broken:  # what `ssl` raises for text that is no certificate
            raise UsageError(
                "the certificate in your class's file is none", "ask your teacher for the file again", str(broken)
            ) from broken
        self._client = Client(kit.address, _words(kit.address), _PATIENCE, trusted=trusted, largest=_LARGEST, wait=wait)

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
        self, method: str, path: str, shape: type[Shape], body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Shape:
        headers = {"Accept": "application/json", **(headers or {})}
        _, content = self._client.ask(method, f"/api/v1/{path}", headers, body, self._kit.token)
        return self._client.shaped(content, shape)


def _words(address: str) -> Words:
    return Words(
        stranger=(
            f"{address} is not the server of your class, by its certificate: {{}}",
            "send nothing; ask your teacher for the file again",
        ),
        silent=(
            f"the class's server {address} does not answer: {{}}",
            "run the same command again; the same work is handed in once only. If it goes on: ask your teacher",
        ),
        other=(
            f"{address} answers something else than the server of a class: {{}}",
            "ask your teacher whether both are of the same version",
        ),
        refused=_refused,
    )


def _refused(status: int, said: Refusal) -> LabError:
    what = _line(said.error) or f"the class's server answers with status {status}"
    hint = _line(said.next) or (
        "your token may have ended: ask your teacher for another file" if status in (401, 403) else
        "run the same command again" if transient_status(status) else "ask your teacher"
    )  # fmt: skip
    return (LabError if transient_status(status) else UsageError)(what, hint)


def _line(text: Any) -> str:
    """A text from the server, for one line of a terminal."""
    return "".join(each if each.isprintable() else " " for each in str(text)[:500]).strip()
