"""What graders ask, at the address inside: take a submission, its archive, and tell what became of it.

Whoever starts graders has one token, and takes; each grader has that of its own submission, until that is graded or
given back.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection
from tornado.web import stream_request_body

from mlops_lab.classroom import in_place
from mlops_lab.classroom.server import looked, people, queue
from mlops_lab.classroom.server.handling import Api, OfOne, Refused
from mlops_lab.classroom.server.outcome import Outcome
from mlops_lab.classroom.server.records import Broken, NoResult
from mlops_lab.classroom.server.schema import GRADED, submissions
from mlops_lab.classroom.server.sessions import now


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    grader: str
    checker: str
    labs: list[str] = []


class _Back(msgspec.Struct, forbid_unknown_fields=True):
    why: str
    tries: int = 0
    over: bool = False


@stream_request_body
class Take(OfOne):
    """POST /internal/take, with {"grader", "checker", "labs"}"""

    part = "grader"

    def token(self) -> str:
        return self.service.settings.grader

    async def post(self) -> None:
        """The next submission with its token; 204 if none waits."""
        wanted: _Wanted = self.json(_Wanted)
        if self.service.broken:
            raise Broken(self.service.broken, "restore the database")
        taken = await self.service.run(queue.take, wanted.grader, wanted.checker, now(), wanted.labs)
        if taken is None:
            self.set_status(204)
            self.finish()
            return
        self.service.heard(taken.id)
        self.service.moved(taken.learner, taken.lab)
        self.give(
            {"submission": taken.id, "learner": taken.learner, "lab": taken.lab, "number": taken.number,
             "sha256": taken.sha256, "token": taken.token, "tries": taken.tries, "namespace": taken.namespace}
        )  # fmt: skip


class _OwnSubmission(Api):
    part = "grader"

    async def allow(self) -> None:
        """The token is looked at together with the submission; that there is one, here."""
        if not self.bearer():
            raise Refused(401, "there is no token", "send the one that the submission came with")


@stream_request_body
class Back(_OwnSubmission):
    """POST /internal/submissions/ID/back, with {"why", "tries", "over"}; also with the token of who starts graders"""

    async def post(self, number: str) -> None:
        """It waits again: its grader has died, or can't go on; or it is given up, where it is `over`."""
        given: _Back = self.json(_Back)
        token = self.bearer()
        own = None if people.same(token, self.service.settings.grader) else token
        state, learner, lab = await self.service.run(_back, int(number), own, given)
        self.service.moved(learner, lab)
        self.give({"state": state})


@stream_request_body
class Archive(_OwnSubmission):
    """GET /internal/submissions/ID/archive"""

    async def get(self, number: str) -> None:
        """What the learner handed in."""
        content, sha256 = await self.service.run(_archive, int(number), self.bearer())
        self.service.heard(int(number))
        self.set_header("Content-Type", "application/x-tar")
        self.set_header("X-Content-SHA256", sha256)
        self.finish(content)


@stream_request_body
class Looked(_OwnSubmission):
    """POST /internal/submissions/ID/looked, with the list of what is looked at in place"""

    largest = in_place.LARGEST

    async def post(self, number: str) -> None:
        """It is kept where else the archive is; the answer has its sha256."""
        sha256 = await self.service.run(looked.look, int(number), self.bearer(), self.body())
        self.service.heard(int(number))
        self.give({"sha256": sha256})


@stream_request_body
class Alive(_OwnSubmission):
    """POST /internal/submissions/ID/alive"""

    async def post(self, number: str) -> None:
        """The grader still works on it; to be said every half minute."""
        await self.service.run(queue.held, int(number), self.bearer())
        self.service.heard(int(number))
        self.set_status(204)
        self.finish()


@stream_request_body
class Result(_OwnSubmission):
    """POST /internal/submissions/ID/result"""

    largest = 4 << 20  # what `grader.outcome` leaves of twenty checks, whatever it is

    async def post(self, number: str) -> None:
        """What its checks have said; the answer has the record's place in the chain."""
        outcome: Outcome = self.json(Outcome)
        if self.service.broken:
            raise Broken(self.service.broken, "restore the database")
        ledger = self.service.ledger
        found = await self.service.run(ledger.append, int(number), self.bearer(), outcome, now())
        if isinstance(found, NoResult):
            self.service.moved(found.learner, found.lab)
            self.give({"state": found.state})
            return
        await self.service.graded()
        self.give({"state": GRADED, "sequence": found.sequence, "points": found.points}, 201)


def _back(connection: Connection, submission: int, own: str | None, given: _Back) -> tuple[str, str, str]:
    """Give it back, for a grader with its submission's own token; None: for who starts graders."""
    queue.lock(connection)
    if own is not None:
        row = queue.held(connection, submission, own)
    else:
        found = connection.execute(submissions.select().where(submissions.c.id == submission)).one_or_none()
        if found is None:
            raise Refused(404, f"there is no submission {submission}", "name one that was taken")
        row = found
    if given.tries and given.tries != row.tries:
        raise queue.Stale("another grader has it by now", "there is nothing to give back")
    return queue.give_back(connection, submission, given.why, over=given.over), row.learner, row.lab


def _archive(connection: Connection, submission: int, token: str) -> tuple[bytes, str]:
    row = queue.held(connection, submission, token)
    return queue.archive(connection, submission), row.sha256
