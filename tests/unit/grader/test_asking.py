"""The server's address inside, as graders ask it: what they send, and what becomes of each kind of answer."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.classroom.grader.asking import Server, Stale, Taken


class Handler(http.server.BaseHTTPRequestHandler):
    answers: ClassVar[list[tuple[int, Any]]] = []
    asked: ClassVar[list[tuple[str, str, str, Any]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = json.loads(body) if body else None
        self.asked.append((self.command, self.path, self.headers["Authorization"], said))
        status, content = self.answers.pop(0)
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if status != 204:
            self.wfile.write(content)

    do_GET = do_POST

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    Handler.answers, Handler.asked = [], []
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
    yield Server(f"http://127.0.0.1:{listening.server_port}", "t0ken", patience=60, wait=lambda _: None)
    listening.shutdown()
    listening.server_close()


TAKEN = {"submission": 7, "learner": "ada", "lab": "04", "number": 3, "sha256": "0", "token": "own", "tries": 2}


def test_a_submission_is_taken(server: Server) -> None:
    Handler.answers = [(200, TAKEN), (204, b"")]
    assert server.take("one", "sha256:a", ["04"]) == Taken(7, "ada", "04", 3, "0", "own", 2)
    assert server.take("one", "sha256:a", ["04"]) is None
    said = {"grader": "one", "checker": "sha256:a", "labs": ["04"]}
    assert Handler.asked == [("POST", "/internal/take", "Bearer t0ken", said)] * 2


def test_an_archive_is_the_one_that_was_handed_in(server: Server) -> None:
    Handler.answers = [(200, b"content"), (200, b"another")]
    right = hashlib.sha256(b"content").hexdigest()
    assert server.archive(7, right) == b"content"
    with pytest.raises(LabError, match="not the one"):
        server.archive(7, right)


def test_what_became_of_it_is_told(server: Server) -> None:
    Handler.answers = [(201, {"state": "graded", "sequence": 1, "points": 5}), (204, b""), (200, {"state": "waiting"})]
    assert server.result(7, {"points": 5}) == "graded"
    server.alive(7)
    server.back(7, "x" * 5000, 2)
    assert [each[1] for each in Handler.asked] == [
        "/internal/submissions/7/result", "/internal/submissions/7/alive", "/internal/submissions/7/back",
    ]  # fmt: skip
    assert Handler.asked[2][3] == {"why": "x" * 1000, "tries": 2, "over": False}


def test_a_server_that_is_away_for_a_while_is_asked_again(server: Server) -> None:
    Handler.answers = [(503, {"error": "the database is away", "next": "wait"}), (429, b""), (500, b"x"), (204, b"")]
    server.alive(7)
    assert len(Handler.asked) == 4


@pytest.mark.parametrize(
    ("status", "kind"), [(409, Stale), (404, Stale), (401, UsageError), (400, UsageError), (413, UsageError)]
)
def test_what_is_refused_is_not_asked_again(status: int, kind: type[LabError], server: Server) -> None:
    Handler.answers = [(status, {"error": "the reason", "next": "do this"})]
    with pytest.raises(kind, match="the reason") as refused:
        server.alive(7)
    assert refused.value.hint == "do this" and len(Handler.asked) == 1


@pytest.mark.parametrize("content", [b"", b"no JSON", b"[]", b'{"submission": "x"}', b"[" * 100_000])
def test_an_answer_of_another_form_is_an_error_of_the_environment(content: bytes, server: Server) -> None:
    Handler.answers = [(200, content)]
    with pytest.raises(LabError, match="something else"):
        server.take("one", "c", [])


def test_who_does_not_answer_is_waited_for_so_long_and_no_longer() -> None:
    waits: list[float] = []
    with pytest.raises(LabError, match="does not answer"):
        Server("http://127.0.0.1:9", "t", patience=0).alive(7)
    with pytest.raises(LabError, match="does not answer"):
        Server("http://127.0.0.1:9", "t", patience=0.2, wait=waits.append).alive(7)
    assert waits == []
