"""A class's server and a platform of another hand, both served over TLS, for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tornado.web import Application, RequestHandler

from mlops_lab.classroom.lti.handlers import routes
from mlops_lab.classroom.lti.launch import Launch
from mlops_lab.classroom.lti.outward import TornadoHttp
from mlops_lab.classroom.lti.ports import SystemClock
from mlops_lab.classroom.lti.registration import Registration
from mlops_lab.classroom.lti.tool import Tool
from tests.browser import browser  # noqa: F401
from tests.unit.lti.made_up import LABS, MemoryStore, own
from tests.unit.lti.school import School, certificate, platform, served
from tests.unit.lti.world import World


async def _land(handler: RequestHandler, launch: Launch) -> None:
    course = launch.course.title if launch.course else ""
    handler.finish({"user": launch.user, "name": launch.name, "lab": launch.lab, "teaches": launch.teaches,
                    "learns": launch.learns, "course": course})  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    trusted, school, made = certificate(tmp_path_factory.mktemp("tls")), School(), list[Tool]()

    def at_school(address: str) -> Application:
        school.address = address
        return platform(school)

    def in_class(address: str) -> Application:
        address = address.replace("127.0.0.1", "localhost")  # to a browser it is another site than the platform
        school.tool, at = address, school.address
        registration = Registration(at, "tool-1", f"{at}/auth", f"{at}/token", f"{at}/keys", ("d1",), "The school")
        store = MemoryStore(lambda: datetime.now(UTC))
        made.append(
            Tool(address, "mlops-lab", own(), store, TornadoHttp(str(trusted)), SystemClock(), lambda: LABS, _land,
                 (registration,))
        )  # fmt: skip
        return Application(routes(lambda: made[0]), xsrf_cookies=True)

    with pytest.MonkeyPatch.context() as patch, served(trusted, at_school, in_class):
        patch.setenv("REQUESTS_CA_BUNDLE", str(trusted))  # for the platform, which fetches the tool's keys
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield World(trusted, school, made)
