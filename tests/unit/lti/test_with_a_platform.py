"""The tool and a platform of another hand, over TLS, with a browser between them: launch, choice of labs, roster, scores."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import requests
from tornado.web import Application, RequestHandler

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.lti import people, scores
from mlops_lab.classroom.lti.handlers import routes
from mlops_lab.classroom.lti.launch import Launch
from mlops_lab.classroom.lti.login import COOKIE
from mlops_lab.classroom.lti.members import members
from mlops_lab.classroom.lti.outward import TornadoHttp
from mlops_lab.classroom.lti.ports import SystemClock
from mlops_lab.classroom.lti.registration import Registration
from mlops_lab.classroom.lti.scores import Score
from mlops_lab.classroom.lti.tool import Tool
from tests.unit.lti.made_up import LABS, MemoryStore, own, run
from tests.unit.lti.school import School, certificate, platform, served


class Form(HTMLParser):
    """The form of a page: where it goes, and what it carries."""

    def __init__(self, page: requests.Response) -> None:
        super().__init__()
        self.action, self.fields, self.choices = "", {}, []  # type: ignore[var-annotated]
        self.feed(page.text)
        self.action = requests.compat.urljoin(page.url, self.action)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.action = given["action"] or ""
        elif tag == "input" and given.get("type") in ("checkbox", "radio"):
            self.choices.append((given["name"], given["value"]))
        elif tag == "input":
            self.fields[given["name"]] = given["value"]


class Browser:
    """A person's browser: cookies, redirects, forms."""

    def __init__(self, school: School, trusted: Path) -> None:
        self.school, self.session = school, requests.Session()
        self.session.verify, self.session.trust_env = str(trusted), False

    def open(self, user: str, link: str) -> Form:
        """A link on the platform, up to the form that carries the platform's message."""
        return Form(self.session.get(f"{self.school.address}/begin", params={"user": user, "link": link}))

    def send(self, form: Form, **more: Any) -> requests.Response:
        """Press the form's button."""
        return self.session.post(form.action, data={**form.fields, **more})


class World:
    """The class's server, the platform, and what is between them."""

    def __init__(self, trusted: Path, school: School, made: list[Tool]) -> None:
        self.trusted, self.school, self.tool = trusted, school, made[0]

    def browser(self) -> Browser:
        return Browser(self.school, self.trusted)

    def asking(self) -> Tool:
        """The tool, for a loop of the test's own."""
        tool = self.tool
        return Tool(
            tool.address, tool.name, tool.own, tool.store, TornadoHttp(str(self.trusted)), tool.clock, tool.labs,
            tool.land, tool.platforms,
        )  # fmt: skip


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
        school.tool, at = address, school.address
        registration = Registration(at, "tool-1", f"{at}/auth", f"{at}/token", f"{at}/keys", ("d1",), "The school")
        store = MemoryStore(lambda: datetime.now(UTC))
        made.append(
            Tool(address, "mlops-lab", own(), store, TornadoHttp(str(trusted)), SystemClock(), lambda: LABS, _land,
                 (registration,))
        )  # fmt: skip
        return Application(routes(made[0]), xsrf_cookies=True)

    with pytest.MonkeyPatch.context() as patch, served(trusted, at_school, in_class):
        patch.setenv("REQUESTS_CA_BUNDLE", str(trusted))  # for the platform, which fetches the tool's keys
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield World(trusted, school, made)


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
    with pytest.raises(LabError, match="127.0.0.1 does not answer") as trouble:
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
