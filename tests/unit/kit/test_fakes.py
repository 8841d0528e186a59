"""The fake service: its program answers as told and keeps what came, and its Service leads to the checker's pod."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.checks import LabError
from mlops_lab.kit.fakes import Reply, Request, fake_service, server
from mlops_lab.measure.traffic.http import Answer
from tests.made_up import NothingThere, NoTraffic, Room, made_up_lab


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[str, server.Script]]:
    """The program's two servers; the address of one, and what they answer from."""
    pages, controls = server.serve(0, str(tmp_path / "control"))
    yield f"http://127.0.0.1:{pages.server_address[1]}", pages.RequestHandlerClass.script  # type: ignore[attr-defined]
    for each in (pages, controls):
        each.shutdown()
        each.server_close()


def call(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str, Mapping[str, str]]:
    asked = urllib.request.Request(url, body, method=method, headers={"X-Request-ID": "7"})
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode(), refused.headers


class Talk:
    """A conversation with the program's script, without a pod."""

    def __init__(self, script: server.Script) -> None:
        self._script = script

    async def ask(self, said: Mapping[str, Any], *, within: float) -> dict[str, Any]:
        return json.loads(json.dumps(self._script.control(json.loads(json.dumps(said)))))  # type: ignore[no-any-return]


class Objects(NothingThere):
    def __init__(self, there: Any = None) -> None:
        self.there, self.applied, self.deleted = there, list[Any](), list[str]()

    def named(self, kind: str, name: str) -> Any:
        async def now() -> Any:
            return self.there

        return SimpleNamespace(now=now)

    async def apply(self, objects: Any) -> None:
        self.applied += objects

    async def delete(self, kind: str, name: str, grace: int | None = None) -> None:
        self.deleted.append(f"{kind} {name}")


class Traffic(NoTraffic):
    """Requests to the Service reach the program, after a few that nobody answers; or none does.

    Args:
        lost: how many of them.
    """

    def __init__(self, url: str, lost: int = 2) -> None:
        self.url, self.lost, self.asked = url, lost, list[str]()

    async def get(self, service: str, path: str, *, port: int, within: float) -> Answer:
        self.asked.append(f"{service}:{port}")
        if len(self.asked) <= self.lost:
            return Answer(0, {}, b"", within, "refused", path)
        status, text, headers = await asyncio.to_thread(call, f"{self.url}{path}")
        return Answer(status, headers, text.encode(), 0.0, "", path)

    async def first_answer(self, ask: Any, test: Any, *, within: float) -> Any:
        answers = [await ask() for _ in range(5)]
        return next(filter(test, answers), answers[-1])


def lab_with(running: tuple[str, server.Script], objects: Objects, lost: int = 2) -> Any:
    url, script = running

    @contextlib.asynccontextmanager
    async def talk(*words: str) -> AsyncIterator[Talk]:
        assert words[-1] == "control"
        yield Talk(script)

    @contextlib.asynccontextmanager
    async def pod(image: str, *words: str, files: Mapping[str, str], **more: Any) -> AsyncIterator[Any]:
        assert "def serve" in files["server.py"]
        yield SimpleNamespace(talk=talk, address="10.1.2.3")

    return made_up_lab(objects=objects, programs=Room(pod=pod), traffic=Traffic(url, lost))


def test_a_fake_answers_as_set_and_tells_what_came(running: tuple[str, server.Script]) -> None:
    (url, _), objects = running, Objects()

    async def play() -> None:
        replies = {"POST /alerts": Reply(202, {"ok": True})}
        async with fake_service(lab_with(running, objects), "inbox", replies) as fake:
            assert await fake.requests() == []
            status, text, headers = await asyncio.to_thread(call, f"{url}/alerts?a=1", "POST", b"fire")
            assert (status, json.loads(text), headers["Content-Type"]) == (202, {"ok": True}, "application/json")
            assert (await asyncio.to_thread(call, f"{url}/other"))[0] == 404
            one, other = await fake.requests()
            assert (one.method, one.path, one.body, one.status) == ("POST", "/alerts?a=1", "fire", 202)
            assert one.headers["x-request-id"] == "7" and 0 <= other.ago <= one.ago < 60
            assert (other.path, other.status) == ("/other", 404)
            await fake.forget()
            assert await fake.requests() == []
            await fake.reply("*", Reply(503, "away", {"Retry-After": "1"}), Reply())
            first, second, third = [await asyncio.to_thread(call, url) for _ in range(3)]
            assert (first[:2], first[2]["Retry-After"]) == ((503, "away"), "1")
            assert second[0] == third[0] == 200
            assert objects.deleted == []

    asyncio.run(play())
    assert [item["kind"] for item in objects.applied] == ["Service", "EndpointSlice"]
    assert objects.applied[1]["endpoints"][0]["addresses"] == ["10.1.2.3"]
    assert "selector" not in objects.applied[0]["spec"]
    assert sorted(objects.deleted) == ["EndpointSlice inbox", "Service inbox"]


def test_several_replies_come_in_turn_from_the_beginning(running: tuple[str, server.Script]) -> None:
    async def play() -> list[int]:
        replies = {"*": [Reply(503), Reply(200)]}
        async with fake_service(lab_with(running, Objects()), "inbox", replies):
            return [(await asyncio.to_thread(call, running[0]))[0] for _ in range(3)]

    assert asyncio.run(play()) == [503, 200, 200]


def test_one_that_is_not_reached_is_no_fault_of_the_learners(running: tuple[str, server.Script]) -> None:
    objects = Objects()
    lab = lab_with(running, objects, lost=99)

    async def play() -> None:
        async with fake_service(lab, "inbox", {}, port=8000):
            raise AssertionError("it stands")

    with pytest.raises(LabError, match="inbox is not reached after 30 s: no answer: refused"):
        asyncio.run(play())
    assert set(lab.traffic.asked) == {"inbox:8000"}
    assert sorted(objects.deleted) == ["EndpointSlice inbox", "Service inbox"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [('{"a": 1}', {"a": 1}), ("[1]", {}), ("", {}), ("a=1", {}), ("[" * 100_000, {})],
)
def test_the_fields_of_a_request_if_it_has_any(body: str, fields: Any) -> None:
    assert Request("POST", "/", {}, body, 200, 0.0).fields_if_any == fields


def test_who_leaves_before_the_answer_disturbs_nobody(
    running: tuple[str, server.Script], capfd: pytest.CaptureFixture[str]
) -> None:
    url, script = running
    script.control({"route": "*", "replies": [Reply(body="x" * (8 << 20), after=0.2).plain()]})
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as gone:
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        while not script.control({"requests": True})["requests"]:
            time.sleep(0.01)
    time.sleep(0.5)
    assert call(url)[0] == 200
    assert "Traceback" not in capfd.readouterr().err


def test_a_service_that_is_not_the_checkers_is_left_alone(running: tuple[str, server.Script]) -> None:
    objects = Objects({"metadata": {"name": "inbox"}})

    async def play() -> None:
        async with fake_service(lab_with(running, objects), "inbox", {}):
            raise AssertionError("it stands")

    with pytest.raises(LabError, match="inbox"):
        asyncio.run(play())
    assert objects.applied == objects.deleted == []


def test_lines_are_handed_on_to_the_server_that_runs(tmp_path: Path) -> None:
    control = str(tmp_path / "control")
    servers = server.serve(0, control)
    folder = str(Path(server.__file__).parent)
    start = f"import sys; sys.path.insert(0, {folder!r}); import server; server.relay({control!r})"
    done = subprocess.run(
        [sys.executable, "-S", "-c", start], input='{"route": "*", "replies": []}\n{"requests": true}\n',
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines() == ['{"requests": []}'] * 2, done.stderr
    for each in servers:
        threading.Thread(target=each.shutdown).start()
        each.server_close()
