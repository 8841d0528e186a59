"""Learning platforms of a class: the tool that they know, who comes by them, and the points that go back to them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.classroom.lti import courses, dynamic, members, scores
from mlops_lab.classroom.lti import people as known
from mlops_lab.classroom.lti.keys import ToolKeys
from mlops_lab.classroom.lti.launch import Course, Launch
from mlops_lab.classroom.lti.outward import TornadoHttp
from mlops_lab.classroom.lti.ports import Http, SystemClock
from mlops_lab.classroom.lti.refused import Refused
from mlops_lab.classroom.lti.registration import Registration
from mlops_lab.classroom.lti.tool import Lab, Tool
from mlops_lab.classroom.server import guard, limits, people, sessions
from mlops_lab.classroom.server.book import Cell
from mlops_lab.classroom.server.database import Away
from mlops_lab.classroom.server.settings import Lti

if TYPE_CHECKING:
    from tornado.web import RequestHandler

    from mlops_lab.classroom.server.service import Service

# Where only the teacher may go; the pages themselves say so, too.
_TEACHERS = ("/grades", "/grades.csv", "/records.jsonl", "/cell", "/map", "/labs", "/platforms")
_KEY, _REPORTED = ("tool", "key"), ("reported", "records")
_ROSTER = "roster"  # the kind of what went wrong when a course's platform was asked who is in it
_EVERY = 30.0  # s between two looks at what is due
_ROSTERS = 3600.0  # s between two looks at who is in the courses
_POINTS = 100  # of a lab that nobody has been graded in yet


@dataclass(frozen=True)
class Waits:
    """Points that no platform has taken yet; `why` is empty before the first try."""

    course: str
    lab: str
    points: float | None
    possible: float
    at: datetime
    why: str


@dataclass(frozen=True)
class Stand:
    """How it stands with learning platforms: which there are, courses with what goes wrong in them, what waits.

    Attributes:
        let_in: ids of the courses that the class is for, by the platform's key; None until somebody has come from one.
    """

    address: str
    registrations: list[Registration]
    let_in: dict[str, tuple[str, ...] | None]
    courses: list[tuple[Course, str]]
    waiting: list[Waits]


class Platforms:
    """The tool of one class.

    Args:
        http: asks platforms.
    """

    def __init__(self, service: Service, told: Lti, http: Http | None = None) -> None:
        self._service, self._told = service, told
        self._http = http or TornadoHttp(told.authorities)
        self._tool: Tool | None = None
        self._news = asyncio.Event()
        self._rosters_at = 0.0

    def tool(self) -> Tool:
        """The tool.

        Raises:
            Away: what it signs with is in the database, which was not there yet.
        """
        if self._tool is None:
            raise Away("the server has just started")
        return self._tool

    def news(self) -> None:
        """There is something to report: do it soon."""
        self._news.set()

    async def live(self) -> None:
        """Report, deliver and look who is in the courses, until it is cancelled."""
        while True:
            self._news.clear()
            await self._service.patiently(self.turn)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _EVERY)

    async def turn(self) -> None:
        """Do what is due. A platform that is away is asked again later; nothing is lost.

        Raises:
            Away: the database does not answer.
        """
        if not self._service.ready:
            return  # there is news when it is
        await self._settle()
        await self._report_on()
        await scores.deliver(self.tool())
        now = asyncio.get_running_loop().time()
        if now >= self._rosters_at:
            self._rosters_at = now + _ROSTERS
            await self._meet_courses()

    async def land(self, handler: RequestHandler, launch: Launch) -> None:
        """Begin a session for who has come by a launch, and lead to the page that the link is for.

        Raises:
            Refused: they have no part in the course, or no longer one in the class.
        """
        service = self._service
        framed = handler.request.headers.get("Sec-Fetch-Dest") in ("iframe", "frame")
        frames = launch.registration.frames if framed else ()
        if launch.teaches:
            session = sessions.of_teacher(service.settings.teacher, frames)
            own = f"/labs/{launch.lab}" if launch.lab else "/"
            self._rosters_at = 0.0  # the platform may have told only now how it is asked who is in the course
        elif launch.learns:
            learner = await self._meet(launch)
            session, own = sessions.of_learner(learner, frames=frames), f"/learners/{learner}#lab-{launch.lab}"
        else:
            raise Refused("you neither learn nor teach in this course", "ask the course's teacher")
        guard.remember(handler, service, session)
        handler.redirect(own if launch.path == "/" else launch.path, status=303)
        self.news()

    async def invite(self, platform: str) -> str:
        """The address that a platform's administrator puts in, once.

        Raises:
            UsageError: the platform's is no https address.
        """
        return await dynamic.invite(self.tool(), platform)

    async def stand(self) -> Stand:
        """How it stands with them."""
        tool = self.tool()
        there = [(each, str((await self._service.kept.get(_ROSTER, each.key) or {}).get("trouble", "")))
                   for each in await known.courses(tool)]  # fmt: skip
        names = {each.key: each.title or each.context for each, _ in there}
        waits = [Waits(names.get(each.course, ""), each.lab, each.points, each.possible, each.at, why)
                 for each, why in await scores.waiting(tool)]  # fmt: skip
        registrations = await tool.registrations()
        let_in = {each.key: await courses.let_in(tool, each) for each in registrations}
        return Stand(self._told.address, registrations, let_in, there, sorted(waits, key=lambda one: one.at))

    async def let_in(self, platform: str, course: str, *, ends: bool) -> None:
        """Let a course of a platform in, or no longer.

        Args:
            platform: its registration's key.

        Raises:
            UsageError: there is no such platform, or its courses are not chosen here.
        """
        tool = self.tool()
        found = next((each for each in await tool.registrations() if each.key == platform), None)
        if found is None:
            raise UsageError("there is no such platform", "see which there are: the page Platforms")
        await courses.change(tool, found, course, ends=ends)

    async def again(self) -> None:
        """Send what waits now, also what was refused, and look who is in the courses."""
        await scores.again(self.tool())
        self._rosters_at = 0.0
        self.news()

    async def _settle(self) -> None:
        """Make the tool, whose key is in the database: made once, or platforms would have to learn another."""
        if self._tool is not None:
            return
        kept = self._service.kept
        if (made := await kept.get(*_KEY)) is None:
            made = await kept.add(*_KEY, {"pem": await self._service.work(ToolKeys.generate)})
        settings = self._service.settings
        self._tool = Tool(
            self._told.address, settings.klass.name, ToolKeys([str(made["pem"])]), kept, self._http, SystemClock(),
            self._labs, self.land, self._told.platforms, _TEACHERS, limits.Limiter(limits.LAUNCHING).take,
        )  # fmt: skip

    def _labs(self) -> Sequence[Lab]:
        possible = self._service.book.possible()
        return [
            Lab(number, f"{number} {title}", possible.get(number) or _POINTS)
            for number, title in self._service.settings.klass.labs.items()
        ]

    async def _meet(self, launch: Launch) -> str:
        tool, run = self.tool(), self._service.run
        everyone = await run(people.enrolled)
        found = await known.learner(
            tool, launch.registration, launch.user, launch.name, launch.email, everyone
        )  # fmt: skip
        await run(people.join, known.told(found, launch.name, launch.email))
        if not await run(people.takes_part, found.id, sessions.now()):
            raise Refused("your time in this class is over", "ask the class's teacher")
        # What was graded before this course was known.
        await self._report(self._service.book.of(found.id).values())
        return found.id

    async def _meet_courses(self) -> None:
        """Let all who learn in the courses take part, by the names that they have there now."""
        tool, run = self.tool(), self._service.run
        for course in await known.courses(tool):
            if not course.memberships:
                continue
            everyone = await run(people.enrolled)
            there = {each.id: each for each in everyone}
            try:
                found = await members.learners(tool, course, everyone)
            except Away:
                raise
            except LabError as trouble:
                await self._service.kept.put(_ROSTER, course.key, {"trouble": trouble.message})
                continue
            await self._service.kept.take(_ROSTER, course.key)
            if any([await run(people.join, each) for each in found if there.get(each.id) != each]):
                self._service.hub.tell("roster")

    async def _report_on(self) -> None:
        """Keep scores of what was signed since the last time, for `deliver`."""
        book, kept = self._service.book, self._service.kept
        done = int((await kept.get(*_REPORTED) or {}).get("sequence", 0))
        upto = book.sequence
        if upto <= done:
            return
        await self._report([each for each in list(book.cells.values()) if each.last and each.last.sequence > done])
        await kept.put(*_REPORTED, {"sequence": upto})

    async def _report(self, cells: Iterable[Cell]) -> None:
        tool, labs = self.tool(), self._service.settings.klass.labs
        there = await known.everybody(tool)
        for each in cells:
            if each.lab in labs and each.possible and each.learner in there:
                late = f"on time: {each.on_time} of {each.possible}" if each.late else ""
                await scores.report(tool, each.learner, each.lab, each.points, each.possible, each.at, late)
