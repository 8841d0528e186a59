"""What pages show, put together from the gradebook and the queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select

from mlops_lab.classroom.server import people, queue
from mlops_lab.classroom.server.book import Book, Cell
from mlops_lab.classroom.server.queue import Submission
from mlops_lab.classroom.server.schema import FAILED, submissions
from mlops_lab.classroom.server.settings import Class


@dataclass(frozen=True)
class Seen:
    """What one look at the database has found."""

    learners: list[Row[tuple[str, str, str, bool]]]
    waiting: list[Submission]
    working: list[Row[Any]]
    given_up: list[Row[Any]]
    newest: Mapping[str, Row[Any]]  # of each learner


@dataclass(frozen=True)
class At:
    """Where a learner is.

    Attributes:
        state: `nothing yet`, `waiting`, `grading`, `stuck`, `working`, `passed` or `not graded` (could not be).
        check: the first that the newest result of the lab has not passed; `since` when, and in so many submissions.
        seconds: since then.
        place: in the queue.
    """

    learner: str
    name: str
    lab: str = ""
    state: str = "nothing yet"
    check: str = ""
    since: datetime | None = None
    seconds: int = 0
    tries: int = 0
    place: int = 0
    newest: datetime | None = None

    @property
    def lasts(self) -> str:
        """How long, such as `1 h 20 min`."""
        return spelled(self.seconds)


@dataclass(frozen=True)
class Map:
    """The class as it stands."""

    learners: list[At]
    waiting: list[Submission] = field(default_factory=list)
    working: list[dict[str, Any]] = field(default_factory=list)
    given_up: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As data."""
        return asdict(self)


def read(connection: Connection) -> Seen:
    """Look."""
    newest = select(func.max(submissions.c.id)).group_by(submissions.c.learner)
    last = connection.execute(select(submissions).where(submissions.c.id.in_(newest)))
    given_up = connection.execute(select(submissions).where(submissions.c.state == FAILED).order_by(submissions.c.id))
    return Seen(
        [each for each in people.everyone(connection) if not each.gone],
        queue.waiting(connection), queue.in_work(connection), list(given_up), {row.learner: row for row in last},
    )  # fmt: skip


def class_map(klass: Class, book: Book, seen: Seen, now: datetime) -> Map:
    """Who is where; those who are stuck the longest come first."""
    places: dict[str, int] = {}
    for each in seen.waiting:
        places.setdefault(each.learner, each.place or 0)
    names = {each.id: each.name for each in seen.learners}
    found = [_at(each.id, each.name, seen.newest.get(each.id), book, places, now) for each in seen.learners]
    order = {"stuck": 0, "not graded": 1, "working": 2, "grading": 3, "waiting": 4, "passed": 5, "nothing yet": 6}
    found.sort(key=lambda each: (order[each.state], -each.seconds, each.name, each.learner))
    counts = Counter(each.state for each in found)
    return Map(
        found, seen.waiting, [_open(row, names, now) for row in seen.working],
        [_open(row, names, now) for row in seen.given_up], {state: counts[state] for state in order},
    )  # fmt: skip


def gradebook(klass: Class, book: Book, learners: Iterable[Row[tuple[str, str, str, bool]]]) -> list[dict[str, Any]]:
    """A row for each learner: name, cells in the order of labs (None where there is nothing), the sum."""
    rows = []
    for each in book.shown(learners):
        cells = [book.cells.get((each.id, lab)) for lab in klass.labs]
        total = sum(cell.points for cell in cells if cell)
        rows.append({"id": each.id, "name": each.name, "gone": each.gone, "cells": cells, "total": total})
    return rows


def of_learner(connection: Connection, learner: str) -> tuple[Row[Any] | None, list[Submission]]:
    """A learner, and all submissions, the newest first."""
    who = next((each for each in people.everyone(connection) if each.id == learner), None)
    return who, queue.of(connection, learner)


def cell_class(cell: Cell | None) -> str:
    """How a cell looks."""
    if cell is None:
        return "none"
    return "passed" if cell.passed else "some" if cell.points else "zero"


def spelled(seconds: float) -> str:
    """A time, such as `1 h 20 min` or `3 d 2 h`."""
    minutes = int(seconds // 60)
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else "under a minute"


def _at(
    learner: str, name: str, newest: Row[Any] | None, book: Book, places: Mapping[str, int], now: datetime
) -> At:  # fmt: skip
    if newest is None:
        return At(learner, name)
    cell = book.cells.get((learner, newest.lab))
    check = cell.failed if cell else ""
    since = cell.failing.get(check) if cell and check else None
    tries = cell.tries.get(check, 0) if cell and check else 0
    state = {"waiting": "waiting", "grading": "grading", "failed": "not graded"}.get(newest.state, "")
    if not state:
        state = "passed" if not check else "stuck" if cell and cell.stuck else "working"
    begun = since or newest.at
    seconds = int(max(timedelta(0), now - begun).total_seconds())
    return At(learner, name, newest.lab, state, check, since, seconds, tries, places.get(learner, 0), newest.at)


def _open(row: Row[Any], names: Mapping[str, str], now: datetime) -> dict[str, Any]:
    began = row.taken or row.at
    return {
        "id": row.id, "learner": row.learner, "name": names.get(row.learner, row.learner), "lab": row.lab,
        "number": row.number, "tries": row.tries, "why": row.why, "grader": row.grader,
        "lasts": spelled(max(timedelta(0), now - began).total_seconds()),
    }  # fmt: skip
