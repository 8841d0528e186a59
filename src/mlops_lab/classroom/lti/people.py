"""Who is who: people of platforms and learners of the class, and which course each was seen in."""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from mlops_lab.classroom.lti.courses import COURSE, let_in
from mlops_lab.classroom.lti.launch import Course, Launch
from mlops_lab.classroom.lti.registration import Registration, key
from mlops_lab.classroom.lti.tool import Tool
from mlops_lab.classroom.roster import Learner

_LINK = "link"
_PERSON = "person"
_SEEN = "seen"


async def remember(tool: Tool, launch: Launch) -> None:
    """Keep what a launch says of its course: its services, a link for this lab, and that this person is in it."""
    course = launch.course
    if course is None:
        return
    await tool.store.put(COURSE, course.key, msgspec.to_builtins(course))
    await saw(tool, course, launch.user)
    if launch.choosing is not None:
        return
    place = key(course.key, launch.lab)
    if launch.item:
        await tool.store.put(_LINK, place, {"item": launch.item})
    else:
        await tool.store.add(_LINK, place, {"item": ""})


async def linked(tool: Tool, course: Course, lab: str) -> bool:
    """Whether somebody has come by a link of the course for this lab, or by one for the class as a whole."""
    return any([await tool.store.get(_LINK, key(course.key, each)) is not None for each in (lab, "")])


async def item_of_link(tool: Tool, course: Course, lab: str) -> str:
    """The address of the line item that a link for this lab came with; empty if none did."""
    link = await tool.store.get(_LINK, key(course.key, lab)) or {}
    return str(link.get("item", ""))


async def courses(tool: Tool) -> list[Course]:
    """Every course that somebody has come from, but for those that the class is no longer for."""
    ids = {each.key: await let_in(tool, each) for each in await tool.registrations()}
    found = [msgspec.convert(each, Course) for each in await tool.store.all(COURSE)]
    own = [ids.get(key(each.issuer, each.client_id)) for each in found]
    return [each for each, let in zip(found, own, strict=True) if let is None or each.context in let]


async def course_of(tool: Tool, course: str) -> Course | None:
    """The course of a key, if somebody has come from it."""
    stored = await tool.store.get(COURSE, course)
    return None if stored is None else msgspec.convert(stored, Course)


async def saw(tool: Tool, course: Course, user: str) -> None:
    """Keep that a person is in a course, by a launch or by its roster."""
    await tool.store.add(_SEEN, key(course.key, user), {"course": course.key, "user": user})


async def takes_part(tool: Tool, course: Course, user: str) -> bool:
    """Whether a person was seen in a course."""
    return await tool.store.get(_SEEN, key(course.key, user)) is not None


async def everybody(tool: Tool) -> set[str]:
    """The learners of the class whom a platform has sent or named."""
    return {str(each["learner"]) for each in await tool.store.all(_PERSON)}


async def places(tool: Tool, learner: str) -> list[tuple[Course, str]]:
    """Where a learner of the class was seen: courses, and what their platforms call the learner."""
    persons = {(each["issuer"], each["user"]) for each in await tool.store.all(_PERSON) if each["learner"] == learner}
    known = {each.key: each for each in await courses(tool)}
    seen = [(known.get(each["course"]), str(each["user"])) for each in await tool.store.all(_SEEN)]
    return [(course, user) for course, user in seen if course is not None and (course.issuer, user) in persons]


async def learner(
    tool: Tool, registration: Registration, user: str, name: str, email: str, roster: Sequence[Learner]
) -> Learner:
    """The learner that somebody of a platform is in this class. Once found, it stays so.

    It is the one of the roster with this e-mail address, if the platform vouches for addresses: where people can change
    their own, one could take another's place. Otherwise it is a new one, with an id made of the name and a hash.

    Args:
        roster: the learners that the class knows.
    """
    found = None
    if registration.trust_email and email:
        same = [each for each in roster if each.email.casefold() == email.casefold()]
        found = same[0] if len(same) == 1 else None
    chosen = found.id if found else new_id(registration.issuer, user, name)
    person = {"issuer": registration.issuer, "user": user, "learner": chosen}
    own = str((await tool.store.add(_PERSON, key(registration.issuer, user), person))["learner"])
    known = next((each for each in roster if each.id == own), None)
    return known or Learner(own, name or own, email)


def told(learner: Learner, name: str, email: str) -> Learner:
    """A learner with the name and the address that a platform tells now; what it does not tell stays."""
    return replace(learner, name=name or learner.name, email=email or learner.email)


def new_id(issuer: str, user: str, name: str) -> str:
    """An id of a roster, such as `ada-lovelace-k3vq7x2`: of the name, and of a hash that keeps people apart."""
    ascii_ = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_).strip("-")[:12].strip("-")
    digest = hashlib.sha256(f"{issuer}\n{user}".encode()).digest()
    return "-".join(filter(None, (words, base64.b32encode(digest).decode().lower()[:7])))
