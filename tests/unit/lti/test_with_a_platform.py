"""The tool and a platform of another hand, over TLS, a browser between them: launch, choice of labs, roster, scores."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tornado.web import Application, RequestHandler

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.lti import dynamic, people, scores
from mlops_lab.classroom.lti.login import COOKIE
from mlops_lab.classroom.lti.members import members
from mlops_lab.classroom.lti.outward import TornadoHttp
from mlops_lab.classroom.lti.scores import Score
from tests.unit.lti.made_up import run
from tests.unit.lti.school import served
from tests.unit.lti.world import Form, World


def test_a_learner_comes_to_a_lab(world: World) -> None:
    browser = world.browser()
    answer = browser.send(browser.open("ada", "r1"))
    assert answer.json() == {
        "user": "ada", "name": "Ada Lovelace", "lab": "10", "teaches": False, "learns": True, "course": "MLOps",
    }  # fmt: skip


def test_the_message_is_good_once_and_in_its_own_browser(world: World) -> None:
    browser, other = world.browser(), world.browser()
    form = browser.open("ada", "r1")
    refused = other.send(form)
    assert (refused.status_code, "this browser did not begin" in refused.text.lower()) == (403, True)
    form = browser.open("ada", "r1")
    assert browser.send(form).status_code == 200
    form = browser.open("ada", "r1")
    forged = browser.send(form, id_token=form.fields["id_token"][:-8] + "AAAAAAAA")
    assert (forged.status_code, "not signed" in forged.text) == (403, True)
    again = browser.send(form)
    assert (again.status_code, "used before" in again.text) == (403, True)


def test_the_beginning_sets_a_cookie_that_only_this_host_gets_over_tls(world: World) -> None:
    began = world.browser().session.get(
        f"{world.tool.address}/lti/login", allow_redirects=False,
        params={"iss": world.school.address, "login_hint": "ada", "target_link_uri": f"{world.tool.address}/"},
    )  # fmt: skip
    assert began.status_code == 303
    assert re.fullmatch(
        rf"{COOKIE}=[\w-]{{43}}; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=None; Partitioned",
        began.headers["Set-Cookie"],
    )
    assert COOKIE.startswith("__Host-")


def test_what_is_refused_is_a_page_that_says_what_to_do(world: World) -> None:
    session = world.browser().session
    for given, said in (({}, "no iss"), ({"iss": ["a", "b"]}, "Bad Request")):
        answer = session.get(f"{world.tool.address}/lti/login", params=given)
        assert answer.status_code == 400
        assert said in answer.text and "Next: " in answer.text
    evil = session.get(
        f"{world.tool.address}/lti/login",
        params={"iss": "<script>alert(1)</script>", "login_hint": "a", "target_link_uri": "a"},
    )
    assert evil.status_code == 403
    assert "<script>" not in evil.text
    assert "default-src 'none'" in evil.headers["Content-Security-Policy"]


def test_a_teacher_chooses_labs_and_the_platform_makes_links_of_them(world: World) -> None:
    browser = world.browser()
    page = browser.send(browser.open("grace", "choose"))
    assert "Choose labs for MLOps" in page.text
    assert f"frame-ancestors {world.school.address}" in page.headers["Content-Security-Policy"]
    form = Form(page)
    assert form.choices == [("lab", "10"), ("lab", "11")]
    back = browser.send(form, lab=["11", "10"])
    policy = back.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
    assert nonce and f'<script nonce="{nonce[1]}">' in back.text
    assert f"form-action {world.school.address};" in policy
    assert browser.send(Form(back)).text == "taken"
    assert [each["custom"] for each in world.school.chosen] == [{"lab": "11"}, {"lab": "10"}]
    assert browser.send(form, lab="10").status_code == 403
    assert len(world.school.chosen) == 2


def test_a_learner_does_not_choose_labs(world: World) -> None:
    browser = world.browser()
    refused = browser.send(browser.open("ada", "choose"))
    assert refused.status_code == 403
    assert "chosen by the course" in refused.text


def test_the_roster_comes_by_pages(world: World) -> None:
    browser = world.browser()
    browser.send(browser.open("grace", "r1"))
    [course] = run(people.courses(world.tool))
    found = run(members(world.asking(), course))
    assert [each.user for each in found] == ["ada", "grace", "alan", "mary", "karen"]
    assert [each.user for each in found if each.teaches] == ["grace"]
    assert (found[0].name, found[0].email, found[0].learns) == ("Ada Lovelace", "ada@school.example", True)


def test_scores_come_into_the_gradebook(world: World) -> None:
    browser, school = world.browser(), world.school
    browser.send(browser.open("ada", "r1"))
    [course] = run(people.courses(world.tool))
    at = datetime.now(UTC)
    for points, after in ((None, 0), (12.5, 1), (20, 2)):
        run(scores.send(world.tool, Score(course.key, "ada", "10", points, 20, at + timedelta(seconds=after))))
    assert run(scores.deliver(world.asking())) == 3
    [(number, item)] = school.items.items()
    assert (item["label"], item["scoreMaximum"], item["resourceId"]) == ("Autoscale on CPU", 20, "lab-10")
    kept = school.scores[number, "ada"]
    assert (kept["scoreGiven"], kept["scoreMaximum"], kept["gradingProgress"]) == (20, 20, "FullyGraded")
    later = (datetime.fromisoformat(kept["timestamp"]) + timedelta(seconds=60)).isoformat()
    kept["timestamp"] = later  # another tool, or the teacher, was there meanwhile
    run(scores.send(world.tool, Score(course.key, "ada", "10", 3, 20, at + timedelta(seconds=9))))
    assert run(scores.deliver(world.asking())) == 1
    assert school.scores[number, "ada"]["scoreGiven"] == 20
    assert run(scores.waiting(world.tool)) == []


def test_a_platform_whose_certificate_is_not_trusted_is_not_asked(world: World) -> None:
    http = TornadoHttp()
    with pytest.raises(LabError, match=r"127\.0\.0\.1 does not answer") as trouble:
        run(http("GET", f"{world.school.address}/keys", {}, None))
    assert "CERTIFICATE" in trouble.value.message.upper()


def test_redirects_are_not_followed_and_answers_are_bounded(world: World, tmp_path: Path) -> None:
    class Away(RequestHandler):
        def get(self) -> None:
            self.redirect("/there")

    class There(RequestHandler):
        def get(self) -> None:
            self.finish(json.dumps("x" * (5 << 20)))

    with served(world.trusted, lambda _: Application([("/away", Away), ("/there", There)])) as [address]:
        http = TornadoHttp(str(world.trusted))

        async def both() -> int:
            status = (await http("GET", f"{address}/away", {}, None)).status
            with pytest.raises(LabError, match="does not answer"):
                await http("GET", f"{address}/there", {}, None)
            return status

        assert run(both()) == 302


def test_the_pages_have_their_style(world: World) -> None:
    answer = world.browser().session.get(f"{world.tool.address}/lti/page.css")
    assert answer.headers["Content-Type"].startswith("text/css")
    assert "max-width" in answer.text


def test_a_platform_is_registered_from_its_own_page(world: World) -> None:
    class About(RequestHandler):
        def get(self) -> None:
            at = f"https://{self.request.host}"
            ends = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys",
                    "registration_endpoint": "register"}  # fmt: skip
            self.finish({"issuer": at, **{name: f"{at}/{path}" for name, path in ends.items()}})

    class Made(RequestHandler):
        def post(self) -> None:
            assert self.request.headers["Authorization"] == "Bearer r"
            self.finish({"client_id": f"made for {json.loads(self.request.body)['client_name']}"})

    with served(world.trusted, lambda _: Application([("/about", About), ("/register", Made)])) as [address]:
        url = run(dynamic.invite(world.tool, address))
        given = urlencode({"openid_configuration": f"{address}/about", "registration_token": "r"})
        session = world.browser().session
        answer = session.get(f"{url}?{given}")
        assert answer.status_code == 200, answer.text
        assert "gave no deployment id" in answer.text and "org.imsglobal.lti.close" in answer.text
        assert run(world.tool.registration(address, "made for mlops-lab")).jwks_uri == f"{address}/keys"
        assert session.get(f"{url}?{given}").status_code == 403
