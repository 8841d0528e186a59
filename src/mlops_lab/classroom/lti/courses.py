"""Which courses of a platform the class is for: who teaches another one there is nobody's teacher here.

A platform may have one deployment of a tool for all of its courses. The class is for those that the registration names;
where it names none, for the first one that somebody comes from, and for those that the class's teacher lets in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom.lti.refused import Refused
from mlops_lab.classroom.lti.registration import Registration
from mlops_lab.classroom.lti.tool import Tool

if TYPE_CHECKING:
    from mlops_lab.classroom.lti.launch import Launch

COURSE = "course"  # the kind of courses that somebody has come from
_LET_IN = "let-in"
_LONGEST = 255  # characters of a course's id, as LTI has it


async def let_in(tool: Tool, registration: Registration) -> tuple[str, ...] | None:
    """The ids of the courses that the class is for; None until somebody has come from one."""
    if registration.courses:
        return registration.courses
    kept = await tool.store.get(_LET_IN, registration.key)
    if kept is not None:
        return tuple(kept["courses"])
    # Those of a class that is older than this.
    own = (registration.issuer, registration.client_id)
    seen = {each["context"] for each in await tool.store.all(COURSE) if (each["issuer"], each["client_id"]) == own}
    return tuple(sorted(seen)) or None


async def admit(tool: Tool, launch: Launch) -> None:
    """Let a launch from a course of the class go on.

    Raises:
        Refused: it is from another one, or from none.
    """
    registration, course = launch.registration, launch.course
    if course is None:
        if launch.teaches or registration.courses:
            raise Refused("the link stands in no course", "put it into the class's course on the platform")
        return
    ids = await let_in(tool, registration)
    if ids is None:
        ids = tuple((await tool.store.add(_LET_IN, registration.key, {"courses": [course.context]}))["courses"])
    if course.context not in ids:
        where = "its courses in the file of platforms" if registration.courses else "those on the page Platforms"
        raise Refused(
            f"this class is not for the course {course.title or 'without a title'!r} of {registration.title}, "
            f"which has the id {course.context!r} there",
            f"tell the class's teacher, who can add this id to {where}",
        )


async def change(tool: Tool, registration: Registration, course: str, *, ends: bool) -> None:
    """Let a course in, or no longer.

    Raises:
        UsageError: the registration names its courses, or this is no id.
    """
    if registration.courses:
        raise UsageError(f"the file of platforms names the courses of {registration.title}", "change them there")
    if not 0 < len(course) <= _LONGEST:
        raise UsageError("this is no course's id", "take it from the page of a launch that was refused")
    others = [each for each in await let_in(tool, registration) or () if each != course]
    await tool.store.put(_LET_IN, registration.key, {"courses": others if ends else [*others, course]})
