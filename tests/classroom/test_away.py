"""A database that is not there: what learners are told meanwhile, and that nothing is lost or half-written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mlops_lab.classroom import audit
from mlops_lab.classroom.server import database
from mlops_lab.classroom.server.database import Database
from mlops_lab.classroom.server.records import Ledger
from mlops_lab.classroom.server.service import Service
from tests.classroom.made_up import KEY, outcome
from tests.classroom.postgres import Postgres
from tests.classroom.served import TEACHER, Served, archive, running, served, settings, until


def told_to_come_back(at_class: Served, token: str, content: bytes) -> None:
    """Each of a learner's requests is answered at once, and says when to try again."""
    began = time.monotonic()
    for path, method, body in (("/api/v1/submissions?lab=10", "POST", content), ("/api/v1/me", "GET", None)):
        answer = at_class.api(token, path, method, body)
        assert answer.status == 503 and int(answer.headers["Retry-After"]) == database.RETRY, answer.text
        assert set(answer.json) == {"error", "next"} and "class.db" not in answer.text and "psycopg" not in answer.text
    assert time.monotonic() - began < 10
    assert at_class.ask("/healthz").status == 200 and "classroom_database_up 0.0" in at_class.metrics()


def test_a_server_that_starts_before_its_database(tmp_path: Path) -> None:
    url = "postgresql+psycopg://class@127.0.0.1:1/class"
    with running(Service(settings(tmp_path, url), Database(url), Ledger(KEY)), tmp_path) as at_class:
        told_to_come_back(at_class, "a.b", archive(tmp_path, "x"))
        assert at_class.ask("/readyz", inside=True).status == 503
        page = at_class.ask("/login")
        assert page.status == 200 and at_class.form("/login", {"token": TEACHER}, "").status == 503


def test_a_database_that_goes_away_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path) as at_class:
        at_class.submit("ada", "before")
        cookie, token, content = at_class.log_in(TEACHER), at_class.token("ada"), archive(tmp_path, "meanwhile")
        taken = at_class.take()
        monkeypatch.setattr(at_class.service.database, "_rests_until", time.monotonic() + 1000)
        told_to_come_back(at_class, token, content)
        assert at_class.tell(taken, outcome()).status == 503 and at_class.take() is None
        page = at_class.ask("/grades", Cookie=cookie)
        assert page.status == 503 and page.headers["Retry-After"] and "does not answer" in page.text
        assert at_class.ask("/readyz", inside=True).status == 200, "somebody has to tell learners to come back"
        monkeypatch.setattr(at_class.service.database, "_rests_until", 0.0)
        assert at_class.tell(taken, outcome()).status == 201
        assert at_class.api(token, "/api/v1/submissions?lab=10", "POST", content).json["number"] == 2


@pytest.mark.long  # it needs PostgreSQL
def test_postgresql_is_away_for_a_while(postgres: Postgres, tmp_path: Path) -> None:
    with served(tmp_path, postgres.database()) as at_class:
        number = at_class.graded("ada", "scales")
        at_class.submit("bo", "waits")
        token, content, taken = at_class.token("ada"), archive(tmp_path, "meanwhile"), at_class.take()
        postgres.stop()
        try:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                told_to_come_back(at_class, token, content)
                assert at_class.tell(taken, outcome()).status == 503
        finally:
            postgres.start()
        until(lambda: at_class.tell(taken, outcome()).status == 201)
        assert at_class.api(token, "/api/v1/submissions?lab=10", "POST", content).json["number"] == 2
        assert at_class.api(token, f"/api/v1/submissions/{number}").json["result"]["points"] == 7
        assert audit.verify(at_class.api(TEACHER, "/api/v1/records.jsonl").text.splitlines(), KEY.public).records == 2


@pytest.mark.long  # it needs PostgreSQL
def test_a_gradebook_is_restored_from_a_dump(postgres: Postgres, tmp_path: Path) -> None:
    url, other = postgres.database(), postgres.database()
    with served(tmp_path, url) as at_class:
        at_class.graded("ada", "scales")
        at_class.graded("ada")
        before = at_class.api(TEACHER, "/api/v1/grades").json
        postgres.copy(url, other)
    with served(tmp_path, other) as at_class:
        assert at_class.api(TEACHER, "/api/v1/grades").json == before
        at_class.graded("bo")
        assert audit.verify(at_class.api(TEACHER, "/api/v1/records.jsonl").text.splitlines(), KEY.public).records == 3
