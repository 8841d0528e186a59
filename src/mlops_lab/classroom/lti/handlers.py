"""The tool's addresses, as tornado handlers that a server mounts: `routes(find)`.

They take requests from pages of other sites, as LTI wants it, so a server's own cookies against that (XSRF) don't hold
here; `state`, a ticket and the browser's cookie do.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tornado.template import Loader
from tornado.web import HTTPError, RequestHandler

from mlops_lab.base.errors import LabError
from mlops_lab.base.web import LogsBugs
from mlops_lab.classroom.lti import deep_linking, dynamic, login, people
from mlops_lab.classroom.lti.launch import arrive
from mlops_lab.classroom.lti.outward import origin
from mlops_lab.classroom.lti.refused import Refused
from mlops_lab.classroom.lti.tool import Tool

_PAGE = Path(__file__).parent / "page"
_TEMPLATES = Loader(str(_PAGE))
_STYLE = "/family/page.css"  # of the project's pages; the server has it
_FIELDS = ("iss", "login_hint", "target_link_uri", "lti_message_hint", "client_id", "lti_deployment_id")


def routes(find: Callable[[], Tool]) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """What to put into a `tornado.web.Application`.

    Args:
        find: gives the tool; a LabError while there is none yet.
    """
    given = {"find": find}
    return [
        (r"/lti/login", Login, given),
        (r"/lti/launch", Arrival, given),
        (r"/lti/choose", Choose, given),
        (r"/lti/jwks\.json", Keys, given),
        (rf"{dynamic.PATH}/([\w-]+)", Register, given),
        (r"/lti/page\.css", Style, given),
    ]


class _Handler(LogsBugs):
    """A handler with the tool, whose pages load nothing but their style."""

    def initialize(self, find: Callable[[], Tool]) -> None:
        self._find = find

    def prepare(self) -> None:
        """Take the tool."""
        self.tool = self._find()

    def set_default_headers(self) -> None:
        self.policy()
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")
        self.clear_header("Server")

    def policy(self, *, frames: tuple[str, ...] = (), form: str = "'none'", script: str = "'none'") -> None:
        """What the page may do, and whose pages may show it in a frame."""
        self.set_header(
            "Content-Security-Policy",
            f"default-src 'none'; style-src 'self'; script-src {script}; form-action {form}; base-uri 'none'; "
            f"frame-ancestors {' '.join(frames) or chr(39) + 'none' + chr(39)}",
        )

    def check_xsrf_cookie(self) -> None:
        """Nothing: see the module's docstring."""

    def fields(self, *wanted: str) -> dict[str, str]:
        """The parameters of a request that are there, each of which may be there once."""
        found: dict[str, str] = {}
        for name in wanted:
            values = self.get_arguments(name, strip=False)
            if len(values) > 1:
                raise HTTPError(400, "%s is there more than once", name)
            if values:
                found[name] = values[0]
        return found

    def show(self, template: str, **values: Any) -> None:
        """Answer with a page."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(_TEMPLATES.load(template).generate(style=_STYLE, **values))

    def write_error(self, status_code: int, **given: Any) -> None:
        """The trouble as a page, with what to do next."""
        error = (given.get("exc_info") or (None, None, None))[1]
        message, hint = self._reason, "open the link on the platform again"
        if isinstance(error, LabError):
            self.set_status(error.status if isinstance(error, Refused) else 503 if error.transient else 502)
            message, hint = error.message, error.hint
        self.policy(frames=("https:",))  # it has nothing to press, and is to be seen where the launch was
        self.show("trouble.html", message=message, hint=hint)


class Login(_Handler):
    """A platform sends somebody here."""

    async def get(self) -> None:
        """GET /lti/login"""
        if wait := self.tool.wait(self.request.remote_ip or ""):
            raise Refused("too many launches begin at once", f"open the link again in {math.ceil(wait)} s", 429)
        secret = login.secret_of(self.get_cookie(login.COOKIE))
        to = await login.begin(self.tool, self.fields(*_FIELDS), secret)
        self.add_header("Set-Cookie", login.cookie_header(secret))  # http.cookies knows Partitioned from Python 3.14 on
        self.redirect(to, status=303)

    async def post(self) -> None:
        """POST /lti/login"""
        await self.get()


class Arrival(_Handler):
    """Somebody comes with the platform's message."""

    async def post(self) -> None:
        """POST /lti/launch"""
        cookie = self.get_cookie(login.COOKIE)
        launch = await arrive(self.tool, self.fields("state", "id_token", "error", "error_description"), cookie)
        await people.remember(self.tool, launch)
        if launch.choosing is None:
            self.policy(frames=launch.registration.frames)
            await self.tool.land(self, launch)
            return
        ticket = await deep_linking.offer(self.tool, launch, login.mark(cookie or ""))
        self.policy(frames=launch.registration.frames, form="'self'")
        kind = "checkbox" if launch.choosing.accept_multiple else "radio"
        self.show("choose.html", labs=self.tool.labs(), ticket=ticket, kind=kind, course=launch.course)


class Choose(_Handler):
    """A teacher has chosen labs for a course."""

    async def post(self) -> None:
        """POST /lti/choose"""
        ticket = self.fields("ticket").get("ticket", "")
        choice = await deep_linking.taken(self.tool, ticket, self.get_cookie(login.COOKIE))
        token = await deep_linking.answer(self.tool, choice, self.get_body_arguments("lab"))
        registration = await self.tool.registration(choice.issuer, choice.client_id)
        back, nonce = choice.settings.deep_link_return_url, secrets.token_urlsafe(16)
        to = origin(back).removesuffix(":443")
        self.policy(frames=registration.frames, form=" ".join({to, *registration.frames}), script=f"'nonce-{nonce}'")
        self.show("chosen.html", back=back, token=token, nonce=nonce, platform=registration.title)


class Keys(_Handler):
    """The tool's public keys."""

    async def get(self) -> None:
        """GET /lti/jwks.json"""
        self.set_header("Cache-Control", "public, max-age=3600")
        self.finish(self.tool.own.public())


class Style(_Handler):
    """What the pages have beside the family's style."""

    async def get(self) -> None:
        """GET /lti/page.css"""
        self.set_header("Content-Type", "text/css; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.finish((_PAGE / "page.css").read_bytes())


class Register(_Handler):
    """A platform's administrator has put in an invitation."""

    async def get(self, ticket: str) -> None:
        """GET /lti/register/TICKET"""
        given = self.fields("openid_configuration", "registration_token")
        made = await dynamic.register(
            self.tool, ticket, given.get("openid_configuration", ""), given.get("registration_token", "")
        )
        nonce = secrets.token_urlsafe(16)
        self.policy(frames=made.frames, script=f"'nonce-{nonce}'")
        self.show("registered.html", platform=made.title, deployments=made.deployments, nonce=nonce)
