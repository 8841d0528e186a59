"""A class that tests make up: learners, archives, and what a grader says of them."""

from __future__ import annotations

import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from mlops_lab.classroom import signing
from mlops_lab.classroom.chain import Check, Record
from mlops_lab.classroom.roster import Learner
from mlops_lab.classroom.server import people, queue
from mlops_lab.classroom.server.database import Database
from mlops_lab.classroom.server.outcome import Outcome
from mlops_lab.classroom.server.queue import Submission
from mlops_lab.classroom.server.records import Ledger

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ROSTER = (Learner("ada", "Ada L.", "ada@example.org"), Learner("bo", "Bo"), Learner("cy", '=HYPERLINK("x")'))
KEY = signing.PrivateKey(os.urandom(32))
CHECKER = "sha256:" + "c" * 64


def enrol(database: Database, roster: tuple[Learner, ...] = ROSTER) -> None:
    with database.transaction() as connection:
        people.enrol(connection, roster)


def hand_in(
    connection: Connection, learner: str, content: bytes | str, lab: str = "10", at: datetime = NOW
) -> Submission:
    raw = content.encode() if isinstance(content, str) else content
    return queue.hand_in(connection, learner, lab, raw, hashlib.sha256(raw).hexdigest(), at)


def outcome(*failed: str, **more: Any) -> Outcome:
    """A result of three checks, of which these failed."""
    checks = [
        Check(name, "fail" if name in failed else "pass", points, 0 if name in failed else points, "2 pods", "1 pod")
        for name, points in (("deployed", 2), ("scales", 3), ("survives", 5))
    ]
    earned = sum(each.earned for each in checks)
    return Outcome(**{"lab_content": "f" * 64, "points": earned, "possible": 10, "checks": checks, "seconds": 61.5,
                      "seed": 7, **more})  # fmt: skip


def graded(
    database: Database, ledger: Ledger, learner: str, *failed: str, content: str = "", lab: str = "10",
    at: datetime = NOW,
) -> Record:  # fmt: skip
    """A submission that was handed in, taken and graded."""
    with database.transaction() as connection:
        handed = hand_in(connection, learner, content or f"{learner} {lab} {failed} {at}", lab, at)
        taken = queue.take(connection, "grader-1", CHECKER, at)
        assert taken and taken.id == handed.id
        record = ledger.append(connection, taken.id, taken.token, outcome(*failed), at + timedelta(minutes=1))
    assert record
    ledger.signed(record)
    return record


def together(*calls: Any) -> list[Any]:
    """What calls return or raise that begin at the same time, each in a thread of its own."""
    ready, found = threading.Barrier(len(calls)), [None] * len(calls)

    def run(number: int) -> None:
        ready.wait()
        try:
            found[number] = calls[number]()
        except Exception as error:
            found[number] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    return found
