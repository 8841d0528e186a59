"""JSON over HTTP to a service of the platform, by the paths of its REST API's docs; every request has a time limit."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from mlops_lab.base.errors import LabError, broken_connection, transient_status
from mlops_lab.base.loopback import opened
from mlops_lab.measure.services.port_forwards import PortForwards

_LOST = (OSError, http.client.HTTPException)


class RefusedRequest(LabError):
    """The service answered, with a status that is an error.

    Attributes:
        status: the HTTP status.
        body: the answer as text.
    """

    def __init__(self, message: str, status: int, body: str) -> None:
        super().__init__(
            message, "see what is wrong with the platform: lab status", body, transient=transient_status(status)
        )
        self.status = status
        self.body = body


class Rest:
    """One service.

    Args:
        forwards: how it is reached.
        page: its name in `platform.releases`.
        prefix: what every path begins with, such as `/api/2.0/mlflow`.
    """

    def __init__(self, forwards: PortForwards, page: str, prefix: str = "") -> None:
        self._forwards, self._page, self._prefix = forwards, page, prefix

    def ask(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str | int] | None = None
    ) -> dict[str, Any]:
        """One question; what comes back is the answer's JSON, `{}` where it has no body.

        Raises:
            RefusedRequest: the answer's status is 400 or more.
            LabError: nothing answers, or what answers is no JSON.
        """
        text = self.text(method, path, body, query)
        try:
            found = json.loads(text) if text.strip() else {}
        except ValueError as strange:
            raise LabError(
                f"{self._page} did not answer with JSON: {text[:80]!r}", "see what is wrong: lab status"
            ) from strange
        return found if isinstance(found, dict) else {"items": found}

    def text(self, method: str, path: str, body: Any = None, query: Mapping[str, str | int] | None = None) -> str:
        """As `ask`, for an answer that is plain text, such as a log."""
        address = self._forwards.address(self._page)
        try:
            return self._once(address, method, path, body, query)
        except _LOST as trouble:
            self._forwards.lost(self._page, address)
            # A request that may have changed something is not retried: only a GET, or one whose connection was refused.
            if method != "GET" and not isinstance(_cause(trouble), ConnectionRefusedError):
                raise self._silent(trouble) from trouble
        address = self._forwards.address(self._page)
        try:
            return self._once(address, method, path, body, query)
        except _LOST as trouble:
            raise self._silent(trouble) from trouble

    def _once(self, address: str, method: str, path: str, body: Any, query: Mapping[str, str | int] | None) -> str:
        url = f"{address}{self._prefix}/{path.lstrip('/')}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            with opened(request, within=self._forwards.kube.timeout) as answer:
                return str(answer.read().decode(errors="replace"))
        except urllib.error.HTTPError as refused:
            said = refused.read().decode(errors="replace")
            raise RefusedRequest(
                f"{method} {self._prefix}/{path.lstrip('/')} of {self._page}: status {refused.code}: {said[:300]}",
                refused.code, said,
            ) from refused  # fmt: skip

    def _silent(self, trouble: Exception) -> LabError:
        return LabError(
            f"{self._page} does not answer ({type(_cause(trouble)).__name__})",
            "see what is wrong with the platform: lab status",
            transient=broken_connection(trouble),
        )


def _cause(trouble: Exception) -> BaseException:
    reason = getattr(trouble, "reason", None)
    return reason if isinstance(reason, BaseException) else trouble
