"""Learners as the roster has them, and their tokens: random, of which the hash is kept, each with an end."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, insert, select, update

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom.roster import Learner, end_of
from mlops_lab.classroom.server.database import insert_into
from mlops_lab.classroom.server.schema import kits, learners

_NOBODY = hashlib.sha256(secrets.token_bytes(32)).hexdigest()  # is compared where there is no such token


@dataclass(frozen=True)
class Kit:
    """A learner's token that was just made; nobody can be told it again."""

    learner: str
    token: str
    ends: datetime


@dataclass(frozen=True)
class Known:
    """Who has a token, and which."""

    learner: str
    kit: str
    ends: datetime


def hashed(token: str) -> str:
    """What is kept of a token. It is random and long, so that no slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Are both the same? It takes as long whether they differ early or late."""
    return hmac.compare_digest(one.encode(), other.encode())


def enrol(connection: Connection, roster: Sequence[Learner]) -> None:
    """Bring the learners in line with the roster. Who has left it keeps what was graded; no token of theirs works.

    Who has come by a learning platform takes part without it; once the roster has the same id, it is the roster's.
    """
    there = {row.id: row for row in connection.execute(select(learners))}
    for each in roster:
        values = {"name": each.name or each.id, "email": each.email, "ends": each.ends, "gone": False, "guest": False}
        row = there.pop(each.id, None)
        if row is None:
            connection.execute(insert(learners).values(id=each.id, **values))
        elif any(getattr(row, name) != value for name, value in values.items()):
            connection.execute(update(learners).where(learners.c.id == each.id).values(**values))
    left = [name for name, row in there.items() if not row.gone and not row.guest]
    if left:
        connection.execute(update(learners).where(learners.c.id.in_(left)).values(gone=True))


def join(connection: Connection, learner: Learner) -> bool:
    """Let somebody take part whom a learning platform has sent; who is on the roster stays as that says.

    Returns:
        whether somebody is new, or has another name or address.
    """
    values = {"name": learner.name or learner.id, "email": learner.email}
    made = insert_into(connection, learners).values(id=learner.id, guest=True, **values)
    own = learners.c.guest & ((learners.c.name != values["name"]) | (learners.c.email != values["email"]))
    made = made.on_conflict_do_update(index_elements=["id"], set_=values, where=own)
    return connection.execute(made.returning(learners.c.id)).first() is not None


def is_guest(connection: Connection, learner: str) -> bool:
    """Has a learning platform sent this learner, and is the roster silent?"""
    return bool(connection.scalar(select(learners.c.guest).where(learners.c.id == learner)))


def enrolled(connection: Connection) -> list[Learner]:
    """Who takes part, whether by the roster or by a learning platform."""
    there = connection.execute(select(learners).where(~learners.c.gone).order_by(learners.c.id))
    return [Learner(row.id, row.name, row.email, row.ends) for row in there]


def everyone(connection: Connection) -> list[Row[tuple[str, str, str, bool]]]:
    """Id, name, email and gone of all learners, by name."""
    wanted = select(learners.c.id, learners.c.name, learners.c.email, learners.c.gone)
    return list(connection.execute(wanted.order_by(learners.c.name, learners.c.id)))


def hand_out(connection: Connection, learner: str, ends: datetime, now: datetime) -> Kit:
    """A new token for a learner; older ones stay.

    Raises:
        UsageError: there is no such learner, or the end is over.
    """
    if ends <= now:
        raise UsageError("the end of a kit is in the future", "name a later day")
    if connection.scalar(select(learners.c.id).where(learners.c.id == learner, ~learners.c.gone)) is None:
        raise UsageError(f"no learner {learner!r} is on the roster", "see who is: the class's gradebook")
    name, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    token = f"{name}.{secret}"
    connection.execute(insert(kits).values(id=name, learner=learner, hash=hashed(token), made=now, ends=ends))
    return Kit(learner, token, ends)


def revoke(connection: Connection, learner: str) -> int:
    """End all tokens of a learner; returns how many that were."""
    done = connection.execute(update(kits).where(kits.c.learner == learner, ~kits.c.revoked).values(revoked=True))
    return done.rowcount


def extend(connection: Connection, learner: str, ends: datetime, now: datetime) -> int:
    """Let the tokens that a learner has, and that have not been revoked, end later; returns how many these are.

    Raises:
        UsageError: the end is over.
    """
    if ends <= now:
        raise UsageError("the end of a kit is in the future", "name a later day")
    wanted = (kits.c.learner == learner) & ~kits.c.revoked & (kits.c.ends < ends)
    return connection.execute(update(kits).where(wanted).values(ends=ends)).rowcount


def known(connection: Connection, token: str, now: datetime) -> Known | None:
    """Whose token it is, if it is one that works now."""
    row = _kit(connection, token.partition(".")[0])
    right = same(hashed(token), row.hash if row is not None else _NOBODY)
    return _working(row, now) if right else None


def still(connection: Connection, kit: str, now: datetime) -> Known | None:
    """Who has the token of this name, if it still works: what a browser's session stands on."""
    return _working(_kit(connection, kit), now)


def takes_part(connection: Connection, learner: str, now: datetime) -> bool:
    """Is this learner on the roster, and not at the end?"""
    row = connection.execute(select(learners).where(learners.c.id == learner)).one_or_none()
    return row is not None and not row.gone and (row.ends is None or end_of(row.ends) > now)


def _kit(connection: Connection, name: str) -> Row[tuple[str, ...]] | None:
    wanted = select(kits, learners.c.gone, learners.c.ends.label("last")).join_from(kits, learners)
    return connection.execute(wanted.where(kits.c.id == name)).one_or_none()


def _working(row: Row[tuple[str, ...]] | None, now: datetime) -> Known | None:
    if row is None or row.revoked or row.gone:
        return None
    ends = min(row.ends, end_of(row.last)) if row.last else row.ends
    return Known(row.learner, row.id, ends) if ends > now else None
