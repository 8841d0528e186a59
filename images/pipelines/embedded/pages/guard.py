"""What keeps other sites' pages out: a browser that has one open can reach a port forward on 127.0.0.1 too.

Nothing here asks who somebody is; whoever reaches the port may do everything. But no page of another site may do it in
their name, and what steps wrote (names, logs, HTML) stays text, or in a frame that has no access to anything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from embedded.errors import ApiError

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_READING = ("GET", "HEAD", "OPTIONS")
_LOCAL = (".localhost", ".svc", ".svc.cluster.local", ".internal")  # no site can have such a name
# What browsers send of their own accord, where they may (Sec-Fetch only to addresses that they trust), and no program.
_BROWSERS = ("accept-language", "origin", "referer", "sec-fetch-site", "sec-fetch-mode")


def for_programs(path: str) -> bool:
    """Is this an address of the API or of pods? All others are pages."""
    return path.startswith(("/apis/", "/internal/")) or path == "/healthz"


def rebound(headers: Headers, *, page: bool, names: Collection[str]) -> str:
    """Why a request is refused because of the name that it came by; empty if it is not.

    A site may have its own name lead here, and then read what its browsers are answered. Programs are not asked.

    Args:
        headers: of the request.
        page: it is for a page, so a browser sends it.
        names: of this server beside the usual ones; one that begins with a dot stands for all below it.
    """
    host = headers.get("host", "")
    if _local(host, names) or not (page or any(name in headers for name in _BROWSERS)):
        return ""
    return (
        f"{host} is no address of this machine or this cluster. If you made it one, name it to the server: the setting "
        "PIPELINES_HOSTS, network.hosts of the chart"
    )


def foreign(headers: Headers, *, page: bool) -> str:
    """Why a request that changes something is refused; empty if it is not.

    Args:
        headers: of the request.
        page: it is for a page, so a browser sends it and says from where; programs that use the API say nothing.
    """
    site, origin, host = headers.get("sec-fetch-site", ""), headers.get("origin", ""), headers.get("host", "")
    if not (site or origin):
        return "the request does not say which page it comes from; programs use /apis/v2beta1" if page else ""
    if site not in ("", "same-origin", "none") or (origin and origin.partition("://")[2] != host):
        return "the request comes from a page of another site"
    return ""


def _local(host: str, names: Collection[str]) -> bool:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0].rstrip(".").lower()
    try:
        ipaddress.ip_address(name)
    except ValueError:
        own = any(name == each or (each.startswith(".") and name.endswith(each)) for each in map(str.lower, names))
        return own or "." not in name or name.endswith(_LOCAL)
    return True


class Guarded:
    """The application behind these rules.

    Args:
        refuse: makes the answer to a request that is refused.
        names: see `rebound`.
    """

    def __init__(
        self, app: ASGIApp, refuse: Callable[[Request, ApiError], Response], names: Collection[str] = ()
    ) -> None:
        self._app, self._refuse, self._names = app, refuse, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        page = not for_programs(scope["path"])

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                if page:
                    headers.setdefault("Content-Security-Policy", POLICY)
                    headers.setdefault("Cache-Control", "private, no-cache")
                    headers["Referrer-Policy"] = "same-origin"
            await send(message)

        asked = Headers(scope=scope)
        wrong = rebound(asked, page=page, names=self._names)
        if not wrong and scope["method"] not in _READING:
            wrong = foreign(asked, page=page)
        if wrong:
            answer = self._refuse(Request(scope), ApiError("PERMISSION_DENIED", wrong))
            await answer(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)
