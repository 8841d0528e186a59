"""A class's server and a learning platform of another hand: people come in from a course, and their points go back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from mlops_lab.classroom import kit as kits
from mlops_lab.classroom.roster import Learner
from mlops_lab.classroom.server import people
from tests.classroom.at_school import Hasty, Line, Place, school, tls, with_platform
from tests.classroom.made_up import KEY, ROSTER, enrol
from tests.classroom.served import until
from tests.unit.lti.school import PEOPLE, School

__all__ = ["school", "tls"]


@pytest.fixture
def place(tmp_path: Path, school: School, tls: Path) -> Iterator[Place]:
    with with_platform(tmp_path, school, tls) as found:
        enrol(found.at.service.database, (*ROSTER, Learner("grete", "Grete", "alan@school.example")))
        yield found


def names(place: Place) -> dict[str, str]:
    with place.at.service.database.transaction() as connection:
        return {each.name: each.id for each in people.enrolled(connection)}


def _kept(answer: requests.Response, file: Path) -> Path:
    assert answer.status_code == 200 and "attachment" in answer.headers["Content-Disposition"], answer.text
    file.write_bytes(answer.content)
    file.chmod(0o600)
    return file


def test_a_learner_comes_in_without_a_token_and_the_points_go_back(place: Place) -> None:
    browser, page = place.come("ada")
    own = names(place)["Ada Lovelace"]
    assert page.status_code == 200 and page.url == f"{place.school.tool}/learners/{own}#lab-10"
    assert "Ada Lovelace" in page.text and own.startswith("ada-lovelace-")
    assert browser.session.get(f"{place.school.tool}/grades").status_code == 404
    place.at.graded(own, "survives")
    until(lambda: place.school.scores)
    assert [
        (score["userId"], score["scoreGiven"], score["scoreMaximum"]) for score in place.school.scores.values()
    ] == [("ada", 5, 10)]
    # Less than before changes nothing; more goes back, though it is signed within the same second.
    place.at.graded(own, "survives", "scales")
    place.at.graded(own)
    until(lambda: [score["scoreGiven"] for score in place.school.scores.values()] == [10])
    kit = kits.read(_kept(place.press(browser, "/kit"), place.at.folder / "class.json"))
    assert kit and (kit.learner, kit.address) == (own, place.school.tool) and kit.public_key == KEY.public
    assert place.at.api(kit.token, "/api/v1/me").json["learner"] == own
    # Another roster does not put out who comes by the platform.
    enrol(place.at.service.database)
    assert browser.session.get(page.url).status_code == 200
    assert "platform" in place.at.metrics(), "launches are counted, too"


def test_somebody_of_the_roster_stays_who_that_is_and_brings_earlier_points(place: Place) -> None:
    place.at.graded("grete")
    place.at.do(place.platforms.turn())
    _, page = place.come("alan")
    assert page.url.endswith("/learners/grete#lab-10") and "Alan Turing" not in names(place)
    until(lambda: [score["scoreGiven"] for score in place.school.scores.values()] == [10])


def test_who_has_another_name_on_the_platform_has_it_here_but_for_the_rosters(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.come("ada")
    own = names(place)["Ada Lovelace"]
    monkeypatch.setitem(PEOPLE, "ada", ("Ada King", "Learner"))
    _, page = place.come("ada")
    assert "Ada King" in page.text and names(place)["Ada King"] == own and "Ada Lovelace" not in names(place)
    monkeypatch.setitem(PEOPLE, "ada", ("Ada Byron", "Learner"))
    monkeypatch.setitem(PEOPLE, "alan", ("Alan M. Turing", "Learner"))
    place.come("grace")  # now it is looked who is in the course
    until(lambda: names(place).get("Ada Byron") == own)
    place.come("alan")
    assert names(place)["Grete"] == "grete" and "Alan M. Turing" not in names(place)


def test_who_teaches_the_course_gets_the_teachers_pages_and_its_people_take_part(place: Place) -> None:
    browser, page = place.come("grace")
    assert page.status_code == 200 and page.url == f"{place.school.tool}/labs/10"
    until(lambda: {"Ada Lovelace", "Mary Jackson", "Karen Jones"} <= names(place).keys())
    assert "Grace Hopper" not in names(place), "who teaches learns nothing"
    page = browser.session.get(f"{place.school.tool}/platforms")
    assert "MLOps" in page.text and "The school" in page.text and f"{place.school.tool}/lti/launch" in page.text
    invited = place.press(browser, "/platforms/invitation", platform="https://moodle.example")
    assert f"{place.school.tool}/lti/register/" in invited.text
    wrong = place.press(browser, "/platforms/invitation", platform="http://moodle.example")
    assert wrong.status_code == 400 and "no https address" in wrong.text
    ada, _ = place.come("ada")
    for answer in (ada.session.get(f"{place.school.tool}/platforms"), place.press(ada, "/platforms/again")):
        assert answer.status_code == 404 and "The school" not in answer.text


def test_who_teaches_another_course_is_no_teacher_here(place: Place) -> None:
    ada, _ = place.come("ada")
    grace, page = place.come("grace")
    school = place.platforms.tool().platforms[0].key
    assert place.press(ada, "/platforms/course", platform=school, course="c2").status_code == 404
    page = place.press(grace, "/platforms/course", platform=school, course=" c2 ")
    assert page.status_code == 200 and "Course c1" in page.text and "Course c2" in page.text
    page = place.press(grace, "/platforms/course", platform=school, course="c1", ends="yes")
    assert "Course c1" not in page.text and "Course c2" in page.text
    browser, page = place.come("grace")
    assert page.status_code == 403 and "page Platforms" in page.text and "c1" in page.text
    assert browser.session.get(f"{place.school.tool}/grades").url.endswith("/login?next=%2Fgrades")
    wrong = place.press(grace, "/platforms/course", platform="x", course="c1")
    assert wrong.status_code == 400 and "no such platform" in wrong.text


def test_points_wait_while_the_platform_is_away_and_outlive_the_server(
    tmp_path: Path, school: School, tls: Path
) -> None:
    with with_platform(tmp_path, school, tls) as place:
        place.come("ada")
        place.at.do(place.platforms.turn())
        line = place.platforms.tool().access._http = Line(str(place.trusted))
        line.cut, place.platforms.tool().clock = True, Hasty()
        place.at.graded(names(place)["Ada Lovelace"])
        browser, _ = place.come("grace")
        until(lambda: "the line is cut" in browser.session.get(f"{school.tool}/platforms").text)
        assert "10 of 10" in browser.session.get(f"{school.tool}/platforms").text and not school.scores
    with with_platform(tmp_path, school, tls) as place:
        browser, _ = place.come("grace")
        assert "the line is cut" in browser.session.get(f"{school.tool}/platforms").text
        assert place.press(browser, "/platforms/again").status_code == 200
        until(lambda: school.scores)
    assert [score["scoreGiven"] for score in school.scores.values()] == [10]


def test_in_a_frame_the_cookie_and_the_pages_are_for_that_platform(place: Place) -> None:
    browser, answer = place.come("ada", **{"Sec-Fetch-Dest": "iframe"})
    assert answer.status_code == 303
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-class=") and cookie.endswith("; HttpOnly; Secure; SameSite=None; Partitioned")
    page = browser.session.get(f"{place.school.tool}/learners/{names(place)['Ada Lovelace']}")
    assert f"frame-ancestors {place.school.address}" in page.headers["Content-Security-Policy"]
    _, page = place.come("ada")
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    ended = place.press(browser, "/logout").history[0].headers["Set-Cookie"]
    assert "Max-Age=0" in ended and ended.endswith("Partitioned")


def test_launches_that_nobody_ends_fill_no_database(place: Place) -> None:
    asked = {"iss": place.school.address, "login_hint": "ada", "target_link_uri": f"{place.school.tool}/lti/launch"}
    place.platforms.tool().wait = lambda _: 4.2
    answer = place.browser().session.get(f"{place.school.tool}/lti/login", params=asked, allow_redirects=False)
    assert answer.status_code == 429 and "in 5 s" in answer.text


def test_before_its_database_was_there_the_tool_says_come_again(place: Place) -> None:
    place.platforms._tool = None
    answer = place.browser().session.get(f"{place.school.tool}/lti/jwks.json")
    assert answer.status_code == 503 and "try again in 5 s" in answer.text
