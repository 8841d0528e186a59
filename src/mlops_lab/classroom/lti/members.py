"""Who is in a course: Names and Role Provisioning Services, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.lti import names, people
from mlops_lab.classroom.lti.launch import Course, line
from mlops_lab.classroom.lti.outward import page_after, parsed
from mlops_lab.classroom.lti.tool import Tool
from mlops_lab.classroom.roster import Learner

_PAGES = 200
_PEOPLE = 10_000
_STORED = "^[^\0\ud800-\udfff]*$"  # JSON can spell what no database takes


@dataclass(frozen=True)
class Member:
    """Somebody in a course.

    Attributes:
        user: what the platform calls them, for good.
        name, email: may be empty: a platform tells what its settings let it.
        active: no: they have left, or may not take part for now.
    """

    user: str
    name: str
    email: str
    teaches: bool
    learns: bool
    active: bool


class _Person(msgspec.Struct):
    user_id: Annotated[str, msgspec.Meta(pattern=_STORED)]
    roles: list[str]
    status: str | None = None
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None


class _Page(msgspec.Struct):
    members: list[_Person]


async def members(tool: Tool, course: Course) -> list[Member]:
    """Everybody in a course, as its platform tells it now.

    Raises:
        LabError: the platform does not tell, or not as the standard says.
    """
    if not course.memberships:
        raise LabError(
            f"the platform does not tell who is in {course.title or 'the course'}",
            "let it use Names and Role Provisioning Services for this tool, then open the tool once",
        )
    registration = await tool.registration(course.issuer, course.client_id)
    found: dict[str, Member] = {}
    asked: set[str] = set()
    url = course.memberships
    while url:
        if url in asked or len(asked) >= _PAGES or len(found) > _PEOPLE:
            raise LabError(
                f"the roster of {registration.title} does not end",
                f"at most {_PAGES} pages and {_PEOPLE} people are read",
            )
        asked.add(url)
        accepts = {"Accept": names.MEMBERSHIPS}
        answer = await tool.access.ask(registration, (names.MEMBERS_SCOPE,), "GET", url, accepts)
        try:
            page = msgspec.convert(parsed(answer, "roster"), _Page)
        except msgspec.ValidationError as wrong:
            raise LabError(f"the roster of {registration.title} is wrong: {wrong}", "see the platform's log") from wrong
        found |= {each.user_id: _member(each) for each in page.members if each.user_id}
        url = page_after(answer, url, f"the roster of {registration.title}")
    for each in found.values():
        if each.active:
            await people.saw(tool, course, each.user)
    return list(found.values())


async def learners(tool: Tool, course: Course, roster: Sequence[Learner]) -> list[Learner]:
    """Those who learn in a course now, as learners of the class, with the names that the platform tells.

    Args:
        roster: the learners that the class knows.

    Raises:
        LabError: the platform does not tell, or not as the standard says.
    """
    registration = await tool.registration(course.issuer, course.client_id)
    return [
        people.told(
            await people.learner(tool, registration, each.user, each.name, each.email, roster), each.name, each.email
        )
        for each in await members(tool, course)
        if each.learns and each.active
    ]


def _member(person: _Person) -> Member:
    name = person.name or " ".join(filter(None, (person.given_name, person.family_name)))
    return Member(
        person.user_id, line(name), line(person.email), names.teaches(person.roles),
        names.learns(person.roles), (person.status or "Active").lower() == "active",
    )  # fmt: skip
