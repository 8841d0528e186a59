"""The gradebook: what each learner has for each lab, kept in memory and read on from the chain, which only grows."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from mlops_lab.classroom.chain import Record
from mlops_lab.classroom.server.records import read
from mlops_lab.classroom.server.schema import results, submissions

_STUCK_AFTER = 2  # submissions in a row that fail the same check

_PORTION = 500
_BEGUN = datetime(1970, 1, 1, tzinfo=UTC)
_LATER = timedelta(milliseconds=1)  # platforms are told times no finer


@dataclass
class Cell:
    """A learner at a lab.

    Attributes:
        attempts: graded submissions.
        points: the best of them; `on_time` the best of those that were not late.
        passed: one had full marks.
        last: the newest record, and when it was handed in.
        at: when that was signed; later than before, whatever clocks say, so that learning platforms take the newest.
        failing: checks that the newest one has not passed, and since when (handed in) each has not.
        tries: how many submissions in a row have not passed the check.
    """

    learner: str
    lab: str
    attempts: int = 0
    points: int = 0
    on_time: int = 0
    possible: int = 0
    passed: bool = False
    last: Record | None = None
    handed_in: datetime | None = None
    at: datetime = _BEGUN
    failing: dict[str, datetime] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)

    @property
    def late(self) -> bool:
        """Are its points more than what was handed in on time?"""
        return self.points > self.on_time

    @property
    def stuck(self) -> str:
        """The first check that the newest submission has not passed, and others before it neither; else empty."""
        return self.failed if self.tries.get(self.failed, 0) >= _STUCK_AFTER else ""

    @property
    def failed(self) -> str:
        """The first check that the newest submission has not passed; empty if there is none."""
        if self.passed or self.last is None:
            return ""
        failed = [each.check for each in self.last.checks if each.verdict == "fail"]
        return (failed or [each.check for each in self.last.checks if each.verdict != "pass"] or [""])[0]

    def add(self, record: Record, handed_in: datetime, due: datetime | None) -> None:
        """One more result; results come in the chain's order, whatever their times say."""
        self.attempts += 1
        if record.possible:
            self.possible = max(self.possible, record.possible)
        self.points = max(self.points, record.points)
        if due is None or handed_in <= due:
            self.on_time = max(self.on_time, record.points)
        self.passed = self.passed or record.passed
        self.last, self.handed_in = record, handed_in
        self.at = max(datetime.fromisoformat(record.at), self.at + _LATER)
        left = [each.check for each in record.checks if each.verdict != "pass"]
        self.failing = {check: self.failing.get(check, handed_in) for check in left}
        self.tries = {check: self.tries.get(check, 0) + 1 for check in left}


class Book:
    """All cells; what is asked of it is as new as its last `read_on`.

    Args:
        due: until when a lab's submissions are not late.
    """

    def __init__(self, due: Mapping[str, datetime]) -> None:
        self._due = due
        self._lock = threading.Lock()
        self.cells: dict[tuple[str, str], Cell] = {}
        self._of: dict[str, dict[str, Cell]] = {}
        self.sequence = 0
        self.last: dict[str, str] = {}  # the lab of each learner's newest result

    def read_on(self, connection: Connection) -> list[Record]:
        """Take what is new in the chain; returns it."""
        with self._lock:
            wanted = select(results.c.record, submissions.c.at).join_from(results, submissions)
            wanted = wanted.where(results.c.sequence > self.sequence).order_by(results.c.sequence)
            new = []
            for row in connection.execute(wanted.execution_options(yield_per=_PORTION)):
                new.append(self._add(row))
            return new

    def of(self, learner: str) -> dict[str, Cell]:
        """A learner's cells by lab."""
        return dict(self._of.get(learner, {}))

    def put(self, cell: Cell) -> Cell:
        """Take a cell in."""
        self.cells[cell.learner, cell.lab] = cell
        self._of.setdefault(cell.learner, {})[cell.lab] = cell
        return cell

    def shown(self, learners: Iterable[Row[Any]]) -> list[Row[Any]]:
        """Learners but for those who have left and never had a result."""
        return [each for each in learners if not each.gone or each.id in self._of]

    def possible(self) -> dict[str, int]:
        """The points of each lab, as far as it was graded."""
        found: dict[str, int] = {}
        for (_, lab), cell in list(self.cells.items()):
            found[lab] = max(found.get(lab, 0), cell.possible)
        return found

    def _add(self, row: Row[Any]) -> Record:
        record = read(row.record)
        place = (record.learner, record.lab)
        cell = self.cells.get(place) or self.put(Cell(*place))
        cell.add(record, row.at, self._due.get(record.lab))
        self.sequence, self.last[record.learner] = record.sequence, record.lab
        return record
