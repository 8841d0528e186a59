"""The learner's records: labs started, attempts with their verdicts, hints taken, solutions revealed.

One SQLite file in write-ahead mode: several `lab` commands may read and write it at once.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import state

if TYPE_CHECKING:
    from mlops_lab.checks.verdicts import Result

_SCHEMA = """
CREATE TABLE IF NOT EXISTS started (lab TEXT PRIMARY KEY, at TEXT NOT NULL, workspace TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY, lab TEXT NOT NULL, at TEXT NOT NULL, whole INTEGER NOT NULL, passed INTEGER NOT NULL,
    points INTEGER NOT NULL, possible INTEGER NOT NULL, results TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS attempts_by_lab ON attempts (lab);
CREATE TABLE IF NOT EXISTS hints (lab TEXT PRIMARY KEY, taken INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS revealed (
    id INTEGER PRIMARY KEY, lab TEXT NOT NULL, at TEXT NOT NULL, passed_before INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS traces (
    lab TEXT NOT NULL, name TEXT NOT NULL, trace TEXT NOT NULL, PRIMARY KEY (lab, name));
"""
T = TypeVar("T")
_VERSION = 2  # of the schema; every table of an older one is as it was
# Seconds that one command waits for another's write.
_PATIENCE = 10.0
_ASK_EVERY = 0.05  # s, while it does


@dataclass(frozen=True)
class Progress:
    """A learner's progress in a lab.

    Attributes:
        state: `new`, `started`, `tried` or `passed`.
        best, possible: points of the best whole attempt and what they are out of; None without one. The best has the
            greatest share of its points: a lab's points may change. Of equal shares it is that with more points.
        attempts, hints: how many.
        revealed: the solution was shown before a pass.
    """

    state: str = "new"
    best: int | None = None
    possible: int | None = None
    attempts: int = 0
    hints: int = 0
    revealed: bool = False


@dataclass(frozen=True)
class Kept:
    """An attempt as it was kept; `results` are its checks' results as plain data, `at` is in UTC (ISO 8601)."""

    lab: str
    at: str
    whole: bool
    passed: bool
    points: int
    possible: int
    results: list[dict[str, Any]]


class Records:
    """The records in one file; every method is one transaction."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or state() / "records.sqlite"

    def ready(self) -> None:
        """Make sure that they can be read and written, before anything is done that has to be recorded.

        Raises:
            LabError: they can't; as from every method.
        """
        with self._open():
            pass

    def start(self, lab: str, workspace: Path) -> None:
        """Note that a lab was started; a second start changes only the workspace."""
        with self._open() as db:
            db.execute(
                "INSERT INTO started VALUES (?, ?, ?) ON CONFLICT (lab) DO UPDATE SET workspace = excluded.workspace",
                (lab, _now(), str(workspace)),
            )

    def attempt(self, lab: str, results: Sequence[Result], *, whole: bool) -> None:
        """Keep an attempt; `whole` when all of the lab's checks were run: only those count for the best.

        Of traces only each check's last one is kept.
        """
        earned, possible = sum(each.earned for each in results), sum(each.points for each in results)
        passed = whole and bool(results) and all(each.verdict == "pass" for each in results)
        with self._open() as db:
            db.execute(
                "INSERT INTO attempts (lab, at, whole, passed, points, possible, results) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (lab, _now(), whole, passed, earned, possible, json.dumps([each.plain() for each in results])),
            )
            for each in results:
                if each.trace:
                    db.execute("REPLACE INTO traces VALUES (?, ?, ?)", (lab, each.check, json.dumps(each.trace)))
                else:
                    db.execute("DELETE FROM traces WHERE lab = ? AND name = ?", (lab, each.check))

    def attempts(self, lab: str = "") -> list[Kept]:
        """All attempts, or those at the lab of this number, oldest first."""
        if not self._there():
            return []
        with self._open() as db:
            rows = db.execute(
                "SELECT lab, at, whole, passed, points, possible, results FROM attempts "
                "WHERE ? IN ('', lab) ORDER BY id",
                (lab,),
            )
            return [
                Kept(row[0], row[1], bool(row[2]), bool(row[3]), row[4], row[5], self._read(_results, row[6]))
                for row in rows
            ]

    def trace(self, lab: str, check: str) -> dict[str, Any]:
        """What a check did when it failed last; empty if its last verdict was no failure."""
        with self._open() as db:
            row = db.execute("SELECT trace FROM traces WHERE lab = ? AND name = ?", (lab, check)).fetchone()
            return self._read(_trace, row[0]) if row else {}

    def results(self, lab: str) -> list[dict[str, Any]]:
        """Each check's newest result, from whichever attempt; those of the last attempt first."""
        newest: dict[str, dict[str, Any]] = {}
        for kept in reversed(self.attempts(lab)):
            for result in kept.results:
                newest.setdefault(result["check"], result)
        return list(newest.values())

    def take_hint(self, lab: str, tiers: int) -> int:
        """Count one more hint, at most `tiers`, and return how many the learner has now."""
        with self._open() as db:
            db.execute(
                "INSERT INTO hints VALUES (?, 1) ON CONFLICT (lab) DO UPDATE SET taken = min(taken + 1, ?)",
                (lab, tiers),
            )
            return int(db.execute("SELECT taken FROM hints WHERE lab = ?", (lab,)).fetchone()[0])

    def reveal(self, lab: str) -> None:
        """Note that the solution was shown."""
        with self._open() as db:
            passed = db.execute("SELECT count(*) FROM attempts WHERE lab = ? AND passed", (lab,)).fetchone()[0]
            db.execute("INSERT INTO revealed (lab, at, passed_before) VALUES (?, ?, ?)", (lab, _now(), int(passed > 0)))

    def passed(self, lab: str) -> bool:
        """Whether the lab was ever passed."""
        return self.progress().get(lab, Progress()).state == "passed"

    def progress(self) -> dict[str, Progress]:
        """The learner's progress, by lab number; labs never started are not in it."""
        if not self._there():
            return {}
        with self._open() as db:
            started = {row[0] for row in db.execute("SELECT lab FROM started")}
            tried = {
                row[0]: row[1:] for row in db.execute("SELECT lab, count(*), max(passed) FROM attempts GROUP BY lab")
            }
            bests = {  # the last of each lab stays
                row[0]: row[1:]
                for row in db.execute(
                    "SELECT lab, points, possible FROM attempts WHERE whole "
                    "ORDER BY points * 1.0 / max(possible, 1), points, id"
                )
            }
            hints = dict(db.execute("SELECT lab, taken FROM hints").fetchall())
            revealed = {row[0] for row in db.execute("SELECT lab FROM revealed WHERE NOT passed_before")}
        found: dict[str, Progress] = {}
        for lab in sorted(started | set(tried) | set(hints) | revealed):
            attempts, passed = tried.get(lab, (0, 0))
            best, possible = bests.get(lab, (None, None))
            stage = "passed" if passed else "tried" if attempts else "started" if lab in started else "new"
            found[lab] = Progress(stage, best, possible, attempts, hints.get(lab, 0), lab in revealed)
        return found

    def _there(self) -> bool:
        try:
            self.file.stat()
        except FileNotFoundError:
            return False
        except OSError as closed:  # the folder is closed to us, say
            raise self._broken(closed) from closed
        return True

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A transaction; what its block does wrong but in the database is a bug, and stays one."""
        with contextlib.closing(self._begun()) as db:
            try:
                yield db
                db.execute("COMMIT")
            except sqlite3.ProgrammingError:
                raise
            except sqlite3.Error as broken:
                raise self._broken(broken) from broken

    def _begun(self) -> sqlite3.Connection:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self.file, timeout=_PATIENCE, isolation_level=None)
        except (sqlite3.Error, OSError, ValueError) as broken:
            raise self._broken(broken) from broken
        try:
            _write_ahead(db)
            if db.execute("PRAGMA user_version").fetchone()[0] < _VERSION:
                db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
            # Taken at once, so that what is read inside is still true when it is written.
            db.execute("BEGIN IMMEDIATE")
        except BaseException as broken:
            db.close()
            if isinstance(broken, sqlite3.Error):
                raise self._broken(broken) from broken
            raise
        return db

    def _read(self, read: Callable[[Any], T], kept: Any) -> T:
        """What was kept in a cell, which somebody may have damaged."""
        try:
            return read(kept)
        except (ValueError, TypeError, RecursionError) as broken:
            raise self._broken(broken) from broken

    def _broken(self, how: Exception) -> LabError:
        away = shlex.join(["mv", str(self.file), f"{self.file}.damaged"])
        hint = f"check free disk space and the file's owner; if it is damaged, move it away ({away}): a new one begins"
        if _busy(how):
            hint = "another `lab` command has been writing them for long; see what it does, or end it, and try again"
        return LabError(
            f"your records (labs started, attempts, hints) in {self.file} can't be read or written: {how}", hint
        )


def _write_ahead(db: sqlite3.Connection) -> None:
    """Switch to write-ahead mode, for which SQLite does not wait while another connection writes.

    Raises:
        sqlite3.Error: it can't be, or another one has written for too long.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.Error as trouble:
            if not _busy(trouble) or time.monotonic() > end:
                raise
        time.sleep(_ASK_EVERY)


def _busy(trouble: Exception) -> bool:
    """Was another connection in the way?"""
    return getattr(trouble, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _results(text: str) -> list[dict[str, Any]]:
    """Results as they were written; what is missing in those of an older version has its default."""
    import msgspec

    from mlops_lab.checks.verdicts import Result

    return [each.plain() for each in msgspec.json.decode(text, type=list[Result])]


def _trace(text: str) -> dict[str, Any]:
    return dict(json.loads(text))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
