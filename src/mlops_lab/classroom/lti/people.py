"""Who is who: people of platforms and learners of the class, and which course each was seen in."""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Sequence

import msgspec

from mlops_lab.classroom.lti.launch import Course, Launch
from mlops_lab.classroom.lti.registration import Registration, key
from mlops_lab.classroom.lti.tool import Tool
from mlops_lab.classroom.roster import Learner

COURSE = "course"
_PERSON = "person"
_SEEN = "seen"


async def remember(tool: Tool, launch: Launch) -> None:
    """Keep what a launch says of its course's services, and that this person is in the course."""
    course = launch.course
    if course is None:
        return
    before = await course_of(tool, course.key)
    if before:
        course = msgspec.structs.replace(course, items={**before.items, **course.items})
    if course != before:
        await tool.store.put(COURSE, course.key, msgspec.to_builtins(course))
    await saw(tool, course, launch.user)


async def courses(tool: Tool) -> list[Course]:
    """Every course that somebody has come from."""
    return [msgspec.convert(each, Course) for each in await tool.store.all(COURSE)]


async def course_of(tool: Tool, course: str) -> Course | None:
    """The course of a key, if somebody has come from it."""
    stored = await tool.store.get(COURSE, course)
    return None if stored is None else msgspec.convert(stored, Course)


async def saw(tool: Tool, course: Course, user: str) -> None:
    """Keep that a person is in a course, by a launch or by its roster."""
    await tool.store.add(_SEEN, key(course.key, user), {})


async def takes_part(tool: Tool, course: Course, user: str) -> bool:
    """Whether a person was seen in a course."""
    return await tool.store.get(_SEEN, key(course.key, user)) is not None


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
    linked = await tool.store.add(_PERSON, key(registration.issuer, user), {"learner": chosen})
    own = str(linked["learner"])
    known = next((each for each in roster if each.id == own), None)
    return known or Learner(own, name or own, email)


def new_id(issuer: str, user: str, name: str) -> str:
    """An id of a roster, such as `ada-lovelace-k3vq7x2`: of the name, and of a hash that keeps people apart."""
    ascii_ = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_).strip("-")[:12].strip("-")
    digest = hashlib.sha256(f"{issuer}\n{user}".encode()).digest()
    return "-".join(filter(None, (words, base64.b32encode(digest).decode().lower()[:7])))
