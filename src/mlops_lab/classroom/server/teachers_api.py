"""What the teacher's `lab class` asks, with the teacher's token."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec
from sqlalchemy import Connection
from tornado.web import stream_request_body

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom import roster
from mlops_lab.classroom.server import exports, people, queue, views
from mlops_lab.classroom.server.handling import OfOne, Refused
from mlops_lab.classroom.server.records import Ledger
from mlops_lab.classroom.server.schema import FAILED, WAITING
from mlops_lab.classroom.server.sessions import now

_IN_MEMORY, _PORTION = 4 << 20, 1 << 20  # bytes of an export that are held at once, and sent


class _Kit(msgspec.Struct, forbid_unknown_fields=True):
    learner: str
    ends: datetime

    @property
    def end(self) -> datetime:
        return self.ends if self.ends.tzinfo else self.ends.replace(tzinfo=UTC)


class _Learner(msgspec.Struct, forbid_unknown_fields=True):
    learner: str


class _Teaching(OfOne):
    part = "teacher"

    def token(self) -> str:
        return self.service.settings.teacher


@stream_request_body
class Kits(_Teaching):
    """POST /api/v1/kits, with {"learner", "ends"}"""

    async def post(self) -> None:
        """A new token, which is told this once."""
        wanted: _Kit = self.json(_Kit)
        made = await self.service.run(people.hand_out, wanted.learner, wanted.end, now())
        self.give({"learner": made.learner, "token": made.token, "ends": made.ends}, 201)


@stream_request_body
class Extend(_Teaching):
    """POST /api/v1/kits/extend, with {"learner", "ends"}"""

    async def post(self) -> None:
        """The tokens that a learner has end later."""
        wanted: _Kit = self.json(_Kit)
        self.give({"kits": await self.service.run(people.extend, wanted.learner, wanted.end, now())})


@stream_request_body
class Revoke(_Teaching):
    """POST /api/v1/kits/revoke, with {"learner"}"""

    async def post(self) -> None:
        """The tokens that a learner has end now."""
        wanted: _Learner = self.json(_Learner)
        self.give({"kits": await self.service.run(people.revoke, wanted.learner)})


@stream_request_body
class Roster(_Teaching):
    """PUT /api/v1/roster, with a CSV; where the server has no file of it"""

    largest = 1 << 20

    async def put(self) -> None:
        """Who takes part from now on."""
        if self.service.settings.roster:
            raise Refused(409, "the server has a roster file", f"change that one: {self.service.settings.roster}")
        with tempfile.NamedTemporaryFile(suffix=".csv") as file:
            file.write(self.body())
            file.flush()
            try:
                learners = roster.read(Path(file.name))
            except UsageError as wrong:
                raise UsageError(wrong.message.replace(file.name, "roster"), wrong.hint) from wrong
        await self.service.run(people.enrol, learners)
        self.service.hub.tell("roster")
        self.give({"learners": len(learners)})


@stream_request_body
class Grades(_Teaching):
    """GET /api/v1/grades"""

    async def get(self) -> None:
        """Learners and what they have for each lab."""
        learners = await self.service.run(people.everyone)
        self.give(exports.plain(self.service.settings.klass, self.service.book, learners))


@stream_request_body
class GradesCsv(_Teaching):
    """GET /api/v1/grades.csv, with ?form=long for a line per learner and lab"""

    async def get(self) -> None:
        """The same as CSV."""
        await send_csv(self)


@stream_request_body
class Records(_Teaching):
    """GET /api/v1/records.jsonl"""

    async def get(self) -> None:
        """The signed chain, with its end."""
        await send_records(self)


@stream_request_body
class Status(_Teaching):
    """GET /api/v1/status"""

    async def get(self) -> None:
        """How the class stands, as the map has it."""
        seen = await self.service.run(views.read)
        stand = views.class_map(self.service.settings.klass, self.service.book, seen, now())
        self.give({"class": self.service.settings.klass.name, "broken": self.service.broken, **stand.plain()})


@stream_request_body
class Again(_Teaching):
    """POST /api/v1/submissions/ID/again"""

    async def post(self, number: str) -> None:
        """What was given up waits again."""
        learner, lab = await self.service.run(once_more, int(number))
        self.service.moved(learner, lab)
        self.give({"state": WAITING})


def once_more(connection: Connection, submission: int) -> tuple[str, str]:
    """Let a submission that was given up wait again; returns learner and lab.

    Raises:
        UsageError: it was not given up, or there is none.
    """
    found = queue.one(connection, submission)
    if found.state != FAILED:
        raise UsageError(f"submission {submission} is {found.state}", "only one that was given up can be tried again")
    if found.namespace:  # two of the same lab would be in each other's way
        what = f"submission {submission} was to be graded in place, and there may be something else by now"
        raise UsageError(what, f"the learner hands in again: lab submit {found.lab}")
    queue.again(connection, submission)
    return found.learner, found.lab


async def send_csv(handler: Any) -> None:
    """Answer with the gradebook as CSV."""
    service = handler.service
    learners = await service.run(people.everyone)
    form = exports.long if handler.get_query_argument("form", "") == "long" else exports.wide
    text = await service.work(form, service.settings.klass, service.book, learners)
    handler.set_header("Content-Type", "text/csv; charset=utf-8")
    handler.set_header("Content-Disposition", 'attachment; filename="grades.csv"')
    handler.finish(text.encode("utf-8-sig"))  # Excel takes it for UTF-8 by this mark


async def send_records(handler: Any) -> None:
    """Answer with the chain."""
    service = handler.service
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:  # whole before the first byte is sent
        await service.run(_write_records, service.ledger, file)
        file.seek(0)
        handler.set_header("Content-Type", "application/jsonl; charset=utf-8")
        handler.set_header("Content-Disposition", 'attachment; filename="records.jsonl"')
        while portion := file.read(_PORTION):
            handler.write(portion)
            await handler.flush()
    handler.finish()


def _write_records(connection: Connection, ledger: Ledger, file: IO[bytes]) -> None:
    for line in ledger.export(connection):
        file.write(line.encode())  # `writelines` would hold all of them in memory
