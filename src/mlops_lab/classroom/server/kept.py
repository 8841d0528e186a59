"""JSON objects by kind and key, some with an end: what messages with learning platforms need kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, or_, select

from mlops_lab.classroom.server.database import insert_into
from mlops_lab.classroom.server.schema import kept
from mlops_lab.classroom.server.sessions import now

Value = Mapping[str, Any]


class Kept:
    """The table of them.

    Args:
        run: calls a function in a transaction, such as `Service.run`.
        clock: what time it is, in UTC.
    """

    def __init__(self, run: Callable[..., Awaitable[Any]], clock: Callable[[], datetime] = now) -> None:
        self._run, self._clock = run, clock

    async def put(self, kind: str, key: str, value: Value, until: datetime | None = None) -> None:
        """Keep a value, in place of the one that is there."""
        await self._run(_put, kind, key, value, until)

    async def add(self, kind: str, key: str, value: Value) -> Value:
        """Keep a value without an end unless one is there; returns the one that is there now."""
        found: Value = await self._run(_add, kind, key, value, self._clock())
        return found

    async def get(self, kind: str, key: str) -> Value | None:
        """The value of a key, if there is one."""
        found: Value | None = await self._run(_get, kind, key, self._clock())
        return found

    async def take(self, kind: str, key: str) -> Value | None:
        """Remove a value and return it. Of several who take it at once, one gets it and the others None."""
        found: Value | None = await self._run(_take, kind, key, self._clock())
        return found

    async def all(self, kind: str) -> Sequence[Value]:
        """Every value of a kind."""
        found: Sequence[Value] = await self._run(_all, kind, self._clock())
        return found

    async def tidy(self) -> None:
        """Remove what is over."""
        await self._run(_tidy, self._clock())


def _put(connection: Connection, kind: str, key: str, value: Value, until: datetime | None) -> None:
    new = {"value": msgspec.json.encode(value).decode(), "until": until}
    made = insert_into(connection, kept).values(kind=kind, key=key, **new)
    connection.execute(made.on_conflict_do_update(index_elements=["kind", "key"], set_=new))


def _add(connection: Connection, kind: str, key: str, value: Value, at: datetime) -> Value:
    connection.execute(delete(kept).where(kept.c.kind == kind, kept.c.key == key, kept.c.until <= at))
    text = msgspec.json.encode(value).decode()
    connection.execute(insert_into(connection, kept).values(kind=kind, key=key, value=text).on_conflict_do_nothing())
    return _read(
        connection.execute(select(kept.c.value).where(kept.c.kind == kind, kept.c.key == key)).scalar_one()
    )  # fmt: skip


def _get(connection: Connection, kind: str, key: str, at: datetime) -> Value | None:
    there = or_(kept.c.until.is_(None), kept.c.until > at)
    found = connection.scalar(select(kept.c.value).where(kept.c.kind == kind, kept.c.key == key, there))
    return None if found is None else _read(found)


def _take(connection: Connection, kind: str, key: str, at: datetime) -> Value | None:
    gone = delete(kept).where(kept.c.kind == kind, kept.c.key == key).returning(kept.c.value, kept.c.until)
    row = connection.execute(gone).one_or_none()
    return _read(row.value) if row is not None and (row.until is None or row.until > at) else None


def _all(connection: Connection, kind: str, at: datetime) -> list[Value]:
    there = or_(kept.c.until.is_(None), kept.c.until > at)
    rows = connection.scalars(select(kept.c.value).where(kept.c.kind == kind, there).order_by(kept.c.key))
    return [_read(text) for text in rows]


def _tidy(connection: Connection, at: datetime) -> None:
    connection.execute(delete(kept).where(kept.c.until <= at))


def _read(text: str) -> Value:
    return msgspec.json.decode(text, type=dict[str, Any])
