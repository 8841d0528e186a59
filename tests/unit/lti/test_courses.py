"""Which courses of a platform a class is for: nobody gets in by a course of somebody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom.lti import courses, people
from mlops_lab.classroom.lti.refused import Refused
from mlops_lab.classroom.lti.registration import read
from mlops_lab.classroom.lti.tool import REGISTRATION
from tests.unit.lti.made_up import COURSE, SCHOOL, Classroom, run, teacher

OTHER: dict[str, Any] = {"context": {"id": "c2", "title": "Mallory's"}, "sub": "u2"}


@pytest.mark.parametrize("first", [{}, {"roles": teacher()}], ids=["a learner", "a teacher"])
def test_the_class_is_for_the_first_course_that_somebody_comes_from(first: dict[str, Any]) -> None:
    room = Classroom()
    assert run(courses.let_in(room.tool, SCHOOL)) is None
    room.launch(**first)
    assert run(courses.let_in(room.tool, SCHOOL)) == ("c1",)
    for more in ({}, {"roles": teacher()}):
        with pytest.raises(Refused, match=r"\"Mallory's\".* id 'c2'") as refused:
            room.launch(**OTHER, **more)
        assert "page Platforms" in refused.value.hint and refused.value.status == 403
    assert room.launch(roles=teacher()).teaches


def test_a_registration_may_name_the_courses() -> None:
    room = Classroom(replace(SCHOOL, courses=("c3", "c2")))
    assert room.launch(**OTHER, roles=teacher()).teaches
    with pytest.raises(Refused, match="id 'c1'") as refused:
        room.launch(roles=teacher())
    assert "the file of platforms" in refused.value.hint
    with pytest.raises(UsageError, match="file of platforms names"):
        run(courses.change(room.tool, room.tool.platforms[0], "c1", ends=False))


def test_courses_of_a_class_that_is_older_stay_let_in() -> None:
    room = Classroom()
    for each in (COURSE, replace(COURSE, context="c0"), replace(COURSE, client_id="tool-2", context="c2")):
        run(room.store.put(people.COURSE, each.key, to_builtins(each)))
    stored = to_builtins(replace(SCHOOL, client_id="tool-2"))
    assert "courses" not in stored
    run(room.store.put(REGISTRATION, "k", stored))
    assert {each.context for each in run(people.courses(room.tool))} == {"c0", "c1", "c2"}
    assert room.launch(roles=teacher()).teaches and room.launch(context={"id": "c0"})
    with pytest.raises(Refused, match="id 'c2'"):
        room.launch(**OTHER)


def test_a_teacher_lets_a_course_in_and_takes_one_out() -> None:
    room = Classroom()
    run(people.remember(room.tool, room.launch()))
    run(courses.change(room.tool, SCHOOL, "c2", ends=False))
    run(people.remember(room.tool, room.launch(**OTHER)))
    assert {each.context for each in run(people.courses(room.tool))} == {"c1", "c2"}
    for each in ("c1", "c2"):
        run(courses.change(room.tool, SCHOOL, each, ends=True))
        assert each not in {one.context for one in run(people.courses(room.tool))}
    with pytest.raises(Refused, match="id 'c1'"):
        room.launch(roles=teacher())  # the first one is over
    for wrong in ("", "c" * 256):
        with pytest.raises(UsageError, match="no course's id"):
            run(courses.change(room.tool, SCHOOL, wrong, ends=False))


def test_nobody_teaches_by_a_link_in_no_course() -> None:
    with pytest.raises(Refused, match="no course"):
        Classroom().launch(context=None, roles=teacher())
    with pytest.raises(Refused, match="no course"):
        Classroom(replace(SCHOOL, courses=("c1",))).launch(context=None)
    assert Classroom().launch(context=None).learns


def test_the_file_of_platforms_names_courses(tmp_path: Path) -> None:
    file = tmp_path / "platforms.toml"
    lines = [f'{name} = "{value}"' for name, value in to_builtins(SCHOOL).items() if isinstance(value, str)]
    file.write_text("\n".join(["[[platform]]", *lines, 'deployments = ["d1"]', 'courses = ["7", "8"]']))
    assert read(file)[0].courses == ("7", "8")
    file.write_text(file.read_text().replace('"8"', '""'))
    with pytest.raises(UsageError, match="courses"):
        read(file)
