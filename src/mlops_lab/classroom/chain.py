"""Results of a class as signed records, each of which holds the hash of the one before.

One record is one JSON object on a line. It is signed as RFC 8785 writes it (the one form of an object), so that spaces
and the order of its fields don't matter; its own `signature` is not part of what is signed. An export ends with a line
that says how many records there are, which is the last and when it was made, signed as well: without it, nobody could
see that records were cut off. `audit` checks all of it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

from mlops_lab.classroom.signing import PrivateKey, PublicKey

RECORD = "mlops-lab/record/1"
END = "mlops-lab/records-end/1"


@dataclass(frozen=True)
class Check:
    """What one check said."""

    check: str
    verdict: str
    points: int
    earned: int
    expected: str = ""
    seen: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A graded submission.

    Attributes:
        learner: the id in the roster.
        lab: the lab's number, such as `10`.
        lab_content: the hash of the lab's folder that it was graded with.
        checker: the digest of the image that graded it.
        submission: the archive's sha256, in hex; where it was graded in place, that of the list of what was looked at.
        number: 1 for the learner's first submission of this lab, and so on.
        points, possible: earned, and what there was to earn.
        checks: what each check said, in the report's order.
        seed: with which the lab drew what it did; None if it drew nothing.
        at: when it ended, in UTC (ISO 8601); see `now`.
        seconds: how long it took.
        namespace: in which it was graded in place, as there are no files; empty where files were handed in, and then it
            is no field of the record.
    """

    learner: str
    lab: str
    lab_content: str
    checker: str
    submission: str
    number: int
    points: int
    possible: int
    checks: tuple[Check, ...]
    seed: int | None
    at: str
    seconds: float
    namespace: str = ""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return bool(self.checks) and all(each.verdict == "pass" for each in self.checks)


@dataclass(frozen=True, kw_only=True)
class Record(Result):
    """A result as it was signed.

    Attributes:
        sequence: 1 for the first of the class, and so on.
        before: the `digest` of the record before; empty for the first.
        key: the id of the key that signed it.
        signature: base64.
        schema: what this line is.
    """

    sequence: int
    before: str
    key: str
    signature: str
    schema: str = RECORD

    @property
    def digest(self) -> str:
        """The sha256 of the whole record with its signature, in hex: what the next one has in `before`."""
        return digest(fields(self))


@dataclass(frozen=True, kw_only=True)
class End:
    """The last line of an export.

    Attributes:
        count: how many records there are before it.
        last: the digest of the last one; empty if there is none.
        at: when the export was made, in UTC.
    """

    count: int
    last: str
    at: str
    key: str
    signature: str
    schema: str = END


def now() -> str:
    """The time as records have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def sign(result: Result, before: Record | None, key: PrivateKey) -> Record:
    """The record of a result behind the last one; None for the first.

    Whoever keeps the records sees to it that no two are signed behind the same one.

    Raises:
        ValueError: the result has a number that can't be signed, see `canonical`.
    """
    own = {name: value for name, value in fields(result).items() if name in Result.__dataclass_fields__}
    own |= {"sequence": before.sequence + 1 if before else 1, "before": before.digest if before else ""}
    own |= {"key": key.public.id, "schema": RECORD}
    own["checks"] = tuple(Check(*map(_whole, astuple(each))) for each in result.checks)
    return Record(**own, signature=_signature(own, key))


def end(count: int, last: Record | None, key: PrivateKey, at: str = "") -> End:
    """The line behind the last record of an export."""
    own = {"count": count, "last": last.digest if last else "", "at": at or now()}
    own |= {"key": key.public.id, "schema": END}
    return End(**own, signature=_signature(own, key))  # type: ignore[arg-type]


def line(record: Record | End) -> str:
    """A record as a line of an export, without the line's end."""
    return canonical(fields(record)).decode()


def fields(record: Result | End) -> dict[str, Any]:
    """The fields of a line by their names: `namespace` is one only where something was graded in place."""
    found = asdict(record)
    if not found.get("namespace", True):
        del found["namespace"]
    return found


def export(records: Iterable[Record], key: PrivateKey, at: str = "") -> Iterator[str]:
    """The lines of a whole export, each with its end; `records` are all records, by sequence."""
    count, last = 0, None
    for last in records:
        count += 1
        yield line(last) + "\n"
    yield line(end(count, last, key, at)) + "\n"


def canonical(value: Mapping[str, Any]) -> bytes:
    """The one form of an object, by RFC 8785.

    Raises:
        ValueError: it has a number that JavaScript could not hold, or what is no JSON.
    """
    return rfc8785.dumps(_plain(value))


def signed(value: Mapping[str, Any]) -> bytes:
    """What the signature of an object is over."""
    return canonical({name: each for name, each in value.items() if name != "signature"})


def digest(value: Mapping[str, Any]) -> str:
    """The sha256 of an object with its signature, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def is_signed(value: Mapping[str, Any], key: PublicKey) -> bool:
    """Has this key signed an object? Digests are over the signature as it is spelled, so only one spelling counts."""
    try:
        signature = base64.b64decode(value["signature"], validate=True)
        spelled = base64.b64encode(signature).decode() == value["signature"]
        return spelled and key.verifies(signature, signed(value))
    except (KeyError, TypeError, ValueError, RecursionError):
        return False


def _signature(fields: Mapping[str, Any], key: PrivateKey) -> str:
    return base64.b64encode(key.sign(signed(fields))).decode()


def _whole(value: Any) -> Any:
    """A text without halves of characters, which a learner's program may have printed."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Check):
        return asdict(value)
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value
