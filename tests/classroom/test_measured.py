"""What `scripts/bench --only class` asks a class's server, and what it makes of the answers: with the server itself."""

from __future__ import annotations

import contextlib
import http.client
import importlib
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from mlops_lab.base.paths import project
from mlops_lab.classroom.grader.asking import Server as Inside
from tests.classroom.served import GRADER, TEACHER, Served, served


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(project() / "scripts"))
    names = ("class_grading", "class_many", "sizing")
    found = SimpleNamespace(**{name: importlib.import_module(f"bench_{name}") for name in names})
    for name in ("ASKED", "SHOWN"):
        monkeypatch.setattr(found.class_many, name, 2)
    return found


@pytest.fixture
def klass(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        yield found


class Plain:
    """The server as its teacher asks it, without TLS."""

    def __init__(self, klass: Served) -> None:
        self._klass = klass

    def text(self, method: str, path: str, body: bytes = b"", token: str = "") -> bytes:
        answer = self._klass.api(token or TEACHER, f"/api/v1/{path}", method, body or None)
        assert answer.status < 300, answer.text
        return answer.content

    def post(self, path: str, shape: Any, **values: Any) -> Any:
        return msgspec.json.decode(self.text("POST", path, msgspec.json.encode(values)), type=shape)


def inside(klass: Served, token: str = "") -> Inside:
    return Inside(f"http://127.0.0.1:{klass.port_inside}", token or GRADER)


def pages(bench: Any, klass: Served, token: str = TEACHER) -> Any:
    return bench.class_many.Pages(
        lambda: http.client.HTTPConnection("127.0.0.1", klass.port, timeout=20), f"http://{klass.host}", token
    )


def test_submissions_are_handed_in_and_waited_for(bench: Any, klass: Served) -> None:
    handed = bench.class_grading.hand_in(Plain(klass), ["ada", "bo"], {"04": "files"})
    assert len(handed) == 2

    def grade(_: float) -> None:
        taken = inside(klass).take("g", "c", [])
        if taken:
            inside(klass, taken.token).result(taken.submission, bench.class_many.outcome())

    found = bench.class_grading.graded(lambda: contextlib.nullcontext(Plain(klass)), handed, grade)
    assert -1 <= found.seconds < 20, "records have whole seconds"
    assert found.passed == 0, "the result has two of three points"
    again = bench.class_grading.hand_in(Plain(klass), ["ada"], {"04": "files"})
    assert not set(again) & set(handed), "the next run hands in something else"


def test_api_pages_and_map_are_timed(bench: Any, klass: Served) -> None:
    figures = bench.class_many.servers(
        Plain(klass), lambda token: inside(klass, token), pages(bench, klass), ["ada", "bo", "cy"]
    )
    assert len(figures) == 6 and all(0 < value < 20 and goal for value, _, goal in figures.values())
    assert klass.service.book.of("cy").keys() == {"04", "10"}
    assert {goal for name, (_, _, goal) in figures.items() if "until the map shows it" in name} == {"at most 2"}


def test_who_is_let_in_nowhere_or_hears_nothing_measures_nothing(
    bench: Any, klass: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match="let the teacher not in: status 403"):
        pages(bench, klass, "teacher-" + "x" * 24).sign_in()
    monkeypatch.setattr(bench.class_many, "WITHIN", 0.2)
    teacher = pages(bench, klass)
    teacher.sign_in()
    with pytest.raises(SystemExit, match="heard nothing of a result"):
        bench.class_many.shown(teacher, ["ada"], "10", lambda *_: None, lambda _: None)


def test_a_server_that_ends_is_no_measurement(bench: Any, klass: Served) -> None:
    teacher = pages(bench, klass)
    teacher.sign_in()

    def tell(_: Any) -> None:
        threading.Timer(0.1, lambda: klass.loop.call_soon_threadsafe(klass.service.hub.close)).start()

    with pytest.raises(SystemExit, match="lost the server"):
        bench.class_many.shown(teacher, ["ada"], "10", lambda *_: None, tell)
