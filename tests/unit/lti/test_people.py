"""Who is who: learners of the class and people of platforms; and that the tests' store keeps to what stores keep to."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from mlops_lab.classroom.lti import people
from mlops_lab.classroom.roster import Learner, namespace, read
from tests.unit.lti.made_up import COURSE, SCHOOL, Classroom, MemoryStore, StandingClock, run
from tests.unit.lti.store_contract import keeps

ROSTER = (Learner("ada", "Ada", "ada@school.example"), Learner("grace", "Grace", "grace@school.example"))
TRUSTED = replace(SCHOOL, trust_email=True)


def test_the_store_of_these_tests() -> None:
    clock = StandingClock()
    run(keeps(MemoryStore(clock.now), clock.now, clock.move))


def test_an_address_makes_nobody_somebody_else() -> None:
    room = Classroom()
    found = run(people.learner(room.tool, SCHOOL, "u1", "Mallory", "ada@school.example", ROSTER))
    assert found.id.startswith("mallory-")
    assert (found.name, found.email) == ("Mallory", "ada@school.example")


def test_an_address_that_the_platform_vouches_for_finds_the_learner_of_the_roster() -> None:
    room = Classroom()
    assert run(people.learner(room.tool, TRUSTED, "u1", "A. L.", "ADA@school.example", ROSTER)) == ROSTER[0]
    for email in ("", "else@school.example"):
        assert run(people.learner(room.tool, TRUSTED, f"u{email}", "", email, ROSTER)).id not in ("ada", "grace")
    twice = (*ROSTER, Learner("ada2", "Ada", "ada@school.example"))
    assert run(people.learner(room.tool, TRUSTED, "u9", "", "ada@school.example", twice)).id not in ("ada", "ada2")


def test_once_found_a_learner_stays_the_same() -> None:
    room = Classroom()
    first = run(people.learner(room.tool, TRUSTED, "u1", "Ada", "ada@school.example", ROSTER))
    later = run(people.learner(room.tool, TRUSTED, "u1", "Ada King", "grace@school.example", ROSTER))
    assert first == later == ROSTER[0]
    new = run(people.learner(room.tool, SCHOOL, "u2", "Grace", "", ()))
    renamed = run(people.learner(room.tool, SCHOOL, "u2", "Grace Hopper", "", (Learner(new.id, "Grace"),)))
    assert renamed == Learner(new.id, "Grace")


def test_people_of_one_name_or_of_two_platforms_are_kept_apart() -> None:
    ids = {people.new_id(issuer, user, "Ada Lovelace") for issuer in ("https://a", "https://b") for user in "12"}
    assert len(ids) == 4


@pytest.mark.parametrize(
    "name", ["", "Ada", "Ada Lovelace-Byron, Countess", "Élodie", "李雷", "--", "a" * 200, "R2-D2 !"]
)
def test_a_new_id_is_one_of_a_roster(name: str, tmp_path: Path) -> None:
    own = people.new_id("https://school.example", "u1", name)
    file = tmp_path / "roster.csv"
    file.write_text(f"id\n{own}\n")
    assert read(file) == [Learner(own, own)]
    assert len(namespace(own, "10")) <= 63


def test_what_launches_say_of_their_course_is_remembered() -> None:
    room = Classroom()
    ags = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
    item = {"lineitem": "https://school.example/items/1", "scope": ["s"]}
    run(people.remember(room.tool, room.launch(**{ags: item})))
    run(people.remember(room.tool, room.launch(custom={"lab": "11"})))
    run(people.remember(room.tool, room.launch(context=None)))
    [course] = run(people.courses(room.tool))
    assert (course.key, course.title) == (COURSE.key, "MLOps")
    assert run(people.item_of_link(room.tool, course, "10")) == item["lineitem"]
    run(people.remember(room.tool, room.launch()))  # a link without its item takes none away
    assert run(people.item_of_link(room.tool, course, "10")) == item["lineitem"]
    assert run(people.item_of_link(room.tool, course, "11")) == ""
    assert run(people.linked(room.tool, course, "11")) and not run(people.linked(room.tool, course, "12"))
    assert run(people.takes_part(room.tool, course, "u1")) and not run(people.takes_part(room.tool, course, "u2"))


def test_what_a_platform_says_is_one_line() -> None:
    launch = Classroom().launch(name="Ada\n\u202e\x00 <b>" + "x" * 500)
    assert launch.name.startswith("Ada <b>xxx") and len(launch.name) == 200
