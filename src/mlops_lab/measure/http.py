"""One request to a Service from inside the cluster, by the load maker's pod; time and size are bounded."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_lab.base.errors import Failure, LabError
from mlops_lab.kube.client import Kube
from mlops_lab.measure import pod

# What the program may take beyond the request itself: a busy machine starts processes slowly.
_MARGIN = 15.0


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: the HTTP status; 0 when no answer came, and `error` says why.
        headers: by lower-case name.
        body: at most 64 KiB of it.
        seconds: from the connection's start to the body's end.
        url: what was asked.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    error: str
    url: str

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """The body's value.

        Raises:
            Failure: the body isn't JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError as other:
            seen = f"{self.text[:100]!r} with status {self.status}" if self.status else f"no answer: {self.error}"
            raise Failure(f"a JSON answer from {self.url}", seen, f"it can't be read as JSON: {other}") from other


async def ask(
    kube: Kube,
    method: str,
    url: str,
    *,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    within: float = 10.0,
) -> Answer:
    """Send one request; a redirect is an answer like any other.

    Args:
        url: of a Service, by name or cluster IP.
        body: sent as JSON; bytes and text are sent as they are; None sends nothing.
        within: seconds for the whole answer.

    Raises:
        LabError: the request could not be sent at all; a server that does not answer is an `Answer` with status 0.
    """
    return await asyncio.to_thread(_ask, kube, method, url, body, dict(headers or {}), within)


def encoded(body: Any) -> str:
    """A request's body as the load maker takes it."""
    if body is None:
        return ""
    if isinstance(body, bytes):
        return body.decode()
    return body if isinstance(body, str) else json.dumps(body)


def _ask(kube: Kube, method: str, url: str, body: Any, headers: dict[str, str], within: float) -> Answer:
    spec = {"url": url, "method": method, "body": encoded(body), "headers": headers, "timeout_s": within}
    with pod.start(kube, "get", spec) as stream:
        for said in pod.messages(stream, within=within + _MARGIN, silent=within + _MARGIN):
            if said:
                return Answer(
                    said["status"],
                    said["headers"],
                    base64.b64decode(said["body"]),
                    said["seconds"],
                    said["error"],
                    url,
                )
    raise LabError(f"no word about the request to {url}", "try again; if it lasts, look at: lab doctor")
