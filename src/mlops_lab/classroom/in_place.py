"""What is kept of a submission that has no files: first what was asked for, then the list of what was looked at.

Both are JSON with their fields in one order, and stand where else the archive does, named by their sha256. Nobody but
the class's own parts writes either.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec

LARGEST = 1 << 20  # bytes of a list
MOST = 2000  # objects in it
# Of an object, what others than its owner write, or what is another each time.
_NOT_THE_OWNERS = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")


class Asked(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A learner asks to have a namespace graded as it is.

    Attributes:
        round: which of the learner's beginnings of the lab it was.
        number: of the submission.
        at: when, in UTC.
    """

    namespace: str
    round: int
    number: int
    at: str


class Looked(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What was looked at when the checks began.

    Attributes:
        asked: what was asked for.
        uid: the namespace's.
        submission, tries: which try at which submission.
        objects: each object's sha256 by `KIND/NAME`; see `digest`.
    """

    asked: Asked
    uid: str
    submission: int
    tries: int
    objects: dict[str, str]


def encoded(value: Asked | Looked) -> bytes:
    """Its one form."""
    return msgspec.json.encode(value, order="sorted")


def asked(content: bytes) -> Asked:
    """What was asked for, also where an earlier try has put its list in place of that.

    Raises:
        ValueError: it is something else.
    """
    try:
        return msgspec.json.decode(content, type=Asked)
    except msgspec.ValidationError:
        return looked(content).asked


def looked(content: bytes) -> Looked:
    """A list of what was looked at.

    Raises:
        ValueError: it is something else.
    """
    return msgspec.json.decode(content, type=Looked)


def digest(item: dict[str, Any]) -> str:
    """The sha256 of an object as its owner wrote it: without status, and what the API server notes down."""
    own = {key: value for key, value in item.items() if key != "status"}
    own["metadata"] = {key: value for key, value in item["metadata"].items() if key not in _NOT_THE_OWNERS}
    return hashlib.sha256(json.dumps(own, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
