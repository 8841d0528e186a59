"""The signed chain in the database: one result behind the other, by the server's key; nothing of it ever changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.classroom import audit, chain
from mlops_lab.classroom.chain import Record, Result
from mlops_lab.classroom.server import queue
from mlops_lab.classroom.server.database import Away
from mlops_lab.classroom.server.outcome import Outcome, Told
from mlops_lab.classroom.server.schema import GRADED, results, submissions
from mlops_lab.classroom.signing import PrivateKey

_PORTION = 500  # records that are read at once


class Broken(LabError):
    """The records are no longer what this server has written."""


@dataclass(frozen=True)
class NoResult:
    """A submission whose checks could not be run, and its state from then on: it waits again, or is given up."""

    state: str
    learner: str
    lab: str


class Ledger:
    """The chain of one class.

    Args:
        key: signs.
    """

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self.ends = False  # what takes long is broken off
        self._seen: tuple[int, str] = (0, "")  # the last record that this process has signed or read, and its digest
        self._audited: tuple[int, str] = (0, "")  # how many records were whole, and the hash of all of these

    @property
    def key(self) -> PrivateKey:
        """What the class's records are signed with."""
        return self._key

    def append(
        self, connection: Connection, submission: int, token: str, outcome: Outcome, now: datetime
    ) -> Record | NoResult:
        """Sign a result, and with it end the submission's grading; the same result again is the record that there is.

        Returns:
            `NoResult` where checks could not be run: the submission waits again, or it was tried too often.

        Raises:
            UsageError: it is no result.
            Stale: the token is not the one of whoever has it, or there is another result.
            Broken: the records are not those that were signed.
        """
        if wrong := outcome.fault():
            raise UsageError(wrong, "send the result as the checker has given it")
        queue.lock(connection)
        row = queue.held(connection, submission, token, graded=True)
        if row.state == GRADED:
            return self._again(connection, row, outcome)
        if row.namespace and outcome.looked != row.sha256:
            raise UsageError("it is not said what was looked at", "send that list before, and its sha256 with this")
        if trouble := outcome.trouble:
            state = queue.give_back(connection, submission, f"checks could not be run: {trouble}")
            return NoResult(state, row.learner, row.lab)
        record = chain.sign(_result(row, outcome, now.isoformat(timespec="seconds")), self.last(connection), self._key)
        connection.execute(
            insert(results).values(
                sequence=record.sequence, submission=submission, learner=row.learner, lab=row.lab,
                record=chain.line(record), report=msgspec.json.encode(outcome.report).decode(),
            )
        )  # fmt: skip
        connection.execute(update(submissions).where(submissions.c.id == submission).values(state=GRADED, why=""))
        return record

    def signed(self, record: Record) -> None:
        """A record is in the database for good: from now on it must stay there."""
        if record.sequence > self._seen[0]:
            self._seen = (record.sequence, record.digest)

    def last(self, connection: Connection) -> Record | None:
        """The last record.

        Raises:
            Broken: it is not one that this class's key has signed, or records that were there are gone.
        """
        row = connection.execute(select(results).order_by(results.c.sequence.desc()).limit(1)).one_or_none()
        sequence, digest = self._seen
        if sequence and (row is None or row.sequence < sequence):
            raise _broken(f"record {sequence} was there and is gone")
        if row is None:
            return None
        record = read(row.record)
        if sequence:
            kept = record if row.sequence == sequence else self._at(connection, sequence)
            if kept is None or kept.digest != digest:
                raise _broken(f"record {sequence} was changed")
        if record.sequence != row.sequence or not genuine(record, self._key):
            raise _broken(f"record {row.sequence} was changed")
        count = connection.execute(select(func.count()).select_from(results)).scalar_one()
        if count != row.sequence:
            raise _broken(f"of {row.sequence} records {row.sequence - count} are gone")
        return record

    def audit(self, connection: Connection) -> int:
        """Check all records, as nobody else may have written any; returns how many there are.

        What an earlier audit has found to be whole is only compared with what it was then.

        Raises:
            Broken: says which is the first that was changed, left out or moved.
        """
        known, same = self._audited
        differs = bool(known) and _hash_of(self._rows(connection, upto=known)) != same
        if differs or not known:
            found = audit.verify(self.export(connection), self._key.public)
            if found.broken:
                raise _broken(found.broken.text)
        if differs:
            raise _broken(f"the first {known} are others than they were, or what stands beside them is")
        last, before = known, self._at(connection, known) if known else None
        for row in self._rows(connection, after=known):
            record = read(row.record)
            told = (record.sequence, record.learner, record.lab, record.submission, record.number)
            if told != (row.sequence, row.learner, row.lab, row.sha256, row.number):
                raise _broken(f"what stands beside record {row.sequence} was changed")
            if known and not (genuine(record, self._key) and record.before == (before.digest if before else "")):
                raise _broken(f"record {row.sequence} was changed, or one before it was left out")
            last, before = record.sequence, record
        self._audited = (last, _hash_of(self._rows(connection, upto=last)))
        if before:
            self._seen = (before.sequence, before.digest)
        return last

    def export(self, connection: Connection) -> Iterator[str]:
        """All records as lines, and the line that says where they end."""
        count, line = 0, ""
        for row in self._rows(connection):
            count, line = count + 1, row.record
            yield f"{line}\n"
        yield chain.line(chain.end(count, read(line) if line else None, self._key)) + "\n"

    def _rows(self, connection: Connection, after: int = 0, upto: int = 0) -> Iterator[Row[Any]]:
        """The rows of records with what was handed in, in order."""
        wanted = select(results, submissions.c.sha256, submissions.c.number).join_from(results, submissions)
        wanted = wanted.where(results.c.sequence > after).order_by(results.c.sequence)
        if upto:
            wanted = wanted.where(results.c.sequence <= upto)
        for row in connection.execute(wanted.execution_options(yield_per=_PORTION)):
            if self.ends:
                raise Away("the server ends")
            yield row

    def _at(self, connection: Connection, sequence: int) -> Record | None:
        line = connection.scalar(select(results.c.record).where(results.c.sequence == sequence))
        return read(line) if line else None

    def _again(self, connection: Connection, row: Row[Any], outcome: Outcome) -> Record:
        line = connection.execute(select(results.c.record).where(results.c.submission == row.id)).scalar_one()
        record = read(line)
        result = _result(row, outcome, record.at)
        if any(getattr(record, name) != getattr(result, name) for name in Result.__dataclass_fields__):
            raise queue.Stale("this submission has another result", "end this grader: a result is never changed")
        return record


def read(line: str) -> Record:
    """A record as the database has it.

    Raises:
        Broken: it is none.
    """
    try:
        return msgspec.json.decode(line, type=Record)
    except msgspec.MsgspecError as trouble:
        raise _broken(f"a record is none: {trouble}") from trouble


def _hash_of(rows: Iterator[Row[Any]]) -> str:
    """The hash of rows as they stand in the database."""
    found = hashlib.sha256()
    for row in rows:
        found.update(f"{tuple(row)!r}\n".encode())
    return found.hexdigest()


def genuine(record: Record, key: PrivateKey) -> bool:
    """Has the class's key signed this record?"""
    return chain.is_signed(chain.fields(record), key.public)


def after(connection: Connection, sequence: int = 0, *, lab: str = "", learner: str = "") -> Iterator[Record]:
    """The records behind one, all or a lab's or a learner's, in order."""
    wanted = select(results.c.record).where(results.c.sequence > sequence).order_by(results.c.sequence)
    if lab:
        wanted = wanted.where(results.c.lab == lab)
    if learner:
        wanted = wanted.where(results.c.learner == learner)
    for row in connection.execute(wanted.execution_options(yield_per=_PORTION)):
        yield read(row.record)


def told(connection: Connection, submission: int) -> tuple[Record, list[Told]]:
    """A submission's record, and its checks as the learner is told them.

    Raises:
        UsageError: it is not graded.
    """
    row = connection.execute(select(results).where(results.c.submission == submission)).one_or_none()
    if row is None:
        raise UsageError(f"submission {submission} is not graded", "wait until it is")
    record = read(row.record)
    report = msgspec.json.decode(row.report, type=list[Told])
    return record, report or [
        Told(each.check, each.verdict, each.points, expected=each.expected, seen=each.seen) for each in record.checks
    ]


def _result(row: Row[Any], outcome: Outcome, at: str) -> Result:
    return Result(
        learner=row.learner, lab=row.lab, lab_content=outcome.lab_content, checker=row.checker, submission=row.sha256,
        number=row.number, points=outcome.points, possible=outcome.possible, checks=outcome.kept,
        seed=outcome.seed, at=at, seconds=round(outcome.seconds, 3), namespace=row.namespace,
    )  # fmt: skip


def _broken(what: str) -> Broken:
    return Broken(
        f"the class's records are not those that were signed: {what}",
        "nothing is signed behind them; restore the database from a backup, and look who can write to it",
    )
