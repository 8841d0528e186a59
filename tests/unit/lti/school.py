"""A learning platform of another hand: lti1p3platform signs, verifies and keeps its own rules, on other JWT libraries.

Here is only what that library leaves to a platform: HTTP over TLS, a course with people, and a gradebook.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lti1p3platform.exceptions import LineItemNotFoundException, LtiException
from lti1p3platform.ltiplatform import LTI1P3PlatformConfAbstract
from lti1p3platform.membership import Context
from lti1p3platform.message_launch import LTIAdvantageMessageLaunchAbstract
from lti1p3platform.oidc_login import OIDCLoginAbstract
from lti1p3platform.registration import Registration
from lti1p3platform.request import Request
from lti1p3platform.response import Response, generate_next_link
from lti1p3platform.score import UpdateScoreStatus
from lti1p3platform.service_connector import AssignmentsGradesService, NamesRoleProvisioningService
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from tests.unit.lti.made_up import MEMBERSHIP, key, public_pem

PEOPLE = {
    "ada": ("Ada Lovelace", "Learner"), "grace": ("Grace Hopper", "Instructor"), "alan": ("Alan Turing", "Learner"),
    "mary": ("Mary Jackson", "Learner"), "karen": ("Karen Jones", "Learner"),
}  # fmt: skip

_NAMES = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]


@dataclass
class School:
    """The platform: its course, and what it has been told.

    Attributes:
        address: where it is, such as `https://127.0.0.1:4443`.
        tool: where the tool is.
        links: labs by the id of their link.
        items: line items by number; scores by line item and person.
        chosen: content items that came back by deep linking.
    """

    address: str = ""
    tool: str = ""
    links: dict[str, str] = field(default_factory=lambda: {"r1": "10"})
    items: dict[str, Any] = field(default_factory=dict)
    scores: dict[tuple[str, str], Any] = field(default_factory=dict)
    chosen: list[Any] = field(default_factory=list)

    def conf(self) -> LTI1P3PlatformConfAbstract:
        """The library's platform, whose tool's keys are fetched anew."""
        private = key("platform").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        made = Registration().set_iss(self.address).set_client_id("tool-1").set_deployment_id("d1")
        made.set_launch_url(f"{self.tool}/lti/launch").set_deeplink_launch_url(f"{self.tool}/lti/launch")
        made.set_oidc_login_url(f"{self.tool}/lti/login").set_tool_key_set_url(f"{self.tool}/lti/jwks.json")
        made.set_platform_public_key(public_pem(key("platform")).decode()).set_platform_private_key(private)
        return _Conf(made=made)


class _Conf(LTI1P3PlatformConfAbstract):
    def init_platform_config(self, **given: Any) -> None:
        self._registration = given["made"]

    def get_registration_by_params(self, **_: Any) -> Registration:
        return self._registration


class _Asked(Request):
    def build_metadata(self, request: Any) -> Any:
        def plain(arguments: dict[str, list[bytes]]) -> dict[str, Any]:
            values = {name: each[0].decode() for name, each in arguments.items()}
            return {name: int(each) if each.isdigit() else each for name, each in values.items()}

        return {
            "method": request.method, "headers": request.headers, "path": request.path,
            "get_data": plain(request.query_arguments), "form_data": plain(request.body_arguments),
            "json": json.loads(request.body) if request.body[:1] in (b"{", b"[") else None,
        }  # fmt: skip


class _Login(OIDCLoginAbstract):
    def set_lti_message_hint(self, **given: Any) -> None:
        self._lti_message_hint = given["hint"]

    def get_redirect(self, url: str) -> str:
        return url


class _Launch(LTIAdvantageMessageLaunchAbstract):
    def render_launch_form(self, launch_data: dict[str, Any], **_: Any) -> str:
        shown = [f'<input name="{name}" value="{html.escape(launch_data[name])}">' for name in ("state", "id_token")]
        sends = "<script>document.forms[0].submit()</script>"
        return f'<form method="post" action="{launch_data["launch_url"]}">{"".join(shown)}</form>{sends}'


class _Gradebook(AssignmentsGradesService):
    school: School

    def find_lineitems(self, **asked: Any) -> Any:
        wanted = [
            each for each in self.school.items.values()
            if asked.get("resource_id") in (None, each["resourceId"]) and asked.get("tag") in (None, each["tag"])
        ]  # fmt: skip
        return {"content": wanted, "has_next": False}

    def find_lineitem(self, line_item_id: str) -> Any:
        if line_item_id not in self.school.items:
            raise LineItemNotFoundException
        return self.school.items[line_item_id]

    def create_lineitem(self, creation_data: Any) -> Any:
        number = str(len(self.school.items) + 1)
        self.school.items[number] = {**creation_data, "id": f"{self.school.address}/c1/items/{number}"}
        return self.school.items[number]

    def update_lineitem(self, update_data: Any) -> Any:
        raise NotImplementedError

    def delete_lineitem(self, line_item_id: str) -> None:
        raise NotImplementedError

    def get_results(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def update_score(self, line_item_id: str, score: Any) -> UpdateScoreStatus:
        self.find_lineitem(line_item_id)
        before = self.school.scores.get((line_item_id, score["userId"]))
        at = datetime.fromisoformat(score["timestamp"])
        if before and at <= datetime.fromisoformat(before["timestamp"]):
            return UpdateScoreStatus.OLD_TIMESTAMP
        self.school.scores[line_item_id, score["userId"]] = score
        return UpdateScoreStatus.SUCCESS


class _Roster(NamesRoleProvisioningService):
    def get_context_by_id(self) -> Context:
        return Context("c1", "ML", "MLOps")

    def get_member_data_page(self, page: int = 1, limit: int | None = None, **_: Any) -> Any:
        everybody = [
            {"user_id": user, "name": name, "email": f"{user}@school.example", "roles": [f"{MEMBERSHIP}{role}"]}
            for user, (name, role) in PEOPLE.items()
        ]
        limit = limit or len(everybody)
        return {"content": everybody[(page - 1) * limit : page * limit], "has_next": page * limit < len(everybody)}


class _Page(RequestHandler):
    def initialize(self, school: School) -> None:
        self.school, self.conf = school, school.conf()

    def prepare(self) -> None:
        self.asked = _Asked(self.request)  # from now on the body is read

    def respond(self, answer: Response) -> None:
        """What the library answers, as HTTP: pages as Link headers."""
        self.set_status(answer.code)
        self.set_header("Content-Type", answer.media_type)
        result = answer.result
        if isinstance(result, dict) and "next" in result:
            self.set_header("Link", generate_next_link(result.pop("next")))
        if isinstance(result, dict) and "content" in result:
            result = result["content"]
        self.finish(json.dumps(result))


class _Begin(_Page):
    def get(self) -> None:
        to = _Login(self.asked, self.conf)
        to.set_lti_message_hint(hint=self.get_argument("link"))
        self.redirect(to.initiate_login(self.get_argument("user")))


class _Frame(_Page):
    def get(self) -> None:
        """A page of the platform that shows the tool in a frame."""
        self.finish(f'<title>Course</title><iframe name="tool" src="/begin?{self.request.query}"></iframe>')


class _Auth(_Page):
    def get(self) -> None:
        user, link = self.get_argument("login_hint"), self.get_argument("lti_message_hint")
        launch = _Launch(self.asked, self.conf)
        name, role = PEOPLE[user]
        launch.set_user_data(user, [f"{MEMBERSHIP}{role}"], name, f"{user}@school.example")
        launch.set_launch_context_claim("c1", ["http://purl.imsglobal.org/vocab/lis/v2/course#CourseOffering"], "MLOps")
        launch.set_nrps(f"{self.school.address}/c1/members?limit=2")
        launch.set_ags(f"{self.school.address}/c1/items")
        if link == "choose":
            launch.set_dl(f"{self.school.address}/chosen", extra_data={"csrf": "7"})
        else:
            launch.set_resource_link_claim(link)
            launch.set_custom_parameters_claim({"lab": self.school.links[link]})
        self.finish(launch.lti_launch())


class _Token(_Page):
    def post(self) -> None:
        try:
            self.finish(dict(self.conf.get_access_token(self.asked.form_data)))
        except LtiException as refused:
            self.set_status(400)
            self.finish({"error": "invalid_client", "error_description": str(refused)})


class _Keys(_Page):
    def get(self) -> None:
        self.finish(dict(self.conf.get_jwks()))


class _Members(_Page):
    def get(self) -> None:
        roster = _Roster(self.asked, self.conf, f"{self.school.address}/c1/members")
        self.respond(roster.handle_resp(roster.handle_get_members))


class _Items(_Page):
    def service(self) -> Any:
        made = _Gradebook(self.asked, self.conf, f"{self.school.address}/c1/items")
        made.school = self.school
        return made

    def get(self) -> None:
        made = self.service()
        self.respond(made.handle_resp(lambda: made.handle_get_lineitems()))

    def post(self, item: str = "") -> None:
        made = self.service()
        score = (lambda: made.handle_update_score(item)) if item else (lambda: made.handle_create_lineitem())
        self.respond(made.handle_resp(score))


class _Chosen(_Page):
    def post(self) -> None:
        self.school.chosen += self.conf.validate_deeplinking_resp(self.asked.form_data)
        self.finish("taken")


def platform(school: School) -> Application:
    """What the platform answers at."""
    pages: list[tuple[str, type[_Page]]] = [
        (r"/begin", _Begin), (r"/frame", _Frame), (r"/auth", _Auth), (r"/token", _Token), (r"/keys", _Keys),
        (r"/c1/members", _Members), (r"/c1/items", _Items), (r"/c1/items/(\d+)/scores", _Items), (r"/chosen", _Chosen),
    ]  # fmt: skip
    return Application([(path, handler, {"school": school}) for path, handler in pages])


def certificate(folder: Path) -> Path:
    """A file with a certificate of this machine, which is its own authority; its key lies beside it."""
    private = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName(_NAMES), critical=False)
        .sign(private, hashes.SHA256())
    )  # fmt: skip
    (folder / "key.pem").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "certificate.pem").write_bytes(made.public_bytes(Encoding.PEM))
    return folder / "certificate.pem"


@contextlib.contextmanager
def served(certificate: Path, *made: Callable[[str], Application]) -> Iterator[list[str]]:
    """The addresses of applications that are served over TLS, each in a thread of its own."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(_serving(certificate, each)) for each in made]


@contextlib.contextmanager
def _serving(certificate: Path, made: Callable[[str], Application]) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    sockets = bind_sockets(0, "127.0.0.1")
    address = f"https://127.0.0.1:{sockets[0].getsockname()[1]}"
    loop, ready = asyncio.new_event_loop(), threading.Event()
    ends = asyncio.Event()

    async def serve() -> None:
        server = HTTPServer(made(address), ssl_options=context)
        server.add_sockets(sockets)
        ready.set()
        await ends.wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(ends.set)
        thread.join(10)
        loop.close()
