"""What is to be graded, and in which order: by turns of learners, and never lost.

Each submission has a turn: the one after its learner's last, or that of what was taken last if this is later. The
lowest turn is taken first, and of these who has the fewest unfinished: so nobody's tenth submission stands before
another's first, however late that one comes, and nobody waits for ever. One row is locked by whoever changes this.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, tuple_, update
from sqlalchemy.sql.elements import ColumnElement

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.classroom import in_place
from mlops_lab.classroom.server.people import hashed, same
from mlops_lab.classroom.server.schema import FAILED, GRADED, GRADING, WAITING, archives, klass, learners, submissions

MOST_TRIES = 5  # in a row
MOST_WAITING = 10  # of one learner
MOST_KEPT = 256 << 20  # bytes of one learner's archives, which are all kept
_ORDER = (submissions.c.turn, submissions.c.behind, submissions.c.id)
# What is made for a try is named by its number, and may still be there: none comes twice.
_BEGIN_AGAIN = (submissions.c.tries + MOST_TRIES - 1) // MOST_TRIES * MOST_TRIES
_KEPT = 1000  # characters of what ended a try


class Full(UsageError):
    """The learner has enough that waits."""


class Stale(LabError):
    """Who asks has lost the submission: it was given back, taken by another, or graded with another result."""


@dataclass(frozen=True)
class Submission:
    """A submission as its learner sees it.

    Attributes:
        place: 1 for the next one to be graded; None where it does not wait.
        new: it was not there before.
        namespace: where it is graded in place, the learner's own; else empty.
    """

    id: int
    learner: str
    lab: str
    number: int
    sha256: str
    at: datetime
    state: str
    why: str
    place: int | None
    new: bool = False
    namespace: str = ""


@dataclass(frozen=True)
class Taken:
    """A submission that a grader has taken; the token is good for this one only."""

    id: int
    learner: str
    lab: str
    number: int
    sha256: str
    token: str
    tries: int
    namespace: str = ""


def lock(connection: Connection) -> int:
    """Wait until nobody else changes queue or chain; until the transaction's end nobody does. Returns the turn."""
    return int(connection.execute(select(klass.c.turn).with_for_update()).scalar_one())


def hand_in(
    connection: Connection, learner: str, lab: str, content: bytes, sha256: str, now: datetime
) -> Submission:  # fmt: skip
    """Put a submission into the queue; the same content of the same learner for the same lab is the same submission.

    One that could not be graded waits again.

    Raises:
        Full: the learner has too many that wait.
        UsageError: the learner's archives would be larger than all that is kept of one.
    """
    before = lock(connection)
    there = connection.execute(_rows().where(_own(learner, lab) & (submissions.c.sha256 == sha256))).one_or_none()
    if there is not None and there.state != FAILED:
        return _submission(connection, there)
    turn = _turn(connection, learner, before)
    if there is not None:
        values = {"state": WAITING, "tries": _BEGIN_AGAIN, "why": "", **turn}
        connection.execute(update(submissions).where(submissions.c.id == there.id).values(**values))
        return one(connection, there.id)
    number = _next_number(connection, learner, lab)
    return _put(connection, content, learner=learner, lab=lab, number=number, sha256=sha256, at=now, **turn)


def ask(connection: Connection, learner: str, lab: str, namespace: str, round_: int, now: datetime) -> Submission:
    """Ask for a grading of a learner's namespace as it is; one that waits or is graded now is the same submission.

    Args:
        round_: which of the learner's beginnings of the lab it is.

    Raises:
        Full, UsageError: as `hand_in`.
    """
    before = lock(connection)
    unfinished = _own(learner, lab) & submissions.c.state.in_((WAITING, GRADING))
    if (there := connection.execute(_rows().where(unfinished)).one_or_none()) is not None:
        return _submission(connection, there)
    turn, number = _turn(connection, learner, before), _next_number(connection, learner, lab)
    content = in_place.encoded(in_place.Asked(namespace, round_, number, now.isoformat()))
    sha256 = hashlib.sha256(content).hexdigest()
    return _put(
        connection, content, learner=learner, lab=lab, number=number, sha256=sha256, at=now, namespace=namespace, **turn
    )


def _own(learner: str, lab: str) -> ColumnElement[bool]:
    return (submissions.c.learner == learner) & (submissions.c.lab == lab)


def _turn(connection: Connection, learner: str, before: int) -> dict[str, int]:
    """The learner's next turn.

    Args:
        before: the turn of what was taken last.
    """
    unfinished = func.count().filter(submissions.c.state.in_((WAITING, GRADING)))
    behind = connection.execute(select(unfinished).where(submissions.c.learner == learner)).scalar_one()
    if behind >= MOST_WAITING:
        raise Full(f"{behind} submissions of yours are not graded yet", "wait until one of them is")
    ready = connection.execute(select(learners.c.turn).where(learners.c.id == learner)).scalar_one()
    turn = max(before, ready)
    connection.execute(update(learners).where(learners.c.id == learner).values(turn=turn + 1))
    return {"turn": turn, "behind": behind}


def _next_number(connection: Connection, learner: str, lab: str) -> int:
    last = select(func.coalesce(func.max(submissions.c.number), 0)).where(_own(learner, lab))
    return int(connection.execute(last).scalar_one()) + 1


def _put(connection: Connection, content: bytes, **values: Any) -> Submission:
    """A new submission, which waits."""
    sizes = select(func.coalesce(func.sum(submissions.c.size), 0)).where(submissions.c.learner == values["learner"])
    if connection.execute(sizes).scalar_one() + len(content) > MOST_KEPT:
        what = f"your submissions would be larger than {MOST_KEPT >> 20} MiB together, and all of them are kept"
        raise UsageError(what, "leave large files out of your folder; if it is too late for that, tell your teacher")
    made = connection.execute(insert(submissions).values(size=len(content), state=WAITING, **values))
    (found,) = made.inserted_primary_key or (0,)
    connection.execute(insert(archives).values(submission=found, content=content))
    return _submission(connection, connection.execute(_rows().where(submissions.c.id == found)).one(), new=True)


def one(connection: Connection, submission: int, learner: str = "") -> Submission:
    """A submission, if it is this learner's.

    Raises:
        UsageError: there is none.
    """
    row = connection.execute(_rows().where(submissions.c.id == submission)).one_or_none()
    if row is None or (learner and row.learner != learner):
        raise UsageError(f"you have no submission {submission}", "ask for one that `lab submit` has named")
    return _submission(connection, row)


def of(connection: Connection, learner: str) -> list[Submission]:
    """All of a learner's, the newest first."""
    rows = connection.execute(_rows().where(submissions.c.learner == learner).order_by(submissions.c.id.desc())).all()
    waits = any(row.state == WAITING for row in rows)
    places = {each.id: each.place for each in waiting(connection)} if waits else {}
    return [_made(row, places.get(row.id)) for row in rows]


def waiting(connection: Connection) -> list[Submission]:
    """All that wait, the next one first."""
    rows = connection.execute(_rows().where(submissions.c.state == WAITING).order_by(*_ORDER))
    return [_made(row, place) for place, row in enumerate(rows, 1)]


def in_work(connection: Connection) -> list[Row[Any]]:
    """Those that graders have: id, learner, lab, grader, taken and tries."""
    return list(
        connection.execute(select(submissions).where(submissions.c.state == GRADING).order_by(submissions.c.id))
    )


def take(connection: Connection, grader: str, checker: str, now: datetime, labs: Collection[str] = ()) -> Taken | None:
    """Give the next submission to a grader; None if there is none. No two get the same.

    Args:
        checker: the digest of the image that it will grade with.
        labs: only of these; empty: of any.
    """
    turn = lock(connection)
    wanted = select(submissions).where(submissions.c.state == WAITING).order_by(*_ORDER).limit(1)
    if labs:
        wanted = wanted.where(submissions.c.lab.in_(labs))
    row = connection.execute(wanted).one_or_none()
    if row is None:
        return None
    token = secrets.token_urlsafe(32)
    connection.execute(update(klass).values(turn=max(turn, row.turn)))
    connection.execute(
        update(submissions).where(submissions.c.id == row.id).values(
            state=GRADING, tries=row.tries + 1, hash=hashed(token), grader=grader, checker=checker, taken=now,
        )
    )  # fmt: skip
    return Taken(row.id, row.learner, row.lab, row.number, row.sha256, token, row.tries + 1, row.namespace)


def held(connection: Connection, submission: int, token: str, *, graded: bool = False) -> Row[Any]:
    """The submission that this grader has.

    Args:
        graded: it may be graded already, so that a result can be told twice.

    Raises:
        Stale: the token is not the one of whoever has it now.
    """
    row = connection.execute(select(submissions).where(submissions.c.id == submission)).one_or_none()
    states = (GRADING, GRADED) if graded else (GRADING,)
    known = same(hashed(token), row.hash if row is not None and row.hash else hashed(secrets.token_urlsafe()))
    if row is None or not known or row.state not in states:
        raise Stale("this submission is no longer yours", "end this grader: another one has it, or it is graded")
    return row


def archive(connection: Connection, submission: int) -> bytes:
    """A submission's content."""
    found: bytes = connection.execute(
        select(archives.c.content).where(archives.c.submission == submission)
    ).scalar_one()
    return found


def give_back(connection: Connection, submission: int, why: str, *, over: bool = False, tries: int = 0) -> str:
    """Let a submission wait again, in its old turn, or give it up after too many tries; returns its state then.

    It is left as it is if nobody has it.

    Args:
        over: it can't be graded, however often it is tried, such as where the namespace is another one by now.
        tries: only from who took it at this try; 0: from whoever has it.
    """
    lock(connection)
    row = connection.execute(select(submissions).where(submissions.c.id == submission)).one()
    if row.state != GRADING or tries not in (0, row.tries):
        return str(row.state)
    state = FAILED if over or row.tries % MOST_TRIES == 0 else WAITING
    connection.execute(
        update(submissions).where(submissions.c.id == submission).values(state=state, hash="", why=_text(why))
    )
    return state


def again(connection: Connection, submission: int) -> None:
    """Let a submission that was given up wait again, in its old turn."""
    lock(connection)
    wanted = (submissions.c.id == submission) & (submissions.c.state == FAILED)
    connection.execute(update(submissions).where(wanted).values(state=WAITING, tries=_BEGIN_AGAIN))


def _text(why: str) -> str:
    """What PostgreSQL takes: no halves of characters, and none of number 0."""
    return why.encode(errors="replace").decode().replace("\0", "?")[:_KEPT]


def _rows() -> Select[Any]:
    return select(submissions)


def _submission(connection: Connection, row: Row[Any], *, new: bool = False) -> Submission:
    place = None
    if row.state == WAITING:
        before: ColumnElement[bool] = tuple_(*_ORDER) < tuple_(row.turn, row.behind, row.id)
        ahead = select(func.count()).select_from(submissions).where(submissions.c.state == WAITING, before)
        place = connection.execute(ahead).scalar_one() + 1
    return _made(row, place, new=new)


def _made(row: Row[Any], place: int | None, *, new: bool = False) -> Submission:
    return Submission(
        row.id, row.learner, row.lab, row.number, row.sha256, row.at, row.state, row.why, place, new, row.namespace
    )  # fmt: skip
