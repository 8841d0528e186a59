"""The schema of MLflow's database at a server's start, and the copies that lead back when an update fails.

A server that finds an older schema copies the database, then brings it up to date. A server that finds a schema that it
does not know is the older one, started again after an update that failed: it puts the newer database aside and goes on
with the copy of its own schema. All of that happens inside PostgreSQL, by names beside the database's own:

    NAME_at_REVISION_TIME     a copy, whole: one for each revision, and the newest ones only
    NAME_aside_REVISION_TIME  a newer database that an older server has put aside; nothing here ever deletes it

What decides is in `settle` and knows nothing of PostgreSQL; `Postgres` carries it out.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

_STEM = 28  # bytes of a name, of the 63 that PostgreSQL takes; the rest is for what is put behind it


class Databases(Protocol):
    """The database, and the others beside it."""

    name: str

    def names(self) -> list[str]:
        """Of all databases."""

    def copy(self, name: str) -> None:
        """Make a copy of the database, whole or not at all."""

    def exchange(self, aside: str, back: str) -> None:
        """Rename the database to `aside`, and the one called `back` to the database's name; both or neither."""

    def drop(self, name: str) -> None:
        """Delete a copy."""


@dataclass(frozen=True)
class Schema:
    """What this MLflow knows of schemas.

    Args:
        head: the revision that it works with.
        known: the revisions that it can bring up to date, its own too.
        version: of MLflow, for messages.
    """

    head: str
    known: Collection[str]
    version: str


def settle(found: str, schema: Schema, databases: Databases, upgrade: Callable[[], None], copies: int) -> None:
    """Have the database at the schema that this MLflow works with.

    Args:
        found: the revision that it has; empty where it has no tables yet, which MLflow then makes itself.
        upgrade: brings it up to date.
        copies: how many are kept; 0: none is made, and there is no way back.

    Raises:
        SystemExit: the schema is a newer one, and there is no copy of this MLflow's own.
    """
    if found in ("", schema.head):
        return
    if found in schema.known:
        if copies:
            keep(found, databases, copies)
        say(f"bringing the database's schema from {found} up to {schema.head}")
        upgrade()
        return
    newer = (
        f"the database has schema {found}, which MLflow {schema.version} does not know: a newer MLflow has written it"
    )
    kept = {revision: name for _, revision, name in copied(databases)} if copies else {}
    if schema.head not in kept:
        sys.exit(
            f"{newer}, and there is no copy of schema {schema.head} to go back to. "
            "Start the newer MLflow again, or restore a dump of your own"
        )
    back, aside = kept[schema.head], called(databases.name, "aside", found)
    say(f"{newer}. Going back to the copy {back}, made before the update")
    databases.exchange(aside, back)
    say(f"what was logged since is in database {aside}, which stays until you drop it")


def keep(revision: str, databases: Databases, copies: int) -> None:
    """Copy the database, and drop copies: older ones of this revision, and all but the newest."""
    name = called(databases.name, "at", revision)
    say(f"copying the database to {name} before its schema changes")
    databases.copy(name)
    there = copied(databases)
    wanted = [each for _, _, each in there if each == newest(there, each)][-copies:]
    for _, _, each in there:
        if each not in wanted:
            say(f"dropping the older copy {each}")
            databases.drop(each)


def copied(databases: Databases) -> list[tuple[str, str, str]]:
    """Time, revision and name of the copies, oldest first."""
    name = re.compile(rf"{re.escape(stem(databases.name))}_at_([0-9a-z]+)_(\d{{14}})")
    found = [(match[2], match[1], each) for each in databases.names() if (match := name.fullmatch(each))]
    return sorted(found)


def newest(there: list[tuple[str, str, str]], name: str) -> str:
    """The newest copy of the revision that a copy has."""
    (revision,) = (revision for _, revision, each in there if each == name)
    return [each for _, other, each in there if other == revision][-1]


def called(database: str, what: str, revision: str) -> str:
    """A name beside the database's own."""
    return f"{stem(database)}_{what}_{revision}_{time.strftime('%Y%m%d%H%M%S', time.gmtime())}"


def stem(database: str) -> str:
    """The database's name, cut to what fits, and then still like no other's."""
    if len(database.encode()) <= _STEM:
        return database
    return f"{database[:7]}_{hashlib.sha256(database.encode()).hexdigest()[:16]}"


def say(text: str) -> None:
    """A line of the server's log."""
    print(text, file=sys.stderr, flush=True)


class Postgres:
    """Databases of a PostgreSQL server, as their owner, who may create databases.

    Args:
        uri: of the database; its own connections must be closed while one of these calls runs.
        arguments: for connections.
    """

    def __init__(self, uri: str, arguments: dict[str, Any]) -> None:
        import sqlalchemy

        url = sqlalchemy.make_url(uri)
        self.name = str(url.database)
        # A database can be neither copied nor renamed from inside.
        self._engine = sqlalchemy.create_engine(
            url.set(database="postgres"), connect_args=arguments, poolclass=sqlalchemy.pool.NullPool
        )

    def names(self) -> list[str]:
        with self._engine.connect() as connection:
            return [str(row[0]) for row in connection.exec_driver_sql("SELECT datname FROM pg_database")]

    def copy(self, name: str) -> None:
        self._alone(f"CREATE DATABASE {self._quoted(name)} TEMPLATE {self._quoted(self.name)}")

    def exchange(self, aside: str, back: str) -> None:
        with self._engine.begin() as connection:
            for old, new in ((self.name, aside), (back, self.name)):
                connection.exec_driver_sql(f"ALTER DATABASE {self._quoted(old)} RENAME TO {self._quoted(new)}")

    def drop(self, name: str) -> None:
        self._alone(f"DROP DATABASE {self._quoted(name)}")

    def _alone(self, statement: str) -> None:
        """A statement that no transaction may hold."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)

    def _quoted(self, name: str) -> str:
        return str(self._engine.dialect.identifier_preparer.quote_identifier(name)).replace("%", "%%")
