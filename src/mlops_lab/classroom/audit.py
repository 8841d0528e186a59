"""Is an export of a class's records whole and unchanged? With the public key alone; see `chain` for its form."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import msgspec

from mlops_lab.classroom import chain
from mlops_lab.classroom.chain import End, Record
from mlops_lab.classroom.signing import PublicKey

LONGEST = 4 << 20  # bytes of a line; what is longer is no record

Shape = TypeVar("Shape")


@dataclass(frozen=True)
class Broken:
    """The first record that is not as it was signed.

    Attributes:
        what: `changed`, `foreign` (signed with another key), `left out`, `doubled`, `moved`, `cut off`, `forked` (two
            histories were signed behind one record), or `unknown` (of a later version).
        line: of the export, from 1.
        sequence: the record's; 0 where that can't be said.
        learner, lab: what the line says; empty where it says nothing.
        text: all of it in a sentence.
    """

    what: str
    line: int
    sequence: int
    learner: str
    lab: str
    text: str


@dataclass(frozen=True)
class Audited:
    """What was found.

    Attributes:
        records: how many records are proved to be whole, from the first on.
        at: when the export was made, as its end says; empty if it has none, or records before it are broken.
        last: the digest of the last of them.
        notes: what is odd and no proof of anything, such as a clock that was set back.
        broken: None if all is well.
    """

    records: int
    at: str
    last: str
    notes: tuple[str, ...]
    broken: Broken | None


@dataclass(frozen=True)
class _Line:
    number: int
    value: dict[str, Any] | None
    authentic: bool

    def says(self, name: str) -> str:
        """A field as text; nothing where it is none."""
        found = (self.value or {}).get(name)
        return found if isinstance(found, str) and found.isprintable() and len(found) <= 100 else ""

    @property
    def whose(self) -> str:
        return f"{self.says('learner')}, lab {self.says('lab')}" if self.says("learner") else "no learner named"


class _Odd(Exception):
    """Ends an audit with what was found."""


class _Audit:
    def __init__(self, lines: Iterable[str | bytes], key: PublicKey) -> None:
        self._lines = _read(lines, key)
        self._key = key
        self.digests: list[str] = []
        self.at = ""  # of the last record
        self.made = ""
        self.notes: list[str] = []
        self.broken: Broken | None = None

    def run(self) -> None:
        """Go through all lines, to the first that is not as it should be."""
        for line in self._lines:
            self._authentic(line)
            if line.says("schema") == chain.RECORD:
                self._record(line, _shaped(line, Record) or self._unknown(line))
            elif line.says("schema") == chain.END:
                self._end(line, _shaped(line, End) or self._unknown(line))
                for more in self._lines:
                    self._found("moved", more, self._next, f"a line stands behind the end: {more.whose}")
                return
            else:
                self._unknown(line)
        at = _Line(len(self.digests) + 1, None, False)
        self._found("cut off", at, self._next, f"the export has no end, so what came after record {self._next - 1} and "
                    "the end itself were cut off")  # fmt: skip

    @property
    def _next(self) -> int:
        return len(self.digests) + 1

    def _authentic(self, line: _Line) -> None:
        if line.authentic:
            return
        if (key := line.says("key")) and key != self._key.id:
            self._found("foreign", line, self._next, f"it was signed with another key, {key}, or says so")
        self._found("changed", line, self._next, "it is not as it was signed" if line.value else "it is no record")

    def _record(self, line: _Line, record: Record) -> None:
        number, before = record.sequence, self.digests[-1] if self.digests else ""
        digest = chain.digest(line.value or {})
        if 0 < number < self._next:
            if digest == self.digests[number - 1]:
                self._found("doubled", line, number, f"record {number} stands there a second time")
            self._found("forked", line, number, f"another record {number} was signed, too: the class's records were "
                        "set back to an older state, and went on from there")  # fmt: skip
        if number != self._next:
            self._skipped(line, number)
        if record.before != before:
            self._found("forked", line, number, f"the record {number - 1} that it was signed behind is another one: "
                        "the class's records were set back to an older state, and went on from there")  # fmt: skip
        if record.at < self.at:
            self.notes.append(f"record {number} says it was at {record.at}, earlier than the one before ({self.at}): a "
                              "clock was set back")  # fmt: skip
        self.at = max(self.at, record.at)
        self.digests.append(digest)

    def _skipped(self, line: _Line, number: int) -> NoReturn:
        missing = self._next
        for more in self._lines:
            if more.authentic and (more.value or {}).get("sequence") == missing:
                self._found("moved", line, number, f"record {number} stands before record {missing}, which is in line "
                            f"{more.number}: {more.whose}")  # fmt: skip
        several = f"records {missing} to {number - 1} are" if number - 1 > missing else f"record {missing} is"
        self._found("left out", line, missing, f"{several} missing before record {number}: {line.whose}")

    def _end(self, line: _Line, end: End) -> None:
        count, last = len(self.digests), self.digests[-1] if self.digests else ""
        if end.count > count:
            several = f"records {count + 1} to {end.count}" if end.count > count + 1 else f"record {end.count}"
            self._found("cut off", line, count + 1, f"{several} were cut off before the end, which knows {end.count}")
        if end.count < count:
            self._found("moved", line, count, f"the end is of an older export, of {end.count} records")
        if end.last != last:
            self._found("forked", line, count, "the end is of another history of the same length")
        if end.at < self.at:
            self.notes.append(f"the export says it was made at {end.at}, before its newest record ({self.at})")
        self.made = end.at

    def _unknown(self, line: _Line) -> NoReturn:
        self._found("unknown", line, self._next, "it is of a form that this version does not know; use a newer one")

    def _found(self, what: str, line: _Line, sequence: int, text: str) -> NoReturn:
        whose = f" ({line.whose})" if line.says("learner") else ""
        self.broken = Broken(
            what, line.number, sequence, line.says("learner"), line.says("lab"),
            f"line {line.number}, record {sequence}{whose}: {text}",
        )  # fmt: skip
        raise _Odd


def verify(lines: Iterable[str | bytes], key: PublicKey) -> Audited:
    """Audit an export.

    An older export with its own end is whole, too: `at` says of when it is.

    Args:
        lines: as `chain.export` made them.
    """
    audit = _Audit(lines, key)
    with contextlib.suppress(_Odd):
        audit.run()
    last = audit.digests[-1] if audit.digests else ""
    return Audited(
        len(audit.digests), "" if audit.broken else audit.made, last, tuple(audit.notes), audit.broken
    )  # fmt: skip


def records(lines: Iterable[str | bytes]) -> list[Record]:
    """The records of an export that `verify` has found to be whole."""
    found = (_Line(number, _object(line), True) for number, line in enumerate(lines, 1))
    return [each for line in found if (each := _shaped(line, Record)) is not None and each.schema == chain.RECORD]


def _read(lines: Iterable[str | bytes], key: PublicKey) -> Iterator[_Line]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        value = _object(line)
        yield _Line(number, value, value is not None and chain.is_signed(value, key))


def _object(line: str | bytes) -> dict[str, Any] | None:
    """The object of a line; None if it is none, or could be read in two ways."""
    if len(line) >= LONGEST:
        return None
    try:
        text = line.decode() if isinstance(line, bytes) else line
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _shaped(line: _Line, shape: type[Shape]) -> Shape | None:
    try:
        return msgspec.convert(line.value, shape)
    except msgspec.ValidationError:
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(text)
