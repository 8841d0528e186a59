"""One request to a Service from inside the cluster, by the load generator's pod; time and size are bounded."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_lab.base.errors import Failure
from mlops_lab.kube.client import Kube
from mlops_lab.measure.traffic.asking import asking

# s in which a connection is refused, where nobody listens
_REFUSED_WITHIN = 5.0


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

    @property
    def refused(self) -> bool:
        """No answer, at once: nothing listens there, or the nodes don't know a new pod yet."""
        return not self.status and self.seconds <= _REFUSED_WITHIN

    @property
    def shown(self) -> str:
        """Status and the body's beginning in a line, or why there is none."""
        if not self.status:
            return f"no answer: {self.error[:120]}"
        text = " ".join(self.text[:400].split())
        return f"status {self.status}, {text[:160]}" + ("..." if len(text) > 160 else "")

    def json(self) -> Any:
        """The body's value.

        Raises:
            Failure: the body isn't JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as other:
            raise Failure(f"JSON from {self.url}", self.shown, f"it can't be read as JSON: {other}") from other

    def fields(self) -> dict[str, Any]:
        """The members of the JSON object that the body is.

        Raises:
            Failure: the body isn't JSON, or not an object.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise Failure(f"a JSON object from {self.url}", self.shown, "it is JSON, and not an object: {...}")
        return value

    @property
    def fields_if_any(self) -> dict[str, Any]:
        """The members of the JSON object that the body is; none if it is anything else."""
        try:
            return self.fields()
        except Failure:
            return {}


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
    """A request's body as the load generator takes it."""
    if body is None:
        return ""
    if isinstance(body, bytes):
        return body.decode()
    return body if isinstance(body, str) else json.dumps(body)


def _ask(kube: Kube, method: str, url: str, body: Any, headers: dict[str, str], within: float) -> Answer:
    spec = {"url": url, "method": method, "body": encoded(body), "headers": headers, "timeout_s": within}
    said = asking(kube).ask(spec, within=within)
    return Answer(said["status"], said["headers"], base64.b64decode(said["body"]), said["seconds"], said["error"], url)
