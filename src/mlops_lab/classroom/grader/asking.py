"""The class's server as graders ask it: take a submission, its archive, that it is worked on, and what became of it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mlops_lab.base.errors import LabError, UsageError, transient_status
from mlops_lab.classroom.client import Client, Patience, Refusal, Words, trusting
from mlops_lab.classroom.packing import LARGEST

_LONGEST_PAUSE = 20.0  # s between two tries
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
        self._token = token
        trusted = partial(trusting, certificate=certificate)  # read at each try, as it may be renewed meanwhile
        patient = Patience(_LONGEST_PAUSE, seconds=patience)
        self._client = Client(address, _WORDS, patient, trusted=trusted, largest=_LARGEST, wait=wait)

    def take(self, grader: str, checker: str, labs: Sequence[str]) -> Taken | None:
        """The next submission of these labs; None if none waits. One that was taken and is lost waits again by itself.

        Raises:
            LabError: the server does not answer, or refuses.
        """
        status, body = self._asked("POST", "take", {"grader": grader, "checker": checker, "labs": list(labs)})
        return None if status == 204 else self._client.shaped(body, Taken)

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
        _, body = self._asked("GET", f"submissions/{submission}/archive")
        if hashlib.sha256(body).hexdigest() != sha256:
            raise LabError("the archive is not the one that was handed in", "it is fetched again at the next try")
        return body

    def looked(self, submission: int, content: bytes) -> str:
        """Have the list of what is looked at in place be kept; its sha256. Raises as `archive`."""
        _, body = self._asked("POST", f"submissions/{submission}/looked", content)
        return str(self._client.shaped(body, _Kept).sha256)

    def alive(self, submission: int) -> None:
        """It is still worked on; raises as `archive`."""
        self._asked("POST", f"submissions/{submission}/alive", {})

    def result(self, submission: int, outcome: dict[str, Any]) -> str:
        """Tell what the checks have said; the submission's state then. Raises as `archive`."""
        _, body = self._asked("POST", f"submissions/{submission}/result", outcome)
        return str(self._client.shaped(body, _State).state)

    def _asked(self, method: str, path: str, body: dict[str, Any] | bytes = b"") -> tuple[int, bytes]:
        # No escapes for what is not ASCII: they take up to three times the bytes, and the server has a limit.
        sent = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode(errors="replace")
        return self._client.ask(method, f"/internal/{path}", {"Content-Type": "application/json"}, sent, self._token)


@dataclass(frozen=True)
class _State:
    state: str


@dataclass(frozen=True)
class _Kept:
    sha256: str


def _refused(status: int, said: Refusal) -> LabError:
    what, hint = said.error or f"the class's server answers with status {status}", said.next or "see its log"
    if status in _STALE:
        return Stale(what, hint)
    return LabError(what, hint, transient=True) if transient_status(status) else UsageError(what, hint)


_WORDS = Words(
    stranger=(
        "this is not the class's server, by its certificate: {}",
        "see that chart and certificate are of one class",
    ),
    silent=("the class's server does not answer: {}", "see whether it runs: kubectl get pods"),
    other=("the class's server answers something else: {}", "install server and grader of one version"),
    refused=_refused,
)
