"""The addresses for programs: a learner hands in, a grader grades, the teacher has the class; who gets no answer."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import random
import re
import socket
import string
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mlops_lab.base.paths import project
from mlops_lab.classroom import audit, packing
from mlops_lab.classroom.chain import Check
from mlops_lab.classroom.server import handling, learners_api, limits, people, queue, service
from mlops_lab.classroom.server.database import Away
from mlops_lab.classroom.server.sessions import now
from tests.classroom.made_up import KEY, outcome
from tests.classroom.served import GRADER, PATIENCE, TEACHER, Served, archive, served, until


@pytest.fixture
def at_class(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        yield found


@pytest.fixture
def own_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, where no one else makes any."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_from_handing_in_to_a_signed_result(at_class: Served) -> None:
    first = at_class.submit("ada", "replicas: 1")
    assert first.status == 201 and first.json["place"] == 1 and first.json["number"] == 1
    assert at_class.submit("bo", "replicas: 1").json["place"] == 2
    again = at_class.submit("ada", "replicas: 1")
    assert again.status == 200 and again.json["submission"] == first.json["submission"]

    taken = at_class.take()
    assert taken["submission"] == first.json["submission"] and taken["learner"] == "ada" and taken["tries"] == 1
    path = f"/internal/submissions/{taken['submission']}"
    got = at_class.api(taken["token"], f"{path}/archive", inside=True)
    assert packing.files(got.content)[0].content == b"replicas: 1"
    assert got.headers["X-Content-SHA256"] == taken["sha256"]
    assert at_class.api(taken["token"], f"{path}/alive", "POST", inside=True).status == 204
    mine = f"/api/v1/submissions/{taken['submission']}"
    assert at_class.api(at_class.token("ada"), mine).json["state"] == "grading"

    told = at_class.tell(taken, outcome("scales"))
    assert told.status == 201 and told.json == {"state": "graded", "sequence": 1, "points": 7}
    found = at_class.api(at_class.token("ada"), mine).json
    assert (found["state"], found["place"], found["result"]["points"], found["result"]["possible"]) == (
        "graded",
        0,
        7,
        10,
    )
    assert found["result"]["checks"][1]["seen"] == "1 pod" and found["result"]["checks"][1]["verdict"] == "fail"
    me = at_class.api(at_class.token("ada"), "/api/v1/me").json
    assert (
        me["learner"] == "ada"
        and me["name"] == "Ada L."
        and me["labs"][1]["points"] == 7
        and not me["labs"][1]["passed"]
    )

    records = at_class.api(TEACHER, "/api/v1/records.jsonl").text.splitlines()
    key = at_class.ask("/api/v1/key").text
    assert key == KEY.public.pem and audit.verify(records, KEY.public).records == 1
    assert at_class.take()["learner"] == "bo" and at_class.take() is None


def test_a_learner_is_told_why_in_the_graders_words(at_class: Served) -> None:
    at_class.submit("ada", "x")
    taken, given = at_class.take(), outcome("scales")
    report = [
        {"check": each.check, "title": "It scales.", "verdict": each.verdict, "points": each.points, "why": "the limit",
         "evidence": ["HorizontalPodAutoscaler: unknown\0"]} for each in given.checks
    ]  # fmt: skip
    sent = {"lab_content": "f", "points": 7, "possible": 10, "seconds": 1, "report": report,
            "checks": [{"check": each.check, "verdict": each.verdict, "points": each.points, "earned": each.earned}
                       for each in given.checks]}  # fmt: skip
    wrong = [{**report[0], "verdict": "fail"}, *report[1:]]
    assert at_class.tell(taken, {**sent, "report": wrong}).status == 400
    assert at_class.tell(taken, sent).status == 201
    found = at_class.api(at_class.token("ada"), f"/api/v1/submissions/{taken['submission']}").json["result"]
    assert found["checks"][1]["why"] == "the limit" and found["checks"][1]["title"] == "It scales."
    assert "the limit" not in at_class.api(TEACHER, "/api/v1/records.jsonl").text


def test_what_lab_submit_sends_and_asks_is_understood(at_class: Served) -> None:
    from mlops_lab.classroom.kit import Kit
    from mlops_lab.classroom.sending import Server, Submission

    work = at_class.folder / "work"
    work.mkdir()
    (work / "a.yaml").write_text("a: 1")
    sender, states = Server(Kit(f"http://{at_class.host}", at_class.token("ada")), lambda _: None), list[str]()
    handed = sender.submit("10", packing.pack(work))
    assert (handed.number, handed.state, handed.place) == (1, "waiting", 1)

    def seen(now: Submission) -> None:
        states.append(now.state)
        if now.state == "waiting":
            at_class.tell(at_class.take(), outcome("survives"))

    found = sender.follow(handed, 10, seen)
    assert states == ["waiting", "graded"] and found.result and found.result.points == 5
    assert [each.check for each in found.result.checks] == ["deployed", "scales", "survives"]


@pytest.mark.parametrize("token", ["", "x", "a.b", "Bearer", "é", "0" * 5000])
def test_nothing_is_said_without_a_token_that_works(at_class: Served, token: str) -> None:
    at_class.submit("ada", "x")
    header = f"Bearer {token}".encode("latin1", "replace").decode("latin1")
    for path, method in (
        ("me", "GET"), ("submissions/1", "GET"), ("submissions?lab=10", "POST"), ("grades", "GET"), ("kits", "POST"),
        ("records.jsonl", "GET"), ("roster", "PUT"), ("status", "GET"), ("submissions/1/again", "POST"),
    ):  # fmt: skip
        answer = at_class.ask(f"/api/v1/{path}", method, b"" if method != "GET" else None, Authorization=header)
        assert answer.status == 401 and set(answer.json) == {"error", "next"}, path
    assert at_class.ask("/internal/take", "POST", b"{}", inside=True, Authorization=header).status == 401


def test_every_token_is_good_for_its_own_part_only(at_class: Served) -> None:
    at_class.submit("ada", "x")
    taken, learner = at_class.take(), at_class.token("ada")
    for token in (learner, GRADER, taken["token"]):
        assert at_class.api(token, "/api/v1/grades").status == 401
        assert at_class.api(token, "/api/v1/kits", "POST", {}).status == 401
    for token in (TEACHER, GRADER, taken["token"]):
        assert at_class.api(token, "/api/v1/me").status == 401
    for token in (TEACHER, learner, taken["token"]):
        assert at_class.api(token, "/internal/take", "POST", {}, inside=True).status == 401
    path = f"/internal/submissions/{taken['submission']}/archive"
    for token in (TEACHER, learner, GRADER):
        assert at_class.api(token, path, inside=True).status == 409
    assert at_class.api(GRADER, "/internal/take", "POST", {}).status == 404, "it is not there for learners"


def test_nobody_is_told_of_anothers_work(at_class: Served) -> None:
    number = at_class.graded("ada", "scales", text="secret work")
    others = [at_class.api(at_class.token("bo"), f"/api/v1/submissions/{n}") for n in (number, number + 1, 10**15 - 1)]
    assert {each.status for each in others} == {404}
    texts = {each.text.replace(str(n), "N") for each, n in zip(others, (number, number + 1, 10**15 - 1), strict=True)}
    assert len(texts) == 1 and "ada" not in texts.pop()
    assert "ada" not in at_class.api(at_class.token("bo"), "/api/v1/me").text.lower()
    assert at_class.submit("bo", "secret work").json["number"] == 1


def test_a_kit_ends_is_extended_and_is_revoked(at_class: Served) -> None:
    def kit(path: str, **given: Any) -> Any:
        return at_class.api(TEACHER, f"/api/v1/kits{path}", "POST", given)

    made = kit("", learner="bo", ends="2099-01-01T00:00:00Z").json
    assert at_class.api(made["token"], "/api/v1/me").json["ends"] == "2099-01-01T00:00:00Z"
    assert kit("/extend", learner="bo", ends="2099-02-01T00:00:00+00:00").json == {"kits": 1}
    assert at_class.api(made["token"], "/api/v1/me").json["ends"].startswith("2099-02-01")
    assert kit("/revoke", learner="bo").json == {"kits": 1}
    assert at_class.api(made["token"], "/api/v1/me").status == 401
    assert kit("/extend", learner="bo", ends="2099-03-01T00:00:00Z").json == {"kits": 0}
    assert kit("", learner="nobody", ends="2099-01-01T00:00:00Z").status == 400
    assert kit("", learner="bo", ends="2001-01-01T00:00:00Z").status == 400
    ended = at_class.token("cy")
    with at_class.service.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE kits SET ends = '2001-01-01 00:00:00' WHERE learner = 'cy'")
        stored = connection.exec_driver_sql("SELECT id, hash FROM kits").all()
    assert at_class.api(ended, "/api/v1/me").status == 401
    assert not [row for row in stored if any(token in str(row) for token in (ended, ended.partition(".")[2]))]


def test_who_leaves_the_roster_has_no_token_and_keeps_the_grades(at_class: Served) -> None:
    at_class.graded("ada")
    answer = at_class.api(TEACHER, "/api/v1/roster", "PUT", b"id;name;ends\nbo;Bo;2001-01-01\ndee;Dee;\n")
    assert answer.json == {"learners": 2}
    assert at_class.api(at_class.token("ada"), "/api/v1/me").status == 401
    assert at_class.api(at_class.token("dee"), "/api/v1/me").status == 200
    with at_class.service.database.transaction() as connection:
        assert not people.takes_part(connection, "bo", now())
    learners = {each["learner"]: each for each in at_class.api(TEACHER, "/api/v1/grades").json["learners"]}
    assert learners["ada"]["gone"] and learners["ada"]["labs"]["10"]["points"] == 10
    refused = at_class.api(TEACHER, "/api/v1/roster", "PUT", b"id\nNot An Id\n")
    assert refused.status == 400 and "roster:2" in refused.json["error"] and "/tmp" not in refused.text


@pytest.mark.parametrize(
    ("body", "said"), [(b"", "no archive"), (b"\x1f\x8b rubbish", "no archive"), (b"\0" * 10240, "no archive")]
)
def test_what_is_no_archive_is_refused_before_it_waits(at_class: Served, body: bytes, said: str) -> None:
    answer = at_class.api(at_class.token("ada"), "/api/v1/submissions?lab=10", "POST", body)
    assert answer.status == 400 and said in answer.json["error"] and at_class.take() is None


def test_an_archive_that_changed_on_its_way_and_a_lab_that_there_is_not(at_class: Served) -> None:
    content = archive(at_class.folder, "x")
    wrong = at_class.api(
        at_class.token("ada"), "/api/v1/submissions?lab=10", "POST", content, X_Content_SHA256="0" * 64
    )
    assert wrong.status == 400 and "on its way" in wrong.json["error"]
    for lab in ("11", "", "1", "../10"):
        answer = at_class.api(at_class.token("ada"), f"/api/v1/submissions?lab={lab}", "POST", content)
        assert answer.status == 404 and "04, 10" in answer.json["next"]


def test_a_huge_body_is_refused_whether_it_says_so_or_not(at_class: Served) -> None:
    token, most = at_class.token("ada"), packing.LARGEST
    said = at_class.api(token, "/api/v1/submissions?lab=10", "POST", b"x" * (most + 1))
    assert said.status == 413 and "16 MiB" in said.json["error"]
    chunked = at_class.api(token, "/api/v1/submissions?lab=10", "POST", iter([b"x" * (1 << 20)] * 17))
    assert chunked.status == 413
    connection = http.client.HTTPConnection(at_class.host, timeout=10)
    connection.putrequest("POST", "/api/v1/submissions?lab=10")
    connection.putheader("Authorization", f"Bearer {token}")
    connection.putheader("Content-Length", str(10 << 30))
    connection.endheaders()
    assert connection.getresponse().status == 413, "nobody waits for ten gigabytes"
    connection.close()
    assert at_class.api(TEACHER, "/api/v1/kits", "POST", b" " * (65 << 10)).status == 413
    with contextlib.suppress(ConnectionError):  # it may be gone before its answer is read
        assert at_class.form("/login", {"token": "x" * (1 << 20)}, "").status == 400
    assert at_class.submit("ada", "small").status == 201
    until(lambda: at_class.service.uploads == {})


def test_slow_clients_keep_nobody_else_waiting_and_are_sent_away(
    at_class: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handling, "IN_TIME", 0.6)
    slow = []
    for length in (b"5000", b"5000", b"1"):
        each = socket.create_connection(("127.0.0.1", at_class.port), timeout=10)
        each.sendall(b"POST /api/v1/submissions?lab=10 HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + length +
                     b"\r\nAuthorization: Bearer " + at_class.token("ada").encode() + b"\r\n\r\nx")  # fmt: skip
        slow.append(each)
        until(lambda: at_class.service.uploads == {"ada": min(len(slow), 2)})
    refused = slow[2].recv(2000)
    assert b" 429 " in refused and b"Retry-After: 5" in refused and b"2 of your submissions" in refused
    assert at_class.submit("bo", "quick").status == 201
    for each in slow[:2]:
        assert each.recv(100) == b""
    until(lambda: at_class.service.uploads == {})
    assert at_class.submit("ada", "x").status == 201
    for each in slow:
        each.close()


def test_what_breaks_off_leaves_nothing_behind(at_class: Served, own_temporary: Path) -> None:
    token = at_class.token("ada")
    for path, given, length in (
        ("submissions?lab=10", token, 2 << 20), ("submissions?lab=10", token, 2 << 20), ("kits", TEACHER, 40 << 10),
    ):  # fmt: skip
        with sending(at_class, f"/api/v1/{path}", given, length) as connection:
            connection.sendall(b"x" * (length - 1))
            until(lambda: handlers(at_class) == 1)
            if length > 1 << 20:
                until(lambda: unnamed_in(own_temporary) == 1)
    until(lambda: handlers(at_class) == 0)
    until(lambda: unnamed_in(own_temporary) == 0)
    assert at_class.service.uploads == {}


def test_what_is_there_whole_is_handed_in_though_its_sender_has_gone(at_class: Served, own_temporary: Path) -> None:
    asyncio.run_coroutine_threadsafe(at_class.service.large.acquire(), at_class.loop).result(PATIENCE)
    large = archive(at_class.folder, "".join(random.Random(1).choices(string.ascii_letters, k=2 << 20)))
    assert len(large) > 1 << 20
    with sending(at_class, "/api/v1/submissions?lab=10", at_class.token("ada"), len(large)) as connection:
        connection.sendall(large)
        until(lambda: at_class.service.large._waiters)
    until(lambda: at_class.service.uploads == {})
    at_class.loop.call_soon_threadsafe(at_class.service.large.release)
    until(lambda: at_class.take() is not None)
    until(lambda: (handlers(at_class), unnamed_in(own_temporary)) == (0, 0))


@contextlib.contextmanager
def sending(at_class: Served, path: str, token: str, length: int) -> Iterator[socket.socket]:
    """A connection that has sent the head of a request."""
    with socket.create_connection(("127.0.0.1", at_class.port), timeout=PATIENCE) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: {at_class.host}\r\nAuthorization: Bearer {token}\r\n"
        connection.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode())
        yield connection


def handlers(at_class: Served) -> int:
    """How many requests are at work in the server."""

    async def count() -> int:
        return sum("_execute" in repr(each) for each in asyncio.all_tasks())

    return asyncio.run_coroutine_threadsafe(count(), at_class.loop).result(PATIENCE)


def unnamed_in(folder: Path) -> int:
    """How many files this process has open that lie in a folder and have no name there, as temporary ones."""
    links = []
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(str(each.readlink()))
    return sum(link.startswith(f"{folder}/") and link.endswith(" (deleted)") for link in links)


def test_an_export_is_not_held_in_memory(at_class: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_class.service.ledger, "export", lambda _: (f"{n:09}".ljust(1 << 20) for n in range(64)))
    connection = http.client.HTTPConnection("127.0.0.1", at_class.port, timeout=PATIENCE)
    tracemalloc.start()
    try:
        connection.request("GET", "/api/v1/records.jsonl", headers={"Authorization": f"Bearer {TEACHER}"})
        answer, size = connection.getresponse(), 0
        while portion := answer.read(1 << 20):
            size += len(portion)
        assert size == 64 << 20 and tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
        connection.close()


def test_nobody_is_to_blame_where_all_together_send_too_much(at_class: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learners_api, "_ALL_UPLOADS", 0)
    refused = at_class.submit("ada", "x")
    assert refused.status == 503 and refused.headers["Retry-After"] == "5" and "others" in refused.json["error"]


def test_who_asks_too_often_waits_and_others_do_not(at_class: Served) -> None:
    answers = [at_class.submit("ada", f"{number}").status for number in range(queue.MOST_WAITING + 1)]
    assert answers == [201] * queue.MOST_WAITING + [429]
    refused = at_class.submit("ada", "more")
    assert refused.status == 429 and int(refused.headers["Retry-After"]) > 0
    assert at_class.submit("bo", "mine").status == 201
    for _ in range(25):
        wrong = at_class.api("not-a.token", "/api/v1/me")
    assert wrong.status == 429 and int(wrong.headers["Retry-After"]) > 0, "of one address"
    assert at_class.api(at_class.token("bo"), "/api/v1/me").status == 200, "a token that worked is not locked out"


def test_wrong_tokens_shut_nobody_else_out(at_class: Served) -> None:
    """All come from one address here, as through a proxy; so does who sends wrong tokens."""
    fresh, other = at_class.token("bo"), at_class.token("ada")
    at_class.service.wrong = limits.Limiter(limits.WRONG_TOKENS, lambda: 0.0)
    wrong = [at_class.api(f"{fresh}{number}", "/api/v1/me").status for number in range(25)]
    assert wrong[:20] == [401] * 20 and wrong[-1] == 429
    assert at_class.api(fresh, "/api/v1/me").status == 200, "though no token of that address has worked before"
    assert "class-" in at_class.log_in(other)
    for path, method, body in (("/api/v1/me", "GET", None), ("/api/v1/submissions?lab=10", "POST", b"x")):
        assert at_class.api("no.token", path, method, body).status == 429, "the address is shut to others all the same"
    page = at_class.form("/login", {"token": "no.token"}, "")
    assert page.status == 429 and "too many wrong tokens" in page.text and int(page.headers["Retry-After"]) > 0
    assert at_class.form("/login", {"token": TEACHER}, "").status == 303


def test_wrong_tokens_from_one_address_wait_for_each_other(at_class: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come, the database has one of them to look for, and what others ask goes on."""
    known, good, looked = people.known, at_class.token("bo"), threading.Event()
    assert at_class.api(good, "/api/v1/me").status == 200
    at_class.service.wrong = limits.Limiter(limits.WRONG_TOKENS, lambda: 0.0)
    at_work, most, lock = 0, 0, threading.Lock()

    def slow(connection: Any, token: str, *more: Any) -> Any:
        nonlocal at_work, most
        if token == good:
            return known(connection, token, *more)
        with lock:
            at_work, most = at_work + 1, max(most, at_work + 1)
        looked.set()
        time.sleep(0.05)
        with lock:
            at_work -= 1
        return known(connection, token, *more)

    for number in range(21):
        at_class.api(f"no.{number}", "/api/v1/me")
    monkeypatch.setattr(people, "known", slow)
    askers = [threading.Thread(target=at_class.api, args=(f"no.{number}", "/api/v1/me")) for number in range(6)]
    for each in askers:
        each.start()
    assert looked.wait(PATIENCE)
    assert at_class.api(good, "/api/v1/me").status == 200
    for each in askers:
        each.join(PATIENCE)
    assert most == 1


def test_a_grader_that_is_silent_loses_its_submission(tmp_path: Path) -> None:
    clock = [1000.0]
    with served(tmp_path, clock=lambda: clock[0]) as at_class:
        at_class.submit("ada", "x")
        taken = at_class.take()
        path = f"/internal/submissions/{taken['submission']}"
        for _ in range(3):
            clock[0] += service.LEASE - 1
            assert at_class.api(taken["token"], f"{path}/alive", "POST", inside=True).status == 204
            at_class.do(at_class.service.look())
        clock[0] += service.LEASE + 1
        at_class.do(at_class.service.look())
        assert at_class.tell(taken, outcome()).status == 409
        again = at_class.take()
        assert (again["submission"], again["tries"]) == (taken["submission"], 2)
        back = at_class.api(GRADER, f"{path}/back", "POST", {"why": "evicted", "tries": 1}, inside=True)
        assert back.status == 409, "that was the grader before"
        back = at_class.api(GRADER, f"{path}/back", "POST", {"why": "evicted", "tries": 2}, inside=True)
        assert back.json == {"state": "waiting"} and at_class.take()["tries"] == 3
        assert "classroom_graders_lost_total 1.0" in at_class.metrics()


def test_a_grader_is_not_silent_while_the_database_hears_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    with served(tmp_path, clock=lambda: clock[0]) as at_class:
        at_class.submit("ada", "x")
        taken = at_class.take()
        path = f"/internal/submissions/{taken['submission']}"
        at_class.do(at_class.service.look())
        monkeypatch.setattr(at_class.service.database, "_rests_until", time.monotonic() + 1000)
        clock[0] += service.LEASE + 1
        with pytest.raises(Away):
            at_class.do(at_class.service.look())
        assert at_class.api(taken["token"], f"{path}/alive", "POST", inside=True).status == 503
        monkeypatch.setattr(at_class.service.database, "_rests_until", 0.0)
        at_class.do(at_class.service.look())
        assert "classroom_graders_lost_total 0.0" in at_class.metrics()
        clock[0] += service.LEASE - 1
        at_class.do(at_class.service.look())
        assert at_class.api(taken["token"], f"{path}/alive", "POST", inside=True).status == 204
        clock[0] += service.LEASE + 1
        at_class.do(at_class.service.look())
        assert at_class.tell(taken, outcome()).status == 409, "it has been silent for as long as it could be heard"


def test_a_grader_that_took_it_meanwhile_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    with served(tmp_path, clock=lambda: clock[0]) as at_class:
        at_class.submit("ada", "x")
        silent = at_class.take()
        clock[0] += service.LEASE + 1
        give_back, taken = queue.give_back, []

        def later(connection: Any, submission: int, *given: Any, **more: Any) -> str:
            """Before the server gives it back, the dispatcher has done so, and another grader has taken it."""
            if not taken:
                give_back(connection, submission, "evicted")
                taken.append(queue.take(connection, "grader-2", "sha256:" + "c" * 64, now()))
            return give_back(connection, submission, *given, **more)

        monkeypatch.setattr(queue, "give_back", later)
        at_class.do(at_class.service.look())
        assert taken[0].id == silent["submission"]
        assert at_class.tell({"submission": taken[0].id, "token": taken[0].token}, outcome()).status == 201
        assert "classroom_graders_lost_total 0.0" in at_class.metrics()


def test_results_that_were_edited_or_replayed_are_refused(at_class: Served) -> None:
    at_class.submit("ada", "x")
    at_class.submit("bo", "x")
    first, second = at_class.take(), at_class.take()
    assert at_class.tell(first, outcome(points=99)).status == 400
    assert at_class.tell(first, {"points": 10}).status == 400
    assert at_class.tell(first, {**_plain(outcome()), "learner": "bo"}).status == 400, "the server knows whose it is"
    assert at_class.tell(first, outcome("scales")).json["sequence"] == 1
    assert at_class.tell(first, outcome("scales")).json["sequence"] == 1, "an answer that was lost on its way"
    assert at_class.tell(first, outcome()).status == 409
    assert at_class.tell({**second, "token": first["token"]}, outcome()).status == 409
    assert at_class.tell(second, outcome()).json["sequence"] == 2
    error = [Check("scales", "error", 10, 0, "", "the node was lost")]
    at_class.submit("cy", "x")
    third = at_class.take()
    assert at_class.tell(third, outcome(points=0, checks=error)).json == {"state": "waiting"}


def _plain(given: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(given)
    return found


def test_metrics_name_labs_and_checks_and_no_learner(at_class: Served) -> None:
    at_class.graded("ada", "scales")
    assert "classroom_learners_stuck{" not in at_class.metrics(), "one that fails may be at work"
    at_class.graded("ada", "scales")
    at_class.submit("bo", "x")
    text = at_class.metrics()
    for line in (
        'classroom_submissions{lab="10",state="graded"} 2.0', 'classroom_submissions{lab="10",state="waiting"} 1.0',
        'classroom_results_total{lab="10",passed="false"} 2.0', "classroom_learners 3.0", "classroom_database_up 1.0",
        'classroom_checks_total{check="scales",lab="10",verdict="fail"} 2.0', "classroom_records_whole 1.0",
        'classroom_learners_stuck{check="scales",lab="10"} 1.0', 'classroom_learners_passed{lab="04"} 0.0',
    ):  # fmt: skip
        assert line in text, line
    assert not [name for name in ("ada", "bo", "cy", "Ada") if f'"{name}' in text]
    for name in re.findall(r"\bclassroom_\w+", (project() / "charts/classroom/dashboards/class.json").read_text()):
        assert re.search(rf"^{name}[ {{]", text, re.MULTILINE), f"the dashboard asks for {name}"
    for inside in (False, True):
        assert at_class.ask("/metrics", inside=inside).status == 404
    assert at_class.ask("/readyz", inside=True).json["ready"]


@pytest.mark.parametrize("size", [10, 2 << 20])
def test_several_hand_in_at_once(at_class: Served, size: int) -> None:
    contents = {learner: archive(at_class.folder, learner * size) for learner in ("ada", "bo", "cy")}
    tokens, found = {learner: at_class.token(learner) for learner in contents}, list[int]()

    def send(learner: str) -> None:
        for _ in range(3):
            answer = at_class.api(tokens[learner], "/api/v1/submissions?lab=10", "POST", contents[learner])
            found.append(answer.json["submission"])

    threads = [threading.Thread(target=send, args=(learner,)) for learner in contents]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 9 and len(set(found)) == 3
