"""A class's server and a learning platform of another hand, over TLS."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.lti.keys import ToolKeys
from mlops_lab.classroom.lti.outward import TornadoHttp
from mlops_lab.classroom.lti.ports import Answer, SystemClock
from mlops_lab.classroom.lti.registration import Registration
from mlops_lab.classroom.server.database import Database
from mlops_lab.classroom.server.platforms import Platforms
from mlops_lab.classroom.server.records import Ledger
from mlops_lab.classroom.server.service import Service
from mlops_lab.classroom.server.settings import Address, Lti
from tests.classroom.made_up import KEY
from tests.classroom.served import Served, running, settings, until
from tests.unit.lti.school import School, certificate, platform
from tests.unit.lti.school import served as over_tls
from tests.unit.lti.world import Browser


class Line(TornadoHttp):
    """What the server asks platforms by, which may be cut."""

    cut = False

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        if self.cut:
            raise LabError("the school does not answer: the line is cut", "try again", transient=True)
        return await super().__call__(method, url, headers, body)


class Hasty(SystemClock):
    """A clock that has no patience with a platform that is away."""

    async def sleep(self, seconds: float) -> None:
        pass


@dataclasses.dataclass
class Place:
    """A class's server, and the school that leads to it."""

    at: Served
    platforms: Platforms
    school: School
    trusted: Path

    def browser(self) -> Browser:
        return Browser(self.school, self.trusted)

    def come(self, user: str, link: str = "r1", **headers: str) -> tuple[Browser, requests.Response]:
        """Open a link of the course."""
        browser = self.browser()
        form = browser.open(user, link)
        answer = browser.session.post(form.action, data=form.fields, headers=headers, allow_redirects=not headers)
        return browser, answer

    def press(self, browser: Browser, path: str, **fields: str) -> requests.Response:
        """Send a form of the class's own pages."""
        return browser.session.post(f"{self.school.tool}{path}", data=fields, headers={"Origin": self.school.tool})


@contextlib.contextmanager
def with_platform(folder: Path, school: School, trusted: Path) -> Iterator[Place]:
    """A server that knows the school."""
    at = school.address
    known = Registration(
        at, "tool-1", f"{at}/auth", f"{at}/token", f"{at}/keys", ("d1",), "The school", trust_email=True
    )
    url, port = f"sqlite:///{folder}/class.db", int(school.tool.rpartition(":")[2])
    told = settings(
        folder, url, listen=Address("127.0.0.1", port), certificate=trusted, hosts=("localhost",),
        certificate_key=trusted.with_name("key.pem"), lti=Lti(school.tool, (known,), str(trusted)),
    )  # fmt: skip
    service = Service(told, Database(url), Ledger(KEY))
    with running(service, folder) as found:
        platforms = service.platforms
        assert platforms
        until(lambda: platforms._tool)
        yield Place(found, platforms, school, trusted)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ToolKeys, "generate", staticmethod(functools.cache(ToolKeys.generate)))
        yield certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def school(tls: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[School]:
    made = School()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        made.tool = f"https://localhost:{free.getsockname()[1]}"  # to a browser it is another site than the platform
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls))  # for the platform, which fetches the tool's keys
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")

    def at_school(address: str) -> Any:
        made.address = address
        return platform(made)

    with over_tls(tls, at_school):
        yield made
