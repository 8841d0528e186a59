"""Who may ask: the browser that was given the address with the token, at this machine's own name, from our own pages.

A page of another site, open in the same browser, can reach 127.0.0.1 as well. It has no cookie of ours (SameSite), its
Origin is another, and if it lets its own name lead here, Host is not ours.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Any
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest
from tornado.web import HTTPError, StaticFileHandler

from mlops_lab.base.errors import LabError
from mlops_lab.base.web import LogsBugs

_NAMES = ("127.0.0.1", "localhost")
_READING = ("GET", "HEAD")


class Guard:
    """The token of one `lab desk`, and the cookie that a browser gets for it."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(24)
        self._kept = secrets.token_urlsafe(24)

    @property
    def cookie(self) -> str:
        """What a browser keeps instead of the token."""
        return self._kept

    def refusal(self, request: HTTPServerRequest, *, given: str, kept: str) -> str:
        """Why a request is refused; empty if it is not.

        Args:
            given: the token in its address.
            kept: its cookie.
        """
        host = request.headers.get("Host", "")
        if _name(host) not in _NAMES:
            return "this page answers at 127.0.0.1 only"
        origin = request.headers.get("Origin", "")
        socket = request.headers.get("Upgrade", "").lower() == "websocket"
        if (origin or socket or request.method not in _READING) and origin != f"http://{host}":
            return "the request comes from a page of another site"
        if not _same(given, self.token) and not _same(kept, self._kept):
            return "open the address that lab desk has printed: it has a token, which your browser does not know yet"
        return ""


class Guarded(LogsBugs):
    """A handler that refuses all requests but those of our own pages, and lets these ask nobody else.

    Attributes:
        styles: what may style its page.
    """

    styles = "'self'"

    @property
    def _cookie(self) -> str:
        return f"lab-desk-{self.settings['port']}"  # cookies don't know ports

    def prepare(self) -> None:
        guard: Guard = self.settings["guard"]
        given = self.get_query_argument("token", "")
        wrong = guard.refusal(self.request, given=given, kept=self.get_cookie(self._cookie) or "")
        if wrong:
            raise HTTPError(403, wrong)
        if given:
            self.set_cookie(self._cookie, guard.cookie, httponly=True, samesite="Strict", path="/")

    def set_default_headers(self) -> None:
        host = self.request.headers.get("Host", "")
        own = host if _name(host) in _NAMES else "127.0.0.1"
        self.set_header(
            "Content-Security-Policy",
            # Not all browsers take 'self' for a websocket.
            f"default-src 'none'; script-src 'self'; style-src {self.styles}; img-src 'self' data:; "
            f"connect-src 'self' ws://{own}; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
        )
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")
        self.clear_header("Server")

    def write_error(self, status_code: int, **given: Any) -> None:
        """The error as a line of text: no page of ours leads to one."""
        error = (given.get("exc_info") or (None, None, None))[1]
        said = error.log_message if isinstance(error, HTTPError) and error.log_message else self._reason
        if isinstance(error, LabError):
            said = f"{error.message}\nnext: {error.hint}"
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{said}\n")


class Files(Guarded, StaticFileHandler):
    """The page's own files, as guarded as the rest."""

    def set_extra_headers(self, path: str) -> None:
        """They are asked for each time, and sent only when they have changed."""
        self.set_header("Cache-Control", "no-cache")


class Nothing(Guarded):
    """What there is nothing at."""

    def prepare(self) -> None:
        super().prepare()
        raise HTTPError(404, "there is nothing here")


def _name(host: str) -> str:
    """The name in a header Host; empty for what is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # such as of "["
        return ""


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())
