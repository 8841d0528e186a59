"""The pages: who sees what, what other sites' pages and texts can't do, what is told live, and what is exported."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_lab.classroom import audit
from mlops_lab.classroom.roster import Learner
from mlops_lab.classroom.server import limits, pages, people, queue, sessions
from mlops_lab.classroom.server.exports import safe
from tests.classroom.made_up import KEY, outcome
from tests.classroom.served import EVIL, LABS, TEACHER, Served, served, until

TEACHERS = ["/grades", "/map", "/labs/10", "/grades.csv", "/records.jsonl", "/cell?learner=ada&lab=10", "/learners/bo"]


@pytest.fixture
def at_class(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        yield found


def page(at_class: Served, path: str, cookie: str) -> str:
    answer = at_class.ask(path, Cookie=cookie)
    assert answer.status == 200, (path, answer.text)
    return answer.text


def test_nothing_is_shown_without_a_session(at_class: Served) -> None:
    number = at_class.graded("ada", "scales")
    for path in (*TEACHERS, "/", "/learners/ada", f"/submissions/{number}", "/live"):
        for cookie in ("", "class-0=x", f"class-0={TEACHER}"):
            answer = at_class.ask(path, Cookie=cookie)
            assert answer.status == 302 and answer.headers["Location"].startswith("/login?next="), path
            assert at_class.ask(path, Cookie=cookie, Sec_Fetch_Mode="cors").status == 401
    assert at_class.form("/logout", {}, "").status == 401
    wrong = at_class.form("/login", {"token": "x.y"}, "")
    assert wrong.status == 403 and "Set-Cookie" not in wrong.headers
    assert "lab class map" in at_class.ask("/login").text, "the command that prints the teacher's token"


def test_the_cookie_is_no_scripts_and_says_nothing_that_can_be_changed(at_class: Served) -> None:
    answer = at_class.form("/login", {"token": at_class.token("ada"), "next": "//evil.example"}, "")
    given = answer.headers["Set-Cookie"]
    assert "HttpOnly" in given and "SameSite=Lax" in given and "Path=/" in given and answer.headers["Location"] == "/"
    assert at_class.token("ada").partition(".")[2] not in given
    cookie = given.partition(";")[0]
    assert at_class.form("/kit", {}, cookie).status == 404, "a token makes no token that ends later"
    assert at_class.ask("/", Cookie=cookie).headers["Location"] == "/learners/ada"
    name, _, value = cookie.partition("=")
    forged = value.strip('"').split("|")
    forged[5] = "24:eyJyb2xlIjoidGVhY2hlciJ9"
    assert at_class.ask("/grades", Cookie=f'{name}="{"|".join(forged)}"').status == 302
    for where in ("/\\evil.example", "https://evil.example", "", "/a\nb"):
        assert at_class.form("/login", {"token": TEACHER, "next": where}, "").headers["Location"] == "/"
    assert at_class.form("/login", {"token": TEACHER, "next": "/map"}, "").headers["Location"] == "/map"


def test_a_learner_sees_his_own_work_and_nothing_else(at_class: Served) -> None:
    mine, other = at_class.graded("ada", "scales"), at_class.graded("bo")
    cookie = at_class.log_in(at_class.token("ada"))
    for path in (*TEACHERS, f"/submissions/{other}", "/submissions/999", "/learners/nobody"):
        answer = at_class.ask(path, Cookie=cookie)
        assert answer.status == 404 and "Bo" not in answer.text and "Gradebook" not in answer.text, path
    assert "7 of 10" in page(at_class, "/learners/ada", cookie)
    shown = page(at_class, f"/submissions/{mine}", cookie)
    assert "scales" in shown and "1 pod" in shown
    assert at_class.form(f"/submissions/{mine}/again", {}, cookie).status == 404


def test_who_asks_for_pages_too_often_waits_and_others_do_not(at_class: Served) -> None:
    ada, bo, teacher = (at_class.log_in(token) for token in (at_class.token("ada"), at_class.token("bo"), TEACHER))
    at_class.service.asking = limits.Limiter(limits.ASKING, lambda: 0.0)
    answers = [at_class.ask("/learners/ada", Cookie=ada) for _ in range(limits.ASKING.burst + 1)]
    assert {each.status for each in answers[:-1]} == {200}
    refused = answers[-1]
    assert refused.status == 429 and "too often" in refused.text and int(refused.headers["Retry-After"]) > 0
    assert at_class.ask("/static/class.css", Cookie=ada).status == 200
    assert at_class.ask("/learners/bo", Cookie=bo).status == 200
    assert {at_class.ask("/grades", Cookie=teacher).status for _ in range(limits.ASKING.burst + 30)} == {200}


def test_so_many_pages_of_a_learner_hear_what_changes(at_class: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_OPEN", 2)
    ada, bo, teacher = (at_class.log_in(token) for token in (at_class.token("ada"), at_class.token("bo"), TEACHER))
    opened = [at_class.events(cookie) for cookie in (ada, ada, bo, teacher, teacher, teacher)]
    assert [next(each) for each in opened] == [None] * 6
    refused = at_class.ask("/live", Cookie=ada)
    assert refused.status == 429 and "2 of your pages are open" in refused.text
    opened[0].close()  # type: ignore[attr-defined]
    until(lambda: len(at_class.service.hub.listeners) < 6 or at_class.graded("ada"))
    again = at_class.events(ada)
    assert next(again) is None
    for each in (again, *opened):
        each.close()  # type: ignore[attr-defined]


def test_a_session_ends_with_what_it_stands_on(at_class: Served) -> None:
    cookie = at_class.log_in(at_class.token("ada"))
    assert at_class.ask("/learners/ada", Cookie=cookie).status == 200
    with at_class.service.database.transaction() as connection:
        people.revoke(connection, "ada")
    assert at_class.ask("/learners/ada", Cookie=cookie).status == 302
    assert sessions.read(sessions.Session("teacher", int(time.time()) - 1).text()) is None
    soon = datetime.now(UTC) + timedelta(minutes=5)
    assert sessions.of_learner("ada", "kit", soon).ends == int(soon.timestamp())
    teacher = at_class.log_in(TEACHER)
    object.__setattr__(at_class.service.settings, "teacher", "another-" + "x" * 24)
    assert at_class.ask("/grades", Cookie=teacher).status == 302


@pytest.mark.parametrize("host", ["evil.example", "class.example.evil.example", "", "127.0.0.1.evil.example", "[::1"])
def test_another_name_that_leads_here_is_refused(at_class: Served, host: str) -> None:
    cookie = at_class.log_in(TEACHER)
    for path in ("/grades", "/login", "/static/class.css", "/live"):
        assert at_class.ask(path, Cookie=cookie, Host=host).status in (400, 403), path
    for known in ("class.example:443", "localhost", "192.0.2.7:8443", "[2001:db8::1]"):
        assert at_class.ask("/grades", Cookie=cookie, Host=known).status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1", None])
def test_what_changes_something_comes_from_our_own_pages_only(at_class: Served, origin: str | None) -> None:
    cookie = at_class.log_in(TEACHER)
    for path in ("/submissions/1/again", "/logout", "/login"):
        answer = at_class.form(path, {"token": TEACHER}, cookie, Origin=origin)
        assert answer.status == 403 and "another site" in answer.text and "Set-Cookie" not in answer.headers
    assert at_class.form("/logout", {}, cookie, Sec_Fetch_Site="cross-site").status == 403
    assert at_class.api(at_class.token("ada"), "/api/v1/me", Cookie=cookie, Origin=origin).status == 200


def test_texts_are_texts_and_pages_load_nothing_from_elsewhere(at_class: Served) -> None:
    with at_class.service.database.transaction() as connection:
        people.enrol(connection, [Learner("ada", f"Ada {EVIL}", "a@b"), Learner("bo", "Bo"), Learner("cy", "Cy")])
    at_class.submit("ada", "x")
    given = outcome("scales")
    given.checks[1] = given.checks[1].__class__("scales", "fail", 3, 0, EVIL, EVIL)
    taken = at_class.take()
    assert at_class.tell(taken, given).status == 201
    at_class.submit("bo", "x")
    lost = at_class.take()["submission"]
    with at_class.service.database.transaction() as connection:
        queue.give_back(connection, lost, EVIL)
        connection.exec_driver_sql("UPDATE submissions SET state = 'failed' WHERE learner = 'bo'")
    cookie = at_class.log_in(TEACHER)
    for path in ("/grades", "/map", "/labs/10", "/learners/ada", f"/submissions/{taken['submission']}", "/login",
                 "/nothing", f"/submissions/{lost}"):  # fmt: skip
        answer = at_class.ask(path, Cookie=cookie)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'") and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy and answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in answer.headers and answer.headers["Cache-Control"] == "no-store"
        assert "<script>" not in answer.text and "<img" not in answer.text and " style=" not in answer.text, path
        assert not re.search(r'(?:src|href)="(?!/|#)', answer.text) and not re.search(r"\son\w+=", answer.text.replace(
            EVIL.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;"), "")), path  # fmt: skip
    for path in ("/static/class.css", "/static/class.js", "/family/page.css", "/desk/desk.css", "/family/icon.svg"):
        assert at_class.ask(path).status == 200
    for path in ("/static/../guard.py", "/static/%2e%2e/guard.py", "/family/render.py", "/desk/desk.js", "/static/"):
        assert at_class.ask(path).status in (403, 404), path


def test_the_gradebook_the_map_and_the_analysis(at_class: Served) -> None:
    for failed in (("scales", "survives"), ("survives",), ("survives",)):
        at_class.graded("ada", *failed)
    at_class.graded("bo", lab="04")
    at_class.submit("cy", "x")
    cookie = at_class.log_in(TEACHER)
    grades = page(at_class, "/grades", cookie)
    some = '<td id="c-ada-10" class="cell some"><b>5</b><small title="graded submissions">\u00d73</small></td>'
    assert some in grades
    assert 'id="c-bo-04" class="cell passed"' in grades and '<td class="sum" id="t-bo">10</td>' in grades
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page(at_class, "/map", cookie)))
    assert "1 stuck" in shown and "1 submission waiting" in shown
    assert "Ada L. 10 stuck survives 3 times under a minute" in shown and '=HYPERLINK("x") 10 waiting , place 1' in (
        shown.replace("&#34;", '"')
    )
    lab = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page(at_class, "/labs/10", cookie)))
    assert "survives 5 0 of 1" in lab and "1 pod \u00d73" in lab and "scales 3 1 of 1" in lab
    cell = at_class.ask("/cell?learner=ada&lab=10", Cookie=cookie).json
    assert cell["total"] == 5 and 'id="c-ada-10"' in cell["html"]
    assert at_class.ask("/cell?learner=%3Cb%3E&lab=10", Cookie=cookie).json["html"].count("&lt;b&gt;") == 1
    status = at_class.api(TEACHER, "/api/v1/status").json
    assert status["counts"]["stuck"] == 1 and status["learners"][0]["check"] == "survives"


def test_late_work_is_marked_and_what_was_on_time_stays(tmp_path: Path) -> None:
    from mlops_lab.classroom.server.settings import Class

    due = datetime.now(UTC) + timedelta(hours=1)
    with served(tmp_path, klass=Class("A", LABS, {"10": due})) as at_class:
        at_class.graded("ada", "survives")
        at_class.submit("ada", "better")
        with at_class.service.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE submissions SET at = '2099-01-01 00:00:00' WHERE number = 2")
        at_class.tell(at_class.take(), outcome())
        cookie = at_class.log_in(TEACHER)
        assert '<b>10</b> <abbr title="5 were on time">late</abbr>' in page(at_class, "/grades", cookie)
        rows = list(
            csv.DictReader(
                io.StringIO(at_class.ask("/grades.csv?form=long", Cookie=cookie).content.decode("utf-8-sig"))
            )
        )
        found = next(each for each in rows if (each["id"], each["lab"]) == ("ada", "10"))
        assert (found["points"], found["on_time"], found["late"], found["passed"]) == ("10", "5", "yes", "yes")


def test_the_csv_is_no_formula_to_a_spreadsheet(at_class: Served) -> None:
    at_class.graded("cy", "scales")
    cookie = at_class.log_in(TEACHER)
    answer = at_class.ask("/grades.csv", Cookie=cookie)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="grades.csv"'
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0][:3] == ["id", "name", "email"] and rows[0][4].endswith("(10)") and rows[0][-1] == "total"
    assert ["cy", '\'=HYPERLINK("x")', "", "", "7", "7"] in rows
    assert answer.content == at_class.api(TEACHER, "/api/v1/grades.csv").content
    for begins in ("=1+1", "+1", "-1", "@x", "\tx", "\rx", "\uff1d1"):
        assert safe(begins) == f"'{begins}"
    assert safe(-1) == -1 and safe("a=b") == "a=b" and safe("a; b") == "a; b" and safe("") == ""


def test_the_csv_is_no_formula_to_a_spreadsheet_that_begins_cells_at_semicolons(at_class: Served) -> None:
    guest = Learner("guest", 'Eve;=HYPERLINK("x");;-1;"+2;', "e@school.example")
    with at_class.service.database.transaction() as connection:
        people.join(connection, guest)
    at_class.graded("guest", "scales")
    text = at_class.api(TEACHER, "/api/v1/grades.csv").content.decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text), delimiter=";") for cell in row]
    assert any("HYPERLINK" in cell for cell in cells) and not [each for each in cells if each[:1] in ("=", "+", "-")]


def test_the_records_are_whole_with_their_end(at_class: Served) -> None:
    for _ in range(3):
        at_class.graded("ada", "scales")
    cookie = at_class.log_in(TEACHER)
    lines = at_class.ask("/records.jsonl", Cookie=cookie).text.splitlines()
    assert audit.verify(lines, KEY.public).records == 3 and audit.verify(lines[:-1], KEY.public).broken


def test_a_result_is_told_within_two_seconds_and_to_whom_it_concerns_only(at_class: Served) -> None:
    teacher = at_class.events(at_class.log_in(TEACHER))
    ada, bo = (at_class.events(at_class.log_in(at_class.token(learner))) for learner in ("ada", "bo"))
    assert [next(each) for each in (teacher, ada, bo)] == [None] * 3
    at_class.graded("ada", "scales")
    began = time.monotonic()
    for each in (teacher, ada):
        while next(each) != {"kind": "result", "learner": "ada", "lab": "10"}:
            pass
    assert time.monotonic() - began < 2
    at_class.graded("bo", lab="04")
    assert [next(bo)["learner"] for _ in range(3)] == ["bo"] * 3
    for each in (teacher, ada, bo):
        each.close()  # type: ignore[attr-defined]
    at_class.graded("cy")
    until(lambda: not at_class.service.hub.listeners or at_class.graded("cy"))


def test_what_could_not_be_graded_is_tried_again_by_the_teacher(at_class: Served) -> None:
    at_class.submit("ada", "bomb")
    for _ in range(queue.MOST_TRIES):
        taken = at_class.take()
        with at_class.service.database.transaction() as connection:
            queue.give_back(connection, taken["submission"], "the grader was killed")
    cookie = at_class.log_in(TEACHER)
    shown = page(at_class, "/map", cookie)
    assert "Could not be graded" in shown and "the grader was killed" in shown
    own = at_class.log_in(at_class.token("ada"))
    assert "costs no points" in page(at_class, "/submissions/1", own)
    assert "the grader was killed" not in page(at_class, "/submissions/1", own)
    assert at_class.form("/submissions/1/again", {}, cookie).headers["Location"] == "/map"
    assert at_class.take()["submission"] == 1
    assert at_class.form("/submissions/1/again", {}, cookie).status == 400


def test_records_that_somebody_has_edited_are_seen_by_the_teacher_and_stop_the_signing(at_class: Served) -> None:
    for _ in range(3):
        at_class.graded("ada", "scales")
    with at_class.service.database.transaction() as connection:
        connection.exec_driver_sql("DROP TRIGGER results_stay_update")
        connection.exec_driver_sql("UPDATE results SET record = replace(record, '\"points\":7', '\"points\":9')")
    at_class.submit("bo", "x")
    taken = at_class.take()
    at_class.do(at_class.service.audit())
    assert at_class.tell(taken, outcome()).status == 503 and at_class.take() is None
    assert "not those that were signed" in page(at_class, "/grades", at_class.log_in(TEACHER))
    assert "not those that were signed" not in page(at_class, "/learners/bo", at_class.log_in(at_class.token("bo")))
    assert "classroom_records_whole 0.0" in at_class.metrics()


def test_a_server_that_has_just_started_has_checked_all_records_whatever_the_roster_is(tmp_path: Path) -> None:
    file = tmp_path / "roster.csv"
    file.write_text("id,name\nada,Ada\n")
    with served(tmp_path) as at_class:
        at_class.graded("ada", "scales")
        with at_class.service.database.transaction() as connection:
            connection.exec_driver_sql("DROP TRIGGER results_stay_update")
            connection.exec_driver_sql("UPDATE results SET record = replace(record, '\"points\":7', '\"points\":9')")
    file.write_text("id\nNot an id\n")
    with served(tmp_path, roster=file) as at_class:  # which waits until it is ready, and no longer
        assert "not those that were signed" in at_class.service.broken


def test_the_roster_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "roster.csv"
    file.write_text("id,name\nada,Ada\n")
    with served(tmp_path, roster=file) as at_class:
        file.write_text("id,name\nada,Ada\ndee,Dee\n")
        at_class.do(at_class.service.look())
        cookie = at_class.log_in(TEACHER)
        assert "Dee" in page(at_class, "/grades", cookie) and "Bo" not in page(at_class, "/grades", cookie)
        assert at_class.api(TEACHER, "/api/v1/roster", "PUT", b"id\nx\n").status == 409
        file.write_text("id\nNot an id\n")
        at_class.ask("/grades", Cookie=cookie)
        assert "Dee" in page(at_class, "/grades", cookie), "what is wrong changes nothing"


@pytest.mark.parametrize("learners", [300])
def test_three_hundred_learners_at_twenty_five_labs_are_shown_within_a_second(tmp_path: Path, learners: int) -> None:
    from mlops_lab.classroom.server.book import Cell
    from mlops_lab.classroom.server.settings import Class

    labs = {f"{number:02}": f"Lab {number}" for number in range(1, 26)}
    with served(tmp_path, klass=Class("Large", labs)) as at_class:
        with at_class.service.database.transaction() as connection:
            people.enrol(connection, [Learner(f"l{number}", f"Learner {number}") for number in range(learners)])
        book = at_class.service.book
        for number in range(learners):
            for lab in labs:
                place = (f"l{number}", lab)
                book.put(Cell(*place, attempts=number % 4 + 1, points=number % 11, on_time=5, possible=10))
        cookie, took = at_class.log_in(TEACHER), list[float]()
        while len(took) < 20 and min(took, default=1) >= 1:  # others may use the machine meanwhile
            began = time.monotonic()
            shown = page(at_class, "/grades", cookie)
            took.append(time.monotonic() - began)
        assert min(took) < 1, took
        assert len(at_class.ask("/grades.csv?form=long", Cookie=cookie).text.splitlines()) == learners * 25 + 1
        assert shown.count('id="c-l') == learners * 25 and len(shown) < 2 << 20
