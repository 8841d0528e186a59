"""The database: one transaction at a time per thread, and what is said while it is away.

Every call of the store is one transaction, whole or not at all. A database that does not answer is `Away`, which pages
and programs get as status 503 with Retry-After; after it, for a moment nobody asks again, so that no request waits.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.server import migrations

CONNECTIONS = 8
RETRY = 5  # s after which a client may ask again
_REST = 1.0  # s in which nobody asks a database that has just not answered
_READ_ONLY = "25006"  # PostgreSQL's code for a change in a transaction that may only read
_SQLITE_WAIT = 10  # s for another's transaction
_POSTGRES = {
    "connect_timeout": 3,
    # A database that has gone without a word, behind a network that drops packets.
    "tcp_user_timeout": 8000, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2,
    "options": "-c statement_timeout=15000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=30000 "
    "-c timezone=UTC",  # times come back in it
}  # fmt: skip


class Away(LabError):
    """The database does not answer."""

    def __init__(self, says: str = "") -> None:
        super().__init__(
            "the class's database does not answer",
            f"try again in {RETRY} s; nothing is taken twice",
            says,
            transient=True,
        )


class Database:
    """A PostgreSQL database, or for trials and tests a file of SQLite.

    Args:
        url: as SQLAlchemy has it, such as `postgresql+psycopg://user@host/class`.
    """

    def __init__(self, url: str) -> None:
        parts = make_url(url)
        more: dict[str, Any]
        if parts.get_backend_name() == "sqlite":
            more = {"connect_args": {"timeout": _SQLITE_WAIT, "check_same_thread": False}}
        else:
            more = {"connect_args": _POSTGRES, "pool_pre_ping": True, "pool_timeout": 5, "max_overflow": 0}
        self._engine = create_engine(parts, pool_size=CONNECTIONS, hide_parameters=True, **more)
        self._lock = threading.Lock()
        self._rests_until = 0.0
        if parts.get_backend_name() == "sqlite":
            event.listen(self._engine, "connect", _own_transactions)
            event.listen(self._engine, "begin", _begin_to_write)

    @property
    def is_away(self) -> bool:
        """Has it not answered a moment ago?"""
        return time.monotonic() < self._rests_until

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction; an error in the block undoes all of it.

        Raises:
            Away: it does not answer.
        """
        if self.is_away:
            raise Away
        try:
            with self._engine.begin() as connection:
                yield connection
        except NoConnection as trouble:
            raise Away(str(trouble)) from trouble  # all are busy: it is slow, and may answer the next
        except (OperationalError, InterfaceError) as trouble:
            raise self._gone(trouble) from trouble
        except DBAPIError as trouble:
            if _only_reads(trouble):
                self._engine.dispose()  # another one may have its place by now: the next connection may lead there
            elif not trouble.connection_invalidated:
                raise
            raise self._gone(trouble) from trouble

    def settle(self) -> None:
        """Bring its schema up to date.

        Raises:
            Away: it does not answer.
            LabError: a newer server has made its schema.
        """
        with self.transaction() as connection:
            migrations.settle(connection)

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    def _gone(self, trouble: DBAPIError) -> Away:
        with self._lock:
            self._rests_until = time.monotonic() + _REST
        return Away(" ".join(str(trouble.orig).split()))


def insert_into(connection: Connection, table: Table) -> Any:
    """An insert that can say what becomes of a row that is there already."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def _only_reads(trouble: DBAPIError) -> bool:
    """Does a PostgreSQL take no changes, as one behind another primary, or at a provider that has stopped writes?"""
    return getattr(trouble.orig, "sqlstate", None) == _READ_ONLY


def _own_transactions(connection: sqlite3.Connection, _: object) -> None:
    """Leave transactions to SQLAlchemy, as its documentation of SQLite says."""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _begin_to_write(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
