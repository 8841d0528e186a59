"""The pages: the teacher's gradebook, map and item analysis, a learner's own page, and one submission."""

from __future__ import annotations

import asyncio
import math
import time
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection
from tornado.iostream import StreamClosedError

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom import analysis
from mlops_lab.classroom.kit import Kit, spelled
from mlops_lab.classroom.server import cluster_pages, people, queue, records, sessions, teachers_api, views
from mlops_lab.classroom.server.guard import Page, forget, remember
from mlops_lab.classroom.server.handling import Refused, whose
from mlops_lab.classroom.server.live import Listener
from mlops_lab.classroom.server.queue import Submission
from mlops_lab.classroom.server.schema import GRADED
from mlops_lab.classroom.server.sessions import now
from mlops_lab.classroom.server.templates import render

_KIT = timedelta(days=30)  # for which a file that learners get by themselves is good
_OPEN = 20  # pages of one learner that hear what changes
_LOOK = 15.0  # s between two looks whether a session is still good


class Login(Page):
    """/login: change a token for a session."""

    open_to_all = True

    async def get(self) -> None:
        """The form."""
        self.show("login.html", next=self._next(self.get_query_argument("next", "/")), wrong="")

    async def post(self) -> None:
        """The token."""
        where = self._next(self.get_body_argument("next", "/"))
        token = self.get_body_argument("token", "").strip()
        if people.same(token, self.service.settings.teacher):
            remember(self, self.service, sessions.of_teacher(token))
            self.redirect(where, status=303)
            return
        known = await whose(self.service, token, self.request.remote_ip or "")
        if known is None:
            self.set_status(403)
            self.show("login.html", next=where, wrong="This token is not known, or it has ended.")
            return
        remember(self, self.service, sessions.of_learner(known.learner, known.kit, known.ends))
        self.redirect(where, status=303)

    @staticmethod
    def _next(path: str) -> str:
        """A path of this server, and of no other."""
        own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
        return path if own else "/"


class Logout(Page):
    """/logout"""

    async def post(self) -> None:
        """End the session."""
        forget(self, self.service, framed=bool(self.visitor.frames))
        self.redirect("/login", status=303)


class Home(Page):
    """/"""

    async def get(self) -> None:
        """To the page that the visitor wants first."""
        self.redirect("/grades" if self.visitor.teaches else f"/learners/{self.visitor.learner}")


class Grades(Page):
    """/grades: learners by labs."""

    async def get(self) -> None:
        """The gradebook."""
        self.teach()
        learners = await self.service.run(people.everyone)
        book, klass = self.service.book, self.service.settings.klass
        rows = views.gradebook(klass, book, learners)
        text = {"rows": rows, "possible": book.possible(), "count": len(book.cells), "sequence": book.sequence}
        self.show("grades.html", **text)


class Cell(Page):
    """/cell?learner=ID&lab=NN: a part of the gradebook."""

    async def get(self) -> None:
        """One cell, anew."""
        self.teach()
        place = (self.get_query_argument("learner"), self.get_query_argument("lab"))
        total = sum(cell.points for lab, cell in self.service.book.of(place[0]).items()
                    if lab in self.service.settings.klass.labs)  # fmt: skip
        html = render("_cell.html", cell=self.service.book.cells.get(place), learner=place[0], lab=place[1])
        self.finish({"html": html, "total": total})


class Map(Page):
    """/map: who is at what."""

    async def get(self) -> None:
        """The class as it stands."""
        self.teach()
        seen = await self.service.run(views.read)
        klass = self.service.settings.klass
        self.show("map.html", stand=views.class_map(klass, self.service.book, seen, now()))


class Lab(Page):
    """/labs/NN: what its checks tell."""

    async def get(self, lab: str) -> None:
        """The item analysis."""
        self.teach()
        if lab not in self.service.settings.klass.labs:
            raise Refused(404, f"this class has no lab {lab}", "go to the gradebook")
        found = await self.service.run(lambda connection: analysis.items(records.after(connection, lab=lab)))
        own = [cell for (_, number), cell in list(self.service.book.cells.items()) if number == lab]
        self.show(
            "lab.html", lab=lab, items=found, tried=len(own), passed=sum(cell.passed for cell in own),
            attempts=sum(cell.attempts for cell in own),
        )  # fmt: skip


class LearnerPage(Page):
    """/learners/ID: a learner's own work."""

    async def get(self, learner: str) -> None:
        """All labs and submissions."""
        if not self.visitor.may_see(learner):
            raise Refused(404, "there is nothing here", "see your own page")
        who, own = await self.service.run(views.of_learner, learner)
        if who is None:
            raise Refused(404, "there is nothing here", "see the gradebook")
        stand = await cluster_pages.stand(self.service, learner)
        self.show("learner.html", who=who, submissions=own, cells=self.service.book.of(learner), stand=stand)


class KitFile(Page):
    """/kit: a learner's own file, for who has come by a learning platform and was given none."""

    async def post(self) -> None:
        """A new token, as the file that `lab` reads."""
        settings, learner = self.service.settings, self.visitor.learner
        if settings.lti is None or not self.visitor.by_platform:
            raise Refused(404, "there is nothing here", "ask your teacher for a file")
        if wait := self.service.submitting.take(learner):
            raise Refused(429, "you ask too often", f"wait {math.ceil(wait)} s", wait)
        ends = (now() + _KIT).replace(microsecond=0)
        made = await self.service.run(people.hand_out, learner, ends, now())
        trusted = settings.authority.read_text("ascii") if settings.authority and settings.authority.is_file() else ""
        pem = self.service.ledger.key.public.pem
        name = f"{learner}.json"
        kit = Kit(settings.lti.address, made.token, learner, trusted, pem, made.ends.isoformat())
        self.set_header("Content-Type", "application/json")
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self.finish(spelled(kit, name, ""))


class SubmissionPage(Page):
    """/submissions/ID"""

    async def get(self, number: str) -> None:
        """One submission: where it stands, and what its checks have said."""
        found, record, checks = await self.service.run(_submission, int(number))
        if found is None or not self.visitor.may_see(found.learner):
            raise Refused(404, "there is nothing here", "see your own page")
        self.show("submission.html", one=found, record=record, checks=checks)


class Again(Page):
    """/submissions/ID/again"""

    async def post(self, number: str) -> None:
        """Let what was given up wait again."""
        self.teach()
        learner, lab = await self.service.run(teachers_api.once_more, int(number))
        self.service.moved(learner, lab)
        self.redirect("/map", status=303)


class Csv(Page):
    """/grades.csv"""

    async def get(self) -> None:
        """The gradebook as CSV."""
        self.teach()
        await teachers_api.send_csv(self)


class Records(Page):
    """/records.jsonl"""

    async def get(self) -> None:
        """The signed chain, with its end."""
        self.teach()
        await teachers_api.send_records(self)


class Live(Page):
    """/live: what has changed, as server-sent events."""

    part = "live"  # it lasts as long as the page is open
    _listener: Listener | None = None

    async def get(self) -> None:
        """Tell until the page is closed, or its session is over."""
        listeners, learner = self.service.hub.listeners, self.visitor.learner
        if learner and sum(each.learner == learner for each in listeners) >= _OPEN:
            raise Refused(429, f"{_OPEN} of your pages are open", "close some of them", 60)
        self._listener = listener = Listener(learner)
        listeners.add(listener)
        self.set_header("Content-Type", "text/event-stream")
        try:
            await self._send(": here\n\n")
            looked = time.monotonic()
            while (text := await listener.next()) is not None:
                if time.monotonic() - looked > _LOOK:
                    looked = time.monotonic()
                    if await self._visitor() is None:
                        return
                await self._send(text or ": still here\n\n")
        except (StreamClosedError, TimeoutError):
            return
        finally:
            listeners.discard(listener)

    async def _send(self, text: str) -> None:
        self.write(text)
        await asyncio.wait_for(self.flush(), 30)  # who reads no more is sent away

    def on_connection_close(self) -> None:
        """The page is gone."""
        if self._listener:
            self._listener.end()


def _submission(connection: Connection, number: int) -> tuple[Submission | None, Any, Any]:
    try:
        found = queue.one(connection, number)
    except UsageError:
        return None, None, None
    return found, *(records.told(connection, number) if found.state == GRADED else (None, None))
