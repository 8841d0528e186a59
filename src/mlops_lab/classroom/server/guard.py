"""Who may ask for pages: a browser with a session of ours, at a name of ours, from a page of ours.

The learners' and graders' addresses take a token in a header, which no page of another site can send. Pages take a
cookie, which browsers send of their own accord; so what changes something must come from our own pages (Origin), and
all must come by a name of this server (Host), or another site could let its own name lead here.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
from typing import Any
from urllib.parse import urlencode, urlsplit

from tornado.web import RequestHandler, StaticFileHandler, create_signed_value, decode_signed_value

from mlops_lab.classroom.server import people, sessions
from mlops_lab.classroom.server.database import Away
from mlops_lab.classroom.server.handling import Handler, Refused
from mlops_lab.classroom.server.service import Service
from mlops_lab.classroom.server.sessions import Session, Visitor, now
from mlops_lab.classroom.server.settings import Settings
from mlops_lab.classroom.server.templates import render

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors "
)
_READING = ("GET", "HEAD")
_DAYS = 1  # that a cookie's signature is taken for right at most


class Page(Handler):
    """A page; `visitor` is who asks."""

    visitor: Visitor
    open_to_all = False

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Security-Policy", f"{_POLICY}'none'")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")

    async def prepare(self) -> None:
        """Refuse, or find out who it is."""
        if wrong := refusal(self.service.settings, self.request.method or "", self.request.headers):
            raise Refused(403, wrong, "open the address that your teacher has given you")
        if self.open_to_all:
            return
        session = self._session()
        if session and session.learner and (wait := self.service.asking.take(session.learner)):
            raise Refused(429, "you ask too often", f"wait {math.ceil(wait)} s", wait)
        found = await self._visitor()
        if found is None:
            if self.request.method in _READING and not self.is_program:
                self.redirect("/login?" + urlencode({"next": self.request.path}))
                return
            raise Refused(401, "your session is over", "log in again")
        self.visitor = found
        if found.frames:
            self.set_header("Content-Security-Policy", _POLICY + " ".join(found.frames))

    @property
    def is_program(self) -> bool:
        """Does a page's script ask, and not a person?"""
        return self.request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate"

    def teach(self) -> None:
        """Go on for the teacher only."""
        if not self.visitor.teaches:
            raise Refused(404, "there is nothing here", "see your own page")

    def show(self, template: str, **values: Any) -> None:
        """Answer with a page."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        visitor = getattr(self, "visitor", None)
        service = self.service
        self.finish(
            render(template, path=self.request.path, visitor=visitor, klass=service.settings.klass,
                   platforms=service.platforms is not None,
                   broken=service.broken if visitor and visitor.teaches else "", **values)
        )  # fmt: skip

    def write_error(self, status_code: int, **given: Any) -> None:
        """The error as a page."""
        told = self.refusal((given.get("exc_info") or (None, None, None))[1])
        self.set_status(told.status_code)
        if told.retry:
            self.set_header("Retry-After", str(math.ceil(told.retry)))
        self.show("error.html", status=told.status_code, message=told.message, hint=told.hint)

    def _session(self) -> Session | None:
        name = cookie(self.service.settings)
        secret = self.service.secret  # empty until the database was there
        kept = decode_signed_value(secret, name, self.get_cookie(name), max_age_days=_DAYS) if secret else None
        return sessions.read(kept.decode(errors="replace")) if kept else None

    async def _visitor(self) -> Visitor | None:
        session = self._session()
        if session is None:
            return None
        if session.role == sessions.TEACHER:
            right = people.same(session.mark, sessions.mark(self.service.settings.teacher))
            return Visitor(sessions.TEACHER, frames=session.frames) if right else None
        if session.kit:
            known = await self.service.run(people.still, session.kit, now())
            return Visitor(sessions.LEARNER, known.learner) if known else None
        still = await self.service.run(people.takes_part, session.learner, now())
        return Visitor(sessions.LEARNER, session.learner, session.frames, by_platform=True) if still else None


class Files(Page, StaticFileHandler):
    """The pages' own files, which anybody may have."""

    open_to_all = True

    def set_extra_headers(self, path: str) -> None:
        """They are asked for each time, and sent only when they have changed."""
        self.set_header("Cache-Control", "no-cache")


class NoPage(Page):
    """What there is nothing at."""

    open_to_all = True

    async def prepare(self) -> None:
        await super().prepare()
        raise Refused(404, "there is nothing here", "go to the first page")


def remember(handler: RequestHandler, service: Service, session: Session) -> None:
    """Give a browser a session.

    Raises:
        Away: what it is signed with is not known yet.
    """
    if not service.ready:
        raise Away
    value = create_signed_value(service.secret, cookie(service.settings), session.text()).decode()
    _set(handler, service, value, _DAYS * 86400, framed=bool(session.frames))


def forget(handler: RequestHandler, service: Service, *, framed: bool) -> None:
    """End a browser's session."""
    _set(handler, service, "", 0, framed=framed)


def _set(handler: RequestHandler, service: Service, value: str, seconds: int, *, framed: bool) -> None:
    """Set the cookie. In a frame of another site's page browsers keep only one that says that it is for that pair.

    The header is written here since http.cookies knows Partitioned from Python 3.14 on.
    """
    where = "None; Partitioned" if framed else "Lax"
    secure = "; Secure" if service.settings.tls else ""
    text = f"{cookie(service.settings)}={value}; Path=/; Max-Age={seconds}; HttpOnly{secure}; SameSite={where}"
    handler.add_header("Set-Cookie", text)


def cookie(settings: Settings) -> str:
    """The cookie's name. With `__Host-` no other server of the same domain can set it."""
    return "__Host-class" if settings.tls else f"class-{settings.listen.port}"  # cookies don't know ports


def refusal(settings: Settings, method: str, headers: Any) -> str:
    """Why a request for a page is refused; empty if it is not."""
    host = headers.get("Host", "")
    if not known_host(settings, host):
        return "this server is not called so"
    origin, site = headers.get("Origin", ""), headers.get("Sec-Fetch-Site", "")
    own = f"{'https' if settings.tls else 'http'}://{host}"
    if method not in _READING and (origin != own or site not in ("", "same-origin")):
        return "the request comes from a page of another site"
    return ""


def known_host(settings: Settings, host: str) -> bool:
    """Is it a name of this server: one of the settings, this machine's own, or an address as such?"""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if name in ("localhost", *settings.hosts):
        return True
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(name)  # no site can let its own name lead here with it
        return True
    return False
