"""A class's server for tests: in a thread of this process, on 127.0.0.1, and how programs and browsers ask it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from mlops_lab.classroom import packing
from mlops_lab.classroom.server import people
from mlops_lab.classroom.server.database import Database
from mlops_lab.classroom.server.outcome import Outcome
from mlops_lab.classroom.server.records import Ledger
from mlops_lab.classroom.server.server import serving
from mlops_lab.classroom.server.service import Service
from mlops_lab.classroom.server.settings import Address, Class, Settings
from tests.classroom.made_up import KEY, ROSTER, outcome

PATIENCE = 20.0  # s that anything may take while others use the machine
TEACHER, GRADER = "teacher-" + "t" * 24, "grader-" + "g" * 24
EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'
LABS = {"04": "Deploy", "10": f"Autoscale {EVIL}"}
OTHERS = {"13": "a node is drained"}


@dataclass
class Answer:
    """What a request got."""

    status: int
    content: bytes
    headers: http.client.HTTPMessage

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass
class Served:
    """A server, and who asks it."""

    service: Service
    port: int
    port_inside: int
    port_metrics: int
    folder: Path
    loop: asyncio.AbstractEventLoop
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ask(
        self, path: str, method: str = "GET", body: bytes | Any = None, /, *, inside: bool = False, **headers: Any
    ) -> Answer:  # fmt: skip
        """One request; headers of None are not sent, `_` in their names is a hyphen."""
        return self._ask(self.port_inside if inside else self.port, path, method, body, headers)

    def metrics(self) -> str:
        """What Prometheus is told."""
        return self._ask(self.port_metrics, "/metrics", "GET", None, {}).text

    def _ask(self, port: int, path: str, method: str, body: Any, headers: Mapping[str, Any]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        if self.service.settings.tls and port != self.port_metrics:
            trusted = ssl.create_default_context(cafile=str(self.service.settings.certificate))
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=trusted)
        content = body if isinstance(body, bytes | Iterator | None) else json.dumps(body, default=str).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        try:
            connection.request(method, path, content, sent)
            got = connection.getresponse()
            return Answer(got.status, got.read(), got.headers)
        finally:
            connection.close()

    def api(self, token: str, path: str, method: str = "GET", body: Any = None, /, **more: Any) -> Answer:
        return self.ask(path, method, body, Authorization=f"Bearer {token}", **more)

    def token(self, learner: str) -> str:
        """A learner's token."""
        if learner not in self.tokens:
            with self.service.database.transaction() as connection:
                now = datetime.now(UTC)
                self.tokens[learner] = people.hand_out(connection, learner, now + timedelta(days=1), now).token
        return self.tokens[learner]

    def submit(self, learner: str, text: str, lab: str = "10") -> Answer:
        return self.api(self.token(learner), f"/api/v1/submissions?lab={lab}", "POST", archive(self.folder, text))

    def take(self) -> Any:
        given = {"grader": "grader-1", "checker": "sha256:" + "c" * 64}
        answer = self.api(GRADER, "/internal/take", "POST", given, inside=True)
        return answer.json if answer.status == 200 else None

    def tell(self, taken: Any, given: Outcome | Any) -> Answer:
        """A grader's result."""
        path = f"/internal/submissions/{taken['submission']}/result"
        return self.api(taken["token"], path, "POST", msgspec.json.encode(given), inside=True)

    def graded(self, learner: str, *failed: str, text: str = "", lab: str = "10") -> int:
        """Hand in, and grade; returns the submission."""
        handed = self.submit(learner, text or f"{learner}{failed}{time.monotonic_ns()}", lab)
        assert handed.status == 201, handed.text
        taken = self.take()
        assert taken["submission"] == handed.json["submission"]
        assert self.tell(taken, outcome(*failed)).status == 201
        return int(taken["submission"])

    def do(self, what: Coroutine[Any, Any, None]) -> None:
        """Have the server do what it does beside requests."""
        asyncio.run_coroutine_threadsafe(what, self.loop).result(PATIENCE)

    def log_in(self, token: str) -> str:
        """A browser's cookie for a token."""
        answer = self.form("/login", {"token": token}, "")
        assert answer.status == 303, answer.text
        return answer.headers["Set-Cookie"].partition(";")[0]

    def form(self, path: str, values: Mapping[str, str], cookie: str, **headers: Any) -> Answer:
        usual = {"Origin": f"http://{self.host}", "Content_Type": "application/x-www-form-urlencoded", "Cookie": cookie}
        return self.ask(path, "POST", urlencode(values).encode(), **{**usual, **headers})

    def events(self, cookie: str) -> Iterator[Any]:
        """What a page is told."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", "/live", headers={"Cookie": cookie})
        got = connection.getresponse()
        assert got.status == 200 and got.headers["Content-Type"] == "text/event-stream"
        try:
            while line := got.readline():
                if line.startswith(b": here"):
                    yield None
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        finally:
            connection.close()


def archive(folder: Path, text: str) -> bytes:
    """A workspace with one file, packed."""
    work = folder / "workspace"
    work.mkdir(exist_ok=True)
    (work / "deployment.yaml").write_text(text)
    return packing.pack(work).content


def settings(folder: Path, url: str, **more: Any) -> Settings:
    free = Address("127.0.0.1", 0)
    given = {
        "roster": None,
        "hosts": ("class.example",),
        "klass": Class("Class A", LABS, others=OTHERS),
        "listen": free,
        **more,
    }
    return Settings(
        database=url, key=folder / "key.pem", teacher=TEACHER, grader=GRADER, inside=free, metrics=free, **given
    )  # fmt: skip


@contextlib.contextmanager
def served(folder: Path, url: str = "", clock: Callable[[], float] = time.monotonic, **more: Any) -> Iterator[Served]:
    """Serve a class with three learners."""
    url = url or f"sqlite:///{folder}/class.db"
    service = Service(settings(folder, url, **more), Database(url), Ledger(KEY), clock)
    with running(service, folder) as found:
        until(lambda: service.ready)
        with service.database.transaction() as connection:
            people.enrol(connection, ROSTER)
        yield found


@contextlib.contextmanager
def running(service: Service, folder: Path) -> Iterator[Served]:
    """Serve from a thread of its own while the block runs."""
    ready, began = threading.Event(), dict[str, Any]()

    async def main() -> None:
        began["stop"], began["loop"] = asyncio.Event(), asyncio.get_running_loop()
        async with serving(service) as began["ports"]:
            ready.set()
            await began["stop"].wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        outside, inside, metrics = began["ports"]
        yield Served(service, outside, inside, metrics, folder, began["loop"])
    finally:
        began["loop"].call_soon_threadsafe(began["stop"].set)
        thread.join(PATIENCE)
        assert not thread.is_alive()


def until(condition: Callable[[], Any], within: float = PATIENCE) -> None:
    """Wait until it holds."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
