"""What listens: for learners, the teacher and learning platforms at one address, for graders and probes at another.

A third one is for Prometheus alone, which can't be told the class's certificate.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler, stream_request_body

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.paths import project
from mlops_lab.classroom.lti.handlers import routes
from mlops_lab.classroom.server import (
    cluster_pages,
    graders_api,
    guard,
    labs_api,
    learners_api,
    metrics,
    pages,
    platform_pages,
    teachers_api,
    templates,
    tls,
)
from mlops_lab.classroom.server.database import Away, Database
from mlops_lab.classroom.server.handling import Api, Handler, Nothing
from mlops_lab.classroom.server.platforms import Platforms
from mlops_lab.classroom.server.records import Ledger
from mlops_lab.classroom.server.service import Service
from mlops_lab.classroom.server.settings import Address, Settings
from mlops_lab.classroom.signing import private_from_pem

_FAMILY = project() / "images" / "pipelines" / "embedded" / "pages" / "static"  # the style of the project's pages
_DESK = Path(__file__).parents[2] / "desk" / "page" / "static"
_IDLE = 30.0  # s for a request's headers, and between two requests
_FORM = 64 << 10  # bytes of a page's form; the handlers of programs take what each says
_NUMBER = r"(\d{1,15})"
_ID = r"([a-z0-9-]{1,20})"


@stream_request_body
class Health(Api):
    """/healthz: does the server run? /readyz: has it once had its database?

    A database that goes away later makes nothing unready: then learners could reach nobody who tells them to come back.
    """

    part = "probe"

    async def get(self, which: str) -> None:
        """200 or 503"""
        if which == "readyz" and not self.service.ready:
            raise Away("it was not there yet")
        self.give({"ready": self.service.ready, "database": not self.service.database.is_away})


class Metrics(Handler):
    """/metrics"""

    part = "probe"

    async def get(self) -> None:
        """For Prometheus."""
        try:
            found = await self.service.run(metrics.stand)
        except LabError:
            found = None
        cells, labs = list(self.service.book.cells.values()), list(self.service.settings.klass.labs)
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.finish(self.service.meters.text(found, cells, labs, whole=not self.service.broken))


def outside(service: Service) -> Application:
    """What learners and the teacher reach."""
    return _application(
        service,
        [
            (r"/api/v1/submissions", learners_api.Submissions),
            (rf"/api/v1/submissions/{_NUMBER}", learners_api.OneSubmission),
            (rf"/api/v1/submissions/{_NUMBER}/again", teachers_api.Again),
            (r"/api/v1/me", learners_api.Me),
            (r"/api/v1/labs", labs_api.Labs),
            (r"/api/v1/labs/(\d\d)", labs_api.OneLab),
            (r"/api/v1/labs/(\d\d)/again", labs_api.LabAgain),
            (r"/api/v1/kubeconfig", labs_api.Kubeconfig),
            (r"/api/v1/key", learners_api.PublicKey),
            (r"/api/v1/kits", teachers_api.Kits),
            (r"/api/v1/kits/extend", teachers_api.Extend),
            (r"/api/v1/kits/revoke", teachers_api.Revoke),
            (r"/api/v1/roster", teachers_api.Roster),
            (r"/api/v1/grades", teachers_api.Grades),
            (r"/api/v1/grades\.csv", teachers_api.GradesCsv),
            (r"/api/v1/records\.jsonl", teachers_api.Records),
            (r"/api/v1/status", teachers_api.Status),
            (r"/(?:api|internal)/.*", Nothing),
            (r"/(healthz)", Health),
            (r"/", pages.Home),
            (r"/login", pages.Login),
            (r"/logout", pages.Logout),
            (r"/grades", pages.Grades),
            (r"/grades\.csv", pages.Csv),
            (r"/records\.jsonl", pages.Records),
            (r"/cell", pages.Cell),
            (r"/map", pages.Map),
            (r"/labs/(\d\d)", pages.Lab),
            (rf"/learners/{_ID}", pages.LearnerPage),
            (rf"/learners/{_ID}/labs/(\d\d)/(begin|again|end|submit)", cluster_pages.OneLab),
            (rf"/learners/{_ID}/kubeconfig", cluster_pages.Kubeconfig),
            (rf"/submissions/{_NUMBER}", pages.SubmissionPage),
            (rf"/submissions/{_NUMBER}/again", pages.Again),
            (r"/kit", pages.KitFile),
            (r"/live", pages.Live),
            (r"/static/([\w.-]+)", guard.Files, {"path": str(templates.PAGE / "static")}),
            (r"/family/(page\.css|icon\.svg)", guard.Files, {"path": str(_FAMILY)}),
            (r"/desk/(desk\.css)", guard.Files, {"path": str(_DESK)}),
            *(of_platforms(service.platforms) if service.platforms else ()),
        ],
        guard.NoPage,
    )


def inside(service: Service) -> Application:
    """What only the cluster reaches."""
    return _application(
        service,
        [
            (r"/internal/take", graders_api.Take),
            (rf"/internal/submissions/{_NUMBER}/archive", graders_api.Archive),
            (rf"/internal/submissions/{_NUMBER}/looked", graders_api.Looked),
            (rf"/internal/submissions/{_NUMBER}/alive", graders_api.Alive),
            (rf"/internal/submissions/{_NUMBER}/result", graders_api.Result),
            (rf"/internal/submissions/{_NUMBER}/back", graders_api.Back),
            (r"/(healthz|readyz)", Health),
        ],
        Nothing,
    )


def of_platforms(platforms: Platforms) -> list[Any]:
    """What learning platforms reach, and the teacher's page about them."""
    return [
        *routes(platforms.tool),
        (r"/platforms", platform_pages.Overview),
        (r"/platforms/course", platform_pages.Course),
        (r"/platforms/invitation", platform_pages.Invitation),
        (r"/platforms/again", platform_pages.Again),
    ]


def for_prometheus(service: Service) -> Application:
    """What Prometheus reaches: numbers, and nothing about a learner."""
    return _application(service, [(r"/metrics", Metrics)], Nothing)


def service_of(settings: Settings) -> Service:
    """The class of these settings.

    Raises:
        UsageError: its key can't be read.
    """
    try:
        pem = settings.key.read_text("ascii")
    except (OSError, ValueError) as wrong:
        raise UsageError(
            f"the key {settings.key} can't be read: {wrong}", "set CLASS_KEY to the class's key"
        ) from wrong
    key = private_from_pem(pem, str(settings.key), "set CLASS_KEY to the class's key")
    return Service(settings, Database(settings.database), Ledger(key))


@contextlib.asynccontextmanager
async def serving(service: Service) -> AsyncIterator[tuple[int, int, int]]:
    """Serve; gives the ports: outside, inside, for Prometheus.

    Raises:
        LabError: an address is taken, or the certificate can't be read.
    """
    settings = service.settings
    templates.prepare()
    certificate = None
    if settings.certificate and settings.certificate_key:
        certificate = tls.Certificate(settings.certificate, settings.certificate_key)
    spoken = certificate.context if certificate else None
    if settings.lti:
        service.platforms = Platforms(service, settings.lti)
    servers = []
    ports = []
    for address, application, encrypted in (
        (settings.listen, outside(service), spoken), (settings.inside, inside(service), spoken),
        (settings.metrics, for_prometheus(service), None),
    ):  # fmt: skip
        sockets = _bound(address)
        servers.append(_server(application, encrypted))
        servers[-1].add_sockets(sockets)
        ports.append(int(sockets[0].getsockname()[1]))
    service.begin()
    renewing = asyncio.create_task(_renewing(certificate, servers[:2])) if certificate else None
    try:
        yield ports[0], ports[1], ports[2]
    finally:
        if renewing:
            renewing.cancel()
        for server in servers:
            server.stop()
        await service.end()
        for server in servers:
            await server.close_all_connections()


def _application(service: Service, rules: list[Any], default: type[RequestHandler]) -> Application:
    return Application(rules, default_handler_class=default, service=service, log_function=_log)


def _server(application: Application, tls: ssl.SSLContext | None) -> HTTPServer:
    return HTTPServer(
        application, ssl_options=tls, max_body_size=_FORM, max_header_size=16 << 10, chunk_size=64 << 10,
        idle_connection_timeout=_IDLE, body_timeout=_IDLE,
    )  # fmt: skip


def _bound(address: Address) -> list[socket.socket]:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return bind_sockets(address.port, address.host, family)
    except OSError as taken:
        raise LabError(f"{address.host} port {address.port}: {taken.strerror}", "use another address for it") from taken


async def _renewing(certificate: tls.Certificate, servers: Sequence[HTTPServer]) -> None:
    """Take up a certificate that was renewed, for the connections that come then."""
    while True:
        await asyncio.sleep(tls.LOOK)
        if certificate.renewed():
            for each in servers:
                each.ssl_options = certificate.context


def _log(handler: RequestHandler) -> None:
    """Requests are counted, not logged: addresses of learners stay out of logs."""
    if not isinstance(handler, Handler):  # those of learning platforms; ours count themselves
        meters = handler.settings["service"].meters
        meters.requests.labels("platform", str(handler.get_status())).inc()
        meters.answered.labels("platform").observe(handler.request.request_time())
