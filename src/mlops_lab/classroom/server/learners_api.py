"""What learners' `lab` asks: hand in, and what became of it. Nobody is told anything of another."""

from __future__ import annotations

import contextlib
import hashlib
import math
from typing import Any

from sqlalchemy import Connection, select
from tornado.web import stream_request_body

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom import packing
from mlops_lab.classroom.server import queue, records
from mlops_lab.classroom.server.handling import Api, OfLearner, Refused
from mlops_lab.classroom.server.labs_api import grade_in_place
from mlops_lab.classroom.server.queue import Submission
from mlops_lab.classroom.server.schema import FAILED, GRADED, WAITING, learners
from mlops_lab.classroom.server.sessions import now

_UPLOADS = 2  # of one learner at once
_ALL_UPLOADS = 64
_LARGE = 1 << 20  # bytes of an archive, above which one is looked at after the other


@stream_request_body
class Submissions(OfLearner):
    """POST /api/v1/submissions?lab=10, with the archive; with nothing, where the lab is graded in place."""

    largest = packing.LARGEST
    _counted = False

    async def allow(self) -> None:
        await super().allow()
        self.lab = self.get_query_argument("lab", "")
        klass = self.service.settings.klass
        if why := klass.others.get(self.lab):
            wrong = f"lab {self.lab} is not graded by what is handed in: {why}"
            raise Refused(409, wrong, f"see by yourself how you stand: lab check {self.lab}")
        if self.lab not in klass.labs:
            there = ", ".join(klass.labs)
            raise Refused(404, f"this class has no lab {self.lab[:20]!r}", f"its labs are {there}")
        if self.request.method != "POST":
            return
        learner, uploads = self.known.learner, self.service.uploads
        if wait := self.service.submitting.take(learner):
            raise Refused(429, "you hand in too often", f"wait {math.ceil(wait)} s", wait)
        if uploads.get(learner, 0) >= _UPLOADS:
            raise Refused(429, f"{_UPLOADS} of your submissions are being sent", "wait until one of them is there", 5)
        if sum(uploads.values()) >= _ALL_UPLOADS:
            raise Refused(503, "others are sending", "try again in a moment", 5)
        uploads[learner] = uploads.get(learner, 0) + 1
        self._counted = True

    async def post(self) -> None:
        """Hand in."""
        if self.lab in self.service.settings.klass.in_place:
            await self._ask()
            return
        # Looking at a large archive takes several times its size.
        async with self.service.large if self.size > _LARGE else contextlib.nullcontext():
            await self._hand_in(self.body())

    async def _ask(self) -> None:
        if self.size:
            raise Refused(400, f"lab {self.lab} is graded in place: it has no files to send", "use a newer lab")
        found = await grade_in_place(self.service, self.known.learner, self.lab)
        self.give(_plain(found), 201 if found.new else 200)

    async def _hand_in(self, content: bytes) -> None:
        sha256 = await self.service.work(_looked_at, content)
        said = self.request.headers.get("X-Content-SHA256", sha256)
        if said.lower() != sha256:
            raise Refused(400, "the archive has changed on its way", "send it again")
        learner = self.known.learner
        found = await self.service.run(queue.hand_in, learner, self.lab, content, sha256, now())
        if found.state == WAITING:
            self.service.moved(learner, self.lab)
        self.give(_plain(found), 201 if found.new else 200)

    def on_finish(self) -> None:
        super().on_finish()
        self._leave()

    def on_connection_close(self) -> None:
        """The sender has gone."""
        super().on_connection_close()
        self._leave()

    def _leave(self) -> None:
        if self._counted:
            self._counted, uploads = False, self.service.uploads
            uploads[self.known.learner] -= 1
            if not uploads[self.known.learner]:
                del uploads[self.known.learner]


@stream_request_body
class OneSubmission(OfLearner):
    """GET /api/v1/submissions/ID"""

    async def get(self, number: str) -> None:
        """How it stands, and once it is graded, its result."""
        if len(number) > 15:
            raise Refused(404, "you have no such submission", "ask for one that `lab submit` has named")
        found = await self.service.run(_one, int(number), self.known.learner)
        if found is None:
            raise Refused(404, f"you have no submission {number}", "ask for one that `lab submit` has named")
        self.give(found)


@stream_request_body
class Me(OfLearner):
    """GET /api/v1/me"""

    async def get(self) -> None:
        """Who you are here, and how you stand."""
        name = await self.service.run(_name, self.known.learner)
        own = self.service.book.of(self.known.learner)
        klass = self.service.settings.klass
        labs = [
            {
                "lab": lab, "title": title, "due": klass.due.get(lab),
                "attempts": own[lab].attempts if lab in own else 0,
                "points": own[lab].points if lab in own else None,
                "possible": own[lab].possible if lab in own else None, "passed": lab in own and own[lab].passed,
                "late": lab in own and own[lab].late,
            }
            for lab, title in klass.labs.items()
        ]  # fmt: skip
        self.give(
            {"class": klass.name, "learner": self.known.learner, "name": name, "ends": self.known.ends, "labs": labs}
        )


@stream_request_body
class PublicKey(Api):
    """GET /api/v1/key"""

    async def get(self) -> None:
        """The key that records are verified with; everybody may have it."""
        self.set_header("Content-Type", "application/x-pem-file")
        self.finish(self.service.ledger.key.public.pem)


def _looked_at(content: bytes) -> str:
    try:
        packing.files(content)
    except packing.Refused as wrong:
        raise Refused(400, f"this is no archive of a workspace: {wrong}", "hand in with lab submit") from wrong
    return hashlib.sha256(content).hexdigest()


def _plain(found: Submission) -> dict[str, Any]:
    return {
        "submission": found.id, "lab": found.lab, "number": found.number, "state": found.state, "at": found.at,
        "place": found.place or 0, "why": found.why if found.state == FAILED else "",
    }  # fmt: skip


def _one(connection: Connection, submission: int, learner: str) -> dict[str, Any] | None:
    try:
        found = queue.one(connection, submission, learner)
    except UsageError:
        return None
    answer = _plain(found)
    if found.state == GRADED:
        record, report = records.told(connection, submission)
        answer["result"] = {"points": record.points, "possible": record.possible, "at": record.at, "checks": report}
    return answer


def _name(connection: Connection, learner: str) -> str:
    return str(connection.execute(select(learners.c.name).where(learners.c.id == learner)).scalar_one())
