"""Errors of the Kubernetes API."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

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
    """
    import json
    import ssl

    import websocket
    from kubernetes.client.exceptions import ApiException
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.dynamic.exceptions import DynamicApiError, ResourceNotFoundError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ResourceNotFoundError as unknown:
        raise NotFound(f"{what}: the cluster has no such kind ({unknown})", "check apiVersion and kind") from unknown
    except (ApiException, DynamicApiError) as answer:
        status = int(answer.status or 0)
        try:
            message = json.loads(answer.body or "{}").get("message", "")
        except (ValueError, AttributeError):
            message = ""
        message = message or str(answer.reason or "no reason given")
        if status == 404:
            raise NotFound(f"{what}: {message}", "create it first, or check its name and namespace") from answer
        if status in (0, 502, 503, 504):
            raise Unreachable(
                f"{what}: {message}", "see whether the cluster is up: lab status", transient=transient_status(status)
            ) from answer
        raise Refused(f"{what}: {message}", "read the API server's reason, then try again", status) from answer
    except ConfigException as missing:
        raise Unreachable(f"no kubeconfig for {what}: {missing}", "create a cluster: lab up") from missing
    except (HTTPError, ssl.SSLError, ConnectionError, TimeoutError, websocket.WebSocketException) as down:
        raise Unreachable(
            f"{what}: the API server does not answer ({type(down).__name__})",
            "see whether the cluster is up: lab status",
            transient=broken_connection(down) or transient_status(getattr(down, "status_code", None) or 0),
        ) from down
