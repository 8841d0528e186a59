"""The server's state: one SQLite file on the volume, written in short transactions.

A commit survives the end of this process at any moment. The file holds what tokens are signed with, so it is this
user's alone, in a folder of its own: the volume's may be open to all (on a kind cluster it is). Times are kept as text
(RFC 3339, UTC, milliseconds), which sorts as it should; what is never searched for is kept as JSON.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NAME = "pipelines.db"
_SCHEMA = """
create table if not exists kv (key text primary key, value text not null);
create table if not exists experiments (
  id text primary key, name text not null unique, description text not null, created text not null,
  storage text not null default 'AVAILABLE', last_run text not null default '');
create table if not exists pipelines (
  id text primary key, name text not null unique, display text not null, description text not null,
  created text not null, tags text not null);
create table if not exists versions (
  id text primary key, pipeline text not null references pipelines on delete cascade, name text not null,
  display text not null, description text not null, created text not null, spec text not null, url text not null,
  tags text not null, unique (pipeline, name));
-- `root` of runs and recurring runs is always empty: the column is an older server's.
create table if not exists runs (
  id text primary key, name text not null, description text not null, experiment text not null, storage text not null,
  pipeline text not null, version text not null, spec text not null, parameters text not null, root text not null,
  account text not null, created text not null, scheduled text not null, finished text not null default '',
  state text not null, error text not null default '', recurring text not null, history text not null,
  outputs text not null default '{}',
  -- Its driver: the number of the present one, whether its pod was made, when it last said something, why the one
  -- before it was given up, and how often the run was retried.
  generation integer not null default 0, made integer not null default 0, seen text not null default '',
  trouble text not null default '', lives integer not null default 0, round integer not null default 0);
create index if not exists runs_by_state on runs (state);
create index if not exists runs_by_experiment on runs (experiment, created);
create index if not exists runs_by_created on runs (storage, created, id);
create table if not exists recurring (
  id text primary key, name text not null, description text not null, experiment text not null, pipeline text not null,
  version text not null, spec text not null, parameters text not null, root text not null, account text not null,
  created text not null, updated text not null, trigger text not null, status text not null,
  concurrency integer not null, catchup integer not null, next text not null, started integer not null default 0);
create table if not exists tasks (
  id text primary key, run text not null references runs on delete cascade, path text not null, name text not null,
  parent text not null, kind text not null, state text not null, created text not null,
  started text not null default '', finished text not null default '', error text not null default '',
  history text not null, inputs text not null, outputs text not null default '{}',
  cached integer not null default 0, unique (run, path));
create table if not exists attempts (
  id text primary key, task text not null references tasks on delete cascade, run text not null,
  number integer not null, pod text not null, state text not null, wanted text not null, created text not null,
  began text not null default '', ended text not null default '', error text not null default '',
  trouble text not null default '', result text not null default '', logged integer not null default 0,
  unique (task, number));
create index if not exists attempts_by_state on attempts (state);
create index if not exists attempts_by_run on attempts (run);
create table if not exists artifacts (
  id text primary key, run text not null references runs on delete cascade, task text not null, name text not null,
  type text not null, uri text not null, metadata text not null, created text not null);
create index if not exists artifacts_by_run on artifacts (run);
create index if not exists artifacts_by_uri on artifacts (uri);
create index if not exists artifacts_by_task on artifacts (task);
create table if not exists warnings (
  run text not null references runs on delete cascade, text text not null, unique (run, text));
create table if not exists cache (key text primary key, outputs text not null, created text not null);
"""


class Store:
    """The database of one server; safe to use from several threads.

    Raises:
        BlockingIOError: another server has this folder.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # Held as long as the process lives: two servers on one volume would run everything twice.
        self._lock_file = (folder / "lock").open("w")
        fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file = _file(folder)
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._lock = threading.RLock()
        # Where the power is lost, the last seconds may be too; each pod's name then says that it has been made already.
        self._db.executescript("pragma journal_mode=wal; pragma synchronous=normal; pragma foreign_keys=on;")
        self._db.executescript(_SCHEMA)
        with self.write() as db:
            db.execute("insert or ignore into kv values ('secret', ?)", (secrets.token_hex(32),))
        self.secret = str(self.value("select value from kv where key = 'secret'")).encode()

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is kept, or nothing."""
        with self._lock:
            if self._db.in_transaction:  # part of a larger one
                yield self._db
                return
            self._db.execute("begin immediate")
            try:
                yield self._db
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def rows(self, sql: str, *args: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock:
            return self._db.execute(sql, args).fetchall()

    def row(self, sql: str, *args: Any) -> sqlite3.Row | None:
        """The first row of a query, if any."""
        with self._lock:
            found: sqlite3.Row | None = self._db.execute(sql, args).fetchone()
        return found

    def value(self, sql: str, *args: Any) -> Any:
        """The first column of the first row; None if there is no row."""
        row = self.row(sql, *args)
        return row[0] if row else None

    def insert(self, table: str, **columns: Any) -> None:
        """Add a row; columns that are no plain value are kept as JSON."""
        with self.write() as db:
            names, marks = ", ".join(columns), ", ".join("?" * len(columns))
            db.execute(f"insert into {table} ({names}) values ({marks})", [_plain(value) for value in columns.values()])

    def update(self, table: str, key: str, **columns: Any) -> None:
        """Change columns of the row with that id."""
        with self.write() as db:
            names = ", ".join(f"{name} = ?" for name in columns)
            db.execute(f"update {table} set {names} where id = ?", [*map(_plain, columns.values()), key])

    def close(self) -> None:
        """Close the file; the next server may have it."""
        with self._lock:
            self._db.close()
            self._lock_file.close()


def private(folder: Path) -> Path:
    """Have a folder that nobody but this user gets into, whatever it was before."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def _file(folder: Path) -> Path:
    """The database's file, for this user alone; SQLite gives what lies beside it the same mode."""
    file, older = private(folder / "database") / _NAME, folder / _NAME
    if older.is_file() and not file.exists():  # of a server that had it in the volume's root
        with contextlib.closing(sqlite3.connect(older)) as db:
            db.execute("pragma wal_checkpoint(truncate)")
        older.replace(file)
        older.symlink_to(file.relative_to(folder))  # for that server, should helm roll back to it
    file.touch(mode=0o600)
    for each in file.parent.iterdir():
        each.chmod(0o600)
    return file


def now() -> str:
    """This moment as the API writes it."""
    return stamp(datetime.datetime.now(datetime.UTC))


def stamp(moment: datetime.datetime) -> str:
    """A moment as text that sorts by time."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime.datetime:
    """The reverse of `stamp`; any RFC 3339 time will do.

    Raises:
        ValueError: it is no such time.
    """
    read = datetime.datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=datetime.UTC)


def age(text: str) -> float:
    """Seconds since a moment."""
    return (datetime.datetime.now(datetime.UTC) - moment(text)).total_seconds()


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float)) else json.dumps(value)
