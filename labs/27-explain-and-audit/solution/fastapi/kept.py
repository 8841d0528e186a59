"""What is kept, in SQLite: the trail's lines for ever, records until they are erased, models as they were handed in."""

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import NamedTuple

TABLES = """
create table if not exists trail (number integer primary key, line blob not null);
create table if not exists records (decision text primary key, person text not null, record blob not null);
create table if not exists erased (decision text primary key);
create table if not exists models (version text primary key, file blob not null, by text not null);
create table if not exists approvals (number integer primary key, version text not null);
"""


class Model(NamedTuple):
    """A model file, and who handed it in."""

    version: str
    file: bytes
    by: str


class Kept:
    """All of it. Each method that changes something is one transaction with its lines of the trail."""

    def __init__(self, file: Path) -> None:
        self.base = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        # What is deleted is overwritten, and the journal that has it goes with the transaction.
        self.base.executescript(f"pragma secure_delete = on; pragma synchronous = full; {TABLES}")

    def hand_in(self, version: str, file: bytes, by: str, at: str) -> None:
        """A new model."""
        with self:
            self.base.execute("insert into models values (?, ?, ?)", (version, file, by))
            self.add(at, "model", model=version, sha256=hashlib.sha256(file).hexdigest(), by=by)

    def approve(self, model: Model, by: str, at: str) -> None:
        """It is in service."""
        with self:
            self.base.execute("insert into approvals (version) values (?)", (model.version,))
            self.add(at, "approval", model=model.version, sha256=hashlib.sha256(model.file).hexdigest(), by=by)

    def decide(self, record: dict, text: bytes) -> None:
        """A record."""
        with self:
            row = (record["decision"], record["application"]["person"], text)
            self.base.execute("insert into records values (?, ?, ?)", row)
            digest = hashlib.sha256(text).hexdigest()
            self.add(record["at"], "decision", decision=record["decision"], model=record["model"], sha256=digest)

    def erase(self, person: str, by: str, at: str) -> int:
        """No record of a person's any more; how many there were."""
        with self:
            found = self.base.execute("select decision from records where person = ?", (person,)).fetchall()
            self.base.execute("delete from records where person = ?", (person,))
            for (decision,) in found:
                self.base.execute("insert into erased values (?)", (decision,))
                self.add(at, "erasure", decision=decision, by=by)
        return len(found)

    def add(self, at: str, event: str, **more: str) -> None:
        """The next line."""
        line = json.dumps({"previous": self.head()[1], "at": at, "event": event, **more}).encode()
        self.base.execute("insert into trail (line) values (?)", (line,))

    def head(self) -> tuple[int, str]:
        """How many lines there are, and the last one's digest."""
        row = self.base.execute("select number, line from trail order by number desc limit 1").fetchone()
        return (row[0], hashlib.sha256(row[1]).hexdigest()) if row else (0, "0" * 64)

    def lines(self, first: int, most: int) -> list[bytes]:
        """Lines from one on."""
        query = "select line from trail where number >= ? order by number limit ?"
        return [line for (line,) in self.base.execute(query, (first, most))]

    def model(self, version: str) -> Model | None:
        """By its version."""
        row = self.base.execute("select version, file, by from models where version = ?", (version,)).fetchone()
        return Model(*row) if row else None

    def in_service(self) -> Model | None:
        """What was approved last."""
        row = self.base.execute("select version from approvals order by number desc limit 1").fetchone()
        return self.model(row[0]) if row else None

    def record(self, decision: str) -> bytes | None:
        """As it was written."""
        row = self.base.execute("select record from records where decision = ?", (decision,)).fetchone()
        return row[0] if row else None

    def was_erased(self, decision: str) -> bool:
        """Was there a record?"""
        return self.base.execute("select 1 from erased where decision = ?", (decision,)).fetchone() is not None

    def __enter__(self) -> None:
        self.base.execute("begin immediate")

    def __exit__(self, kind: object, *_: object) -> None:
        self.base.execute("rollback" if kind else "commit")
