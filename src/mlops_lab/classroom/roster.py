"""Who is in a class: the roster that a teacher keeps as CSV, from a spreadsheet or by hand."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

from mlops_lab.base.errors import UsageError

# With it `l-ID-lab-NN` is the name of a namespace and of whatever is called by it.
_ID = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,18}[a-z0-9])?")
_COLUMNS = ("id", "name", "email", "ends")
_LARGEST = 1 << 20  # bytes of a roster
_LONGEST = 200  # characters of a name or an address
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True)
class Learner:
    """One learner of a class.

    Attributes:
        id: lower-case letters, digits and inner hyphens, at most 20; namespaces are named by it.
        name: as it stands on a certificate; the id where the roster has none.
        email: may be empty.
        ends: the last day on which the learner takes part; None for no such day.
    """

    id: str
    name: str = ""
    email: str = ""
    ends: date | None = None


def namespace(learner: str, lab: str) -> str:
    """The namespace of a learner's work on a lab, such as `l-ada-lab-10`."""
    return f"l-{learner}-lab-{lab}"


def end_of(day: date) -> datetime:
    """The end of the last day on which somebody takes part: it counts as a whole, in UTC."""
    return datetime.combine(day, time.max, UTC).replace(microsecond=0)


def read(path: Path) -> list[Learner]:
    """The learners of a roster, in its order.

    Its first line names the columns: `id`, and if wanted `name`, `email` and `ends` (such as 2026-12-31). The mark at
    the beginning of a spreadsheet's UTF-8 is passed over, and `;` parts columns as `,` does.

    Raises:
        UsageError: it can't be read, or a line is wrong; says which.
    """
    return learners(path, text(path))


def text(path: Path) -> str:
    """A roster's text, without the mark at its beginning.

    Raises:
        UsageError: it can't be read, or is none.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise UsageError(f"the roster {path} is larger than {_LARGEST >> 20} MiB", "name a CSV file with learners")
        return content.decode("utf-8-sig")
    except OSError as trouble:
        raise UsageError(
            f"the roster {path} can't be read: {trouble.strerror or trouble}", "name a CSV file with learners"
        ) from trouble
    except UnicodeDecodeError as broken:
        line = content.count(b"\n", 0, broken.start) + 1
        raise UsageError(f"{path}:{line}: this is no UTF-8 text", "save the roster as CSV in UTF-8") from broken


def learners(path: Path, text: str) -> list[Learner]:
    """The learners of a roster's text, as `read` has them.

    Args:
        path: where the text is from, for what is said.

    Raises:
        UsageError: a line is wrong; says which.
    """
    first = text.partition("\n")[0]
    rows = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",", restkey="", strict=True
    )
    found: dict[str, int] = {}
    listed: list[Learner] = []
    try:
        named = [name.strip().lower() for name in rows.fieldnames or []]
        _header(path, named)
        rows.fieldnames = named
        for row in rows:
            values = {name: value.strip() for name, value in row.items() if isinstance(value, str)}
            if not any(values.values()):
                continue
            line = rows.line_num
            if "" in row:
                raise _wrong(path, line, "there are more values than columns", "put text with a comma in quotes")
            learner = _learner(path, line, values)
            if learner.id in found:
                raise _wrong(path, line, f"{learner.id!r} stands in line {found[learner.id]} too", "give it another id")
            found[learner.id] = line
            listed.append(learner)
    except csv.Error as broken:
        raise _wrong(path, rows.line_num, f"this is no CSV: {broken}", "look for an open quote") from broken
    if not listed:
        raise UsageError(f"the roster {path} has no learner", "write one line for each below the line of columns")
    return listed


def _header(path: Path, named: list[str]) -> None:
    if "id" not in named:
        raise _wrong(path, 1, "no column is named id", f"begin with a line that names columns: {','.join(_COLUMNS)}")
    for name in named:
        if name not in _COLUMNS:
            raise _wrong(path, 1, f"there is no column {name!r}", f"columns are {', '.join(_COLUMNS)}; take it out")
        if named.count(name) > 1:
            raise _wrong(path, 1, f"two columns are named {name}", "take one out")


def _learner(path: Path, line: int, values: Mapping[str, str]) -> Learner:
    own, name, email = values.get("id", ""), values.get("name", ""), values.get("email", "")
    if not _ID.fullmatch(own):
        hint = "lower-case letters, digits and hyphens between them, at most 20, such as ada-l"
        raise _wrong(path, line, f"{own!r} is no id" if own else "there is no id", hint)
    for column, value in (("name", name), ("email", email)):
        if len(value) > _LONGEST or not value.isprintable():
            what = f"the {column} is no text of one line, of at most {_LONGEST} characters"
            raise _wrong(path, line, what, "shorten it, and leave out tabs and line breaks")
    if email and not _EMAIL.fullmatch(email):
        raise _wrong(path, line, f"{email!r} is no e-mail address", "write it as ada@example.org, or leave it empty")
    try:
        ends = date.fromisoformat(values["ends"]) if values.get("ends") else None
    except ValueError as broken:
        raise _wrong(path, line, f"{values['ends']!r} is no date", "write it as 2026-12-31") from broken
    return Learner(own, name or own, email, ends)


def _wrong(path: Path, line: int, what: str, hint: str) -> UsageError:
    return UsageError(f"{path}:{line}: {what}", hint)
