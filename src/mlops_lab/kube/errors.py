"""Errors of the Kubernetes API."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from mlops_lab.base.errors import LabError, broken_connection, transient_status


class NotFound(LabError):
    """The API server knows no such object, or no such kind."""


class Unreachable(LabError):
    """No API server answered in time."""


class Refused(LabError):
    """The API server answered and refused; `status` is its HTTP status, such as 403, 409 or 422."""

    def __init__(self, message: str, hint: str, status: int) -> None:
        super().__init__(message, hint, transient=transient_status(status))
        self.status = status


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn the client's exceptions into this module's, each with the name of what was asked for.

    Raises:
        NotFound, Refused, Unreachable: instead of the client's or urllib3's own exceptions.
        LabError: more than one API group has the kind.
    """
    import ssl

    import websocket
    from kubernetes.client.exceptions import ApiException
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.dynamic.exceptions import DynamicApiError, ResourceNotFoundError, ResourceNotUniqueError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ResourceNotFoundError as unknown:
        raise NotFound(f"{what}: the cluster has no such kind ({unknown})", "check apiVersion and kind") from unknown
    except ResourceNotUniqueError as many:
        raise LabError(
            f"{what}: several API groups have that kind", "ask for it with its apiVersion", str(many)
        ) from many
    except (ApiException, DynamicApiError) as answer:
        status, message = _said(answer)
        if status == 404:
            raise NotFound(f"{what}: {message}", "create it first, or check its name and namespace") from answer
        if status in (0, 502, 503, 504):
            raise Unreachable(
                f"{what}: {message}", "see whether the cluster is up: lab status", transient=_soon_over(answer, status)
            ) from answer
        raise Refused(f"{what}: {message}", "read the API server's reason, then try again", status) from answer
    except ConfigException as missing:
        raise Unreachable(f"no kubeconfig for {what}: {missing}", "create a cluster: lab up") from missing
    except (HTTPError, ssl.SSLError, ConnectionError, TimeoutError, websocket.WebSocketException) as down:
        raise Unreachable(
            f"{what}: the API server does not answer ({type(down).__name__})",
            "see whether the cluster is up: lab status",
            transient=_soon_over(down),
        ) from down


def _said(answer: Any) -> tuple[int, str]:
    """The HTTP status of what the API server answered, 0 if nothing did, and its reason."""
    import websocket

    status, body, reason = int(answer.status or 0), answer.body, answer.reason
    # Where a command was to be started, the client hides what was answered.
    if not status and isinstance(shake := answer.__context__, websocket.WebSocketBadStatusException):
        status, reason = shake.status_code, shake.status_message
        body = (shake.resp_body or b"").decode(errors="replace")
    try:
        message = json.loads(body or "{}").get("message", "")
    except (ValueError, AttributeError):
        # A kubelet's own words come through as plain text.
        message = " ".join(body.split())[:200] if isinstance(body, str) and "<" not in body else ""
    return status, str(message or reason or "no reason given")


def _soon_over(trouble: BaseException, status: int = 0) -> bool:
    from websocket import WebSocketConnectionClosedException as Closed

    closed = isinstance(trouble, Closed) or isinstance(trouble.__context__, Closed)
    return closed or transient_status(status) or broken_connection(trouble)
