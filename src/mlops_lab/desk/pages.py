"""The pages, and what their buttons post to."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tornado.template import Loader
from tornado.web import HTTPError

from mlops_lab.base.errors import LabError
from mlops_lab.desk.desk import Desk
from mlops_lab.desk.exam import Exam, TaskPlace
from mlops_lab.desk.guard import Guarded
from mlops_lab.desk.place import Place, row, told
from mlops_lab.labs.catalog import LEVELS
from mlops_lab.learner import path
from mlops_lab.learner.records import Progress

_TEMPLATES = Loader(str(Path(__file__).parent / "page" / "templates"))


class Page(Guarded):
    """A handler with the desk and templates."""

    @property
    def desk(self) -> Desk:
        """The desk of this server."""
        desk: Desk = self.settings["desk"]
        return desk

    def show(self, template: str, **values: Any) -> None:
        """Answer with a page."""
        exam = self.desk.exam.get()
        self.finish(_TEMPLATES.load(template).generate(path=self.request.path, sitting=exam, json=json, **values))

    def place(self, key: str) -> Place:
        """The place of a key.

        Raises:
            HTTPError: there is none.
        """
        found = self.desk.place(key)
        if found is None:
            raise HTTPError(404, "there is nothing here")
        return found


class Home(Page):
    """The labs, and how far each is."""

    async def get(self) -> None:
        """GET /"""
        course = await asyncio.to_thread(self.desk.course)
        self.show(
            "home.html", course=course, levels=path.levels(course), domains=path.domains(course), names=LEVELS,
            following=path.next_lab(course), new=Progress(),
            passed=sum(course.passed(each.number) for each in course.labs),
        )  # fmt: skip


class PlacePage(Page):
    """A place: text, terminal, verdicts."""

    styles = "'self' 'unsafe-inline'"  # xterm.js makes style elements of its own

    async def get(self, key: str) -> None:
        """GET /labs/04 or /exam/3"""
        place = self.place(key)
        task = place if isinstance(place, TaskPlace) else None
        now = await asyncio.to_thread(task.exam.task, task.task.number) if task else None
        left = await task.exam.left() if task else 0.0
        self.show("place.html", place=place, exam=task.exam if task else None, task=now, left=left)


class ExamPage(Page):
    """The exam's tasks; once it is graded, the score sheet."""

    async def get(self) -> None:
        """GET /exam"""
        exam = self.desk.exam.get()
        if exam is None:
            raise HTTPError(404, "no exam is running")
        sheet = await asyncio.to_thread(exam.sitting.sheet)
        if sheet is None:
            tasks = await asyncio.to_thread(exam.sitting.tasks)
            self.show("exam.html", exam=exam, tasks=tasks, left=await exam.left())
            return
        rows = {each.number: [row(one.plain(), one.trace.get("loads", ())) for one in each.results]
                for each in sheet.tasks}  # fmt: skip
        clearing = exam.grading  # what the exam had is being taken away; asked first, as that may end meanwhile
        left = exam.trouble if not await asyncio.to_thread(exam.sitting.ended) else None
        self.show("sheet.html", exam=exam, sheet=sheet, rows=rows, trouble=left, clearing=clearing)


class Submit(Page):
    """The end of an exam."""

    async def post(self) -> None:
        """POST /exam/submit"""
        exam: Exam | None = self.desk.exam.get()
        if exam is None:
            raise HTTPError(404, "no exam is running")
        exam.submit()
        await exam.look()
        self.set_status(204)


class Do(Page):
    """A button of a place."""

    async def post(self, key: str, name: str) -> None:
        """POST /labs/04/start, say; with a JSON object where the button has something to say."""
        place = self.place(key)
        try:
            given = json.loads(self.request.body or b"{}")
        except ValueError:
            given = None
        if not isinstance(given, dict):
            raise HTTPError(400, "the body is no JSON object")
        try:
            await place.act(name, given)
        except LabError as trouble:
            self.set_status(409)
            self.finish(told(trouble))
        else:
            self.set_status(204)


def prepare() -> None:
    """Read all templates, before somebody waits for a page."""
    for file in sorted((Path(__file__).parent / "page" / "templates").glob("*.html")):
        _TEMPLATES.load(file.name)
