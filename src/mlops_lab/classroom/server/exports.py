"""The gradebook for other programs: CSV for learning platforms and spreadsheets, and plain data."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from mlops_lab.classroom.server.book import Book
from mlops_lab.classroom.server.settings import Class

Learners = Sequence[Row[tuple[str, str, str, bool]]]
# Before what a spreadsheet takes for the beginning of a formula, as OWASP's CSV injection has it; the last are wide.
# Where people write 0,5 a spreadsheet begins another cell at a semicolon; quotes don't keep it from that, and go.
_FORMULA = re.compile('(^|;)(?="*[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-])')


def wide(klass: Class, book: Book, learners: Learners) -> str:
    """A line for each learner and a column for each lab, as learning platforms take it."""
    possible = book.possible()
    labs = [
        (lab, f"{lab} {title}" + (f" ({possible[lab]})" if lab in possible else ""))
        for lab, title in klass.labs.items()
    ]
    header = ["id", "name", "email", *(name for _, name in labs), "total"]
    rows: list[list[Any]] = [header]
    for each in book.shown(learners):
        own = book.of(each.id)
        points = [own[lab].points if lab in own else "" for lab, _ in labs]
        rows.append([each.id, each.name, each.email, *points, sum(one for one in points if one != "")])
    return _csv(rows)


def long(klass: Class, book: Book, learners: Learners) -> str:
    """A line for each learner and lab."""
    rows: list[list[Any]] = [
        ["id", "name", "email", "lab", "title", "points", "possible", "on_time", "late", "passed", "attempts", "newest"]
    ]
    for each in book.shown(learners):
        own = book.of(each.id)
        for lab, title in klass.labs.items():
            cell = own.get(lab)
            if cell is None:
                rows.append([each.id, each.name, each.email, lab, title, "", "", "", "", "", 0, ""])
                continue
            newest = cell.handed_in.isoformat(timespec="seconds") if cell.handed_in else ""
            rows.append(
                [each.id, each.name, each.email, lab, title, cell.points, cell.possible, cell.on_time,
                 _said(cell.late), _said(cell.passed), cell.attempts, newest]
            )  # fmt: skip
    return _csv(rows)


def plain(klass: Class, book: Book, learners: Learners) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "class": klass.name,
        "labs": [
            {"lab": lab, "title": title, "possible": book.possible().get(lab), "due": klass.due.get(lab)}
            for lab, title in klass.labs.items()
        ],
        "learners": [
            {
                "learner": each.id, "name": each.name, "email": each.email, "gone": each.gone,
                "labs": {
                    lab: {"points": cell.points, "possible": cell.possible, "on_time": cell.on_time, "late": cell.late,
                          "passed": cell.passed, "attempts": cell.attempts, "newest": cell.handed_in}
                    for lab, cell in sorted(book.of(each.id).items())
                },
            }
            for each in book.shown(learners)
        ],
    }  # fmt: skip


def safe(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    return _FORMULA.sub(r"\1'", value) if isinstance(value, str) else value


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([safe(value) for value in row] for row in rows)
    return file.getvalue()


def _said(value: bool) -> str:
    return "yes" if value else "no"
