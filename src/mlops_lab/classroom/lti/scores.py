"""Scores into a platform's gradebook: Assignment and Grade Services, a line item for each lab.

A score is kept until the platform has it, so a platform that is away loses none. One that a platform has, or has a
later one than, is not sent again. If it is all the same, as after a crash between sending and noting it, it has the
same time, and a platform keeps the latest by time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.lti import names, people
from mlops_lab.classroom.lti.launch import Course
from mlops_lab.classroom.lti.outward import Declined, origin, page_after, parsed
from mlops_lab.classroom.lti.refused import Refused
from mlops_lab.classroom.lti.registration import Registration, key
from mlops_lab.classroom.lti.tool import Tool

TAG = "points"
_SCORE = "score"
_SENT = "sent"
_ITEM = "item"
_PAUSES = (0.5, 2.0)  # s between tries at once
_LATER = (60, 300, 1800, 7200)  # s until the next try; the last one from then on
_PAGES = 50


class Score(msgspec.Struct, frozen=True):
    """What somebody has earned in a lab.

    Attributes:
        course: the course's key.
        user: what the platform calls them.
        points: None while it is graded.
        at: when it was earned, in UTC: what platforms order scores by.
        comment: a line for the learner; may be empty.
    """

    course: str
    user: str
    lab: str
    points: float | None
    possible: float
    at: datetime
    comment: str = ""

    @property
    def key(self) -> str:
        """What a store keeps it by; another one by as little as a comment."""
        points = "" if self.points is None else str(float(self.points))
        at = str(self.at.timestamp())
        return key(self.course, self.user, self.lab, points, str(float(self.possible)), at, self.comment)

    @property
    def cell(self) -> str:
        """What a store keeps its place in the gradebook by."""
        return key(self.course, self.user, self.lab)


class _Waiting(msgspec.Struct, frozen=True):
    score: Score
    tries: int = 0
    due: float = 0.0
    trouble: str = ""
    stuck: bool = False


class _Item(msgspec.Struct, rename="camel"):
    id: str
    resource_id: str | None = None
    tag: str | None = None


def resource(lab: str) -> str:
    """What the tool calls a lab in a platform's gradebook."""
    return f"lab-{lab}"


async def report(
    tool: Tool, learner: str, lab: str, points: float | None, possible: float, at: datetime, comment: str = ""
) -> int:
    """Keep a learner's score for every course that wants it: the learner is in it, and it has a link for the lab.

    Returns:
        for how many courses it was kept.
    """
    kept = 0
    for course, user in await people.places(tool, learner):
        if await people.linked(tool, course, lab) and await _takes(tool, course, lab):
            await send(tool, Score(course.key, user, lab, points, possible, at, comment))
            kept += 1
    return kept


async def send(tool: Tool, score: Score) -> None:
    """Keep a score for one course, to be sent by `deliver`.

    Raises:
        Refused: its course is not known, or this person is not in it: nobody's score goes to somebody else's course.
    """
    course = await people.course_of(tool, score.course)
    if course is None or not await people.takes_part(tool, course, score.user):
        raise Refused("nobody was seen in this course by that name", "open the tool from the course once", 404)
    if not await _takes(tool, course, score.lab):
        raise Refused(
            f"the platform takes no scores of lab {score.lab} from this tool",
            "let it use Assignment and Grade Services, then open the tool once",
        )
    if not await _passed(tool, score):
        await tool.store.put(_SCORE, score.key, msgspec.to_builtins(_Waiting(score)))


async def _takes(tool: Tool, course: Course, lab: str) -> bool:
    return bool(course.lineitems or await people.item_of_link(tool, course, lab))


async def deliver(tool: Tool) -> int:
    """Send what is due, the oldest first; returns how many platforms took. One caller at a time.

    What can't be sent now is tried again later, and what a platform refuses stays, with why: see `waiting`. Platforms
    are sent to side by side, and of one that is away nothing more is asked until the next call. When it ends, by an
    error of the store, too, nothing more is being sent.
    """
    now = tool.clock.now().timestamp()
    kept = [_kept(each) for each in await tool.store.all(_SCORE)]
    issuers = {each.key: each.issuer for each in await people.courses(tool)}
    lanes: dict[str, list[_Waiting]] = {}
    for each in sorted((one for one in kept if one.due <= now and not one.stuck), key=lambda one: one.score.at):
        lanes.setdefault(issuers.get(each.score.course, ""), []).append(each)
    done = await asyncio.gather(*(_deliver(tool, lane) for lane in lanes.values()), return_exceptions=True)
    for broken in done:  # only when all have ended: none runs on beside those of the next call
        if isinstance(broken, BaseException):
            raise broken
    return sum(number for number in done if isinstance(number, int))


async def _deliver(tool: Tool, lane: Sequence[_Waiting]) -> int:
    """Send scores to one platform."""
    done = 0
    for each in lane:
        try:
            if not await _passed(tool, each.score):
                await _post(tool, each.score)
                await tool.store.put(_SENT, each.score.cell, {"at": each.score.at.timestamp()})
                done += 1
        except LabError as trouble:
            await _later(tool, each, trouble)
            if trouble.transient:
                break
        else:
            await tool.store.take(_SCORE, each.score.key)
    return done


async def waiting(tool: Tool) -> list[tuple[Score, str]]:
    """Scores that no platform has yet, with the trouble of each; it is empty before the first try."""
    return [(each.score, each.trouble) for each in map(_kept, await tool.store.all(_SCORE))]


async def again(tool: Tool) -> None:
    """Make everything due that waits, also what a platform has refused: a teacher has mended something."""
    for each in map(_kept, await tool.store.all(_SCORE)):
        await tool.store.put(_SCORE, each.score.key, msgspec.to_builtins(_Waiting(each.score)))


async def _passed(tool: Tool, score: Score) -> bool:
    """Whether the platform has this score, or a later one, of the same place in the gradebook."""
    sent = await tool.store.get(_SENT, score.cell)
    return sent is not None and score.at.timestamp() <= float(sent["at"])


def _kept(value: Any) -> _Waiting:
    return msgspec.convert(value, _Waiting)


async def _later(tool: Tool, waiting: _Waiting, trouble: LabError) -> None:
    pause = _LATER[min(waiting.tries, len(_LATER) - 1)]
    if isinstance(trouble, Declined):
        pause = max(pause, _asked_to_wait(trouble))
    due = (tool.clock.now() + timedelta(seconds=pause)).timestamp()
    kept = _Waiting(waiting.score, waiting.tries + 1, due, trouble.message, stuck=not trouble.transient)
    await tool.store.put(_SCORE, waiting.score.key, msgspec.to_builtins(kept))


def _asked_to_wait(declined: Declined) -> int:
    said = declined.answer.headers.get("retry-after", "")
    return min(int(said[:9]), 86400) if said.isascii() and said.isdigit() else 0


async def _post(tool: Tool, score: Score) -> None:
    course = await people.course_of(tool, score.course)
    if course is None:
        raise LabError("the score's course is not known any more", "open the tool from the course once")
    registration = await tool.registration(course.issuer, course.client_id)
    url = _below(await line_item(tool, registration, course, score.lab, score.possible), "/scores")
    body: dict[str, Any] = {
        "userId": score.user, "timestamp": score.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "activityProgress": "Submitted" if score.points is None else "Completed",
        "gradingProgress": "Pending" if score.points is None else "FullyGraded",
    }  # fmt: skip
    if score.points is not None:
        body |= {"scoreGiven": score.points, "scoreMaximum": score.possible}
    if score.comment:
        body["comment"] = score.comment
    try:
        await _patient(tool, registration, names.SCORE_SCOPE, "POST", url, {"Content-Type": names.SCORE}, body)
    except Declined as declined:
        if declined.answer.status == 404:  # the line item was removed: the next try finds or makes another one
            await tool.store.take(_ITEM, key(course.key, score.lab))
            raise LabError(
                "the lab's column was removed from the gradebook", "it is made anew", transient=bool(course.lineitems)
            ) from declined
        if declined.answer.status != 409:  # a later score is there already
            raise


async def line_item(tool: Tool, registration: Registration, course: Course, lab: str, possible: float) -> str:
    """The address of a lab's line item: the one that is there for this lab, else a new one.

    Raises:
        LabError: the platform lets the tool neither find nor make one, or answers with somebody else's.
    """
    if not course.lineitems or names.LINE_ITEM_SCOPE not in course.scopes:
        own = await people.item_of_link(tool, course, lab)
        if own:
            return own
        raise LabError(
            f"{registration.title} has no column for lab {lab}, and lets this tool make none",
            "choose the lab for the course by deep linking, or let the tool manage line items",
        )
    kept = await tool.store.get(_ITEM, key(course.key, lab))
    if kept is None:
        found = await _find(tool, registration, course, lab) or await _make(tool, registration, course, lab, possible)
        kept = await tool.store.add(_ITEM, key(course.key, lab), {"url": found})
    return str(kept["url"])


async def _find(tool: Tool, registration: Registration, course: Course, lab: str) -> str:
    asked = urlencode({"resource_id": resource(lab), "tag": TAG})
    url = f"{course.lineitems}{'&' if urlsplit(course.lineitems).query else '?'}{asked}"
    for _ in range(_PAGES):
        answer = await _patient(tool, registration, names.LINE_ITEM_SCOPE, "GET", url, {"Accept": names.LINE_ITEMS})
        for each in _read(parsed(answer, "line items"), list[_Item]):
            if each.resource_id == resource(lab) and each.tag in (TAG, None, ""):  # not all platforms heed the question
                return _own(registration, each)
        url = page_after(answer, url, f"the list of line items of {registration.title}")
        if not url:
            return ""
    raise LabError(f"the line items of {registration.title} do not end", f"at most {_PAGES} pages are read")


async def _make(tool: Tool, registration: Registration, course: Course, lab: str, possible: float) -> str:
    title = next((each.title for each in tool.labs() if each.number == lab), resource(lab))
    body = described(lab, title, possible)
    kinds = {"Content-Type": names.LINE_ITEM, "Accept": names.LINE_ITEM}
    answer = await _patient(tool, registration, names.LINE_ITEM_SCOPE, "POST", course.lineitems, kinds, body)
    return _own(registration, _read(parsed(answer, "line item"), _Item))


def described(lab: str, title: str, possible: float) -> dict[str, Any]:
    """A lab's line item, as the tool makes one or asks for one."""
    return {"label": title, "scoreMaximum": possible, "resourceId": resource(lab), "tag": TAG}


async def _patient(
    tool: Tool, registration: Registration, scope: str, method: str, url: str, headers: dict[str, str], body: Any = None
) -> Any:
    sent = None if body is None else json.dumps(body).encode()
    for pause in (*_PAUSES, None):
        try:
            return await tool.access.ask(registration, (scope,), method, url, headers, sent)
        except LabError as trouble:
            told = isinstance(trouble, Declined) and "retry-after" in trouble.answer.headers
            if pause is None or not trouble.transient or told:
                raise
            await tool.clock.sleep(pause)
    raise AssertionError("the last turn returns or raises")


def _read(value: Any, form: Any) -> Any:
    try:
        return msgspec.convert(value, form)
    except msgspec.ValidationError as wrong:
        raise LabError(f"the platform's line items are wrong: {wrong}", "see the platform's log") from wrong


def _own(registration: Registration, item: _Item) -> str:
    if origin(item.id) not in registration.origins:
        raise LabError(f"{registration.title} answered with a line item of another server", "see its settings")
    return item.id


def _below(url: str, part: str) -> str:
    """The address of a part of a line item; what stands behind its `?` stays there."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + part))
