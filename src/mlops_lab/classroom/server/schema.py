"""The tables. `migrations` makes them; a test holds the one against the other."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

WAITING, GRADING, GRADED, FAILED = STATES = ("waiting", "grading", "graded", "failed")

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s", "uq": "uq_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)  # fmt: skip
_Number: Final = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up whole numbers of this type only


class Moment(TypeDecorator[Any]):
    """A time in UTC, which SQLite keeps without saying so."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """As it comes back."""
        from datetime import UTC

        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


# One row. Who changes the queue or the chain has it locked, so that these are changed one after the other.
klass = Table(
    "class", metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="one"), primary_key=True, autoincrement=False),
    Column("turn", BigInteger, nullable=False, server_default=text("0")),  # of what was taken last; see `queue`
    Column("secret", String(64), nullable=False),  # what sessions are signed with
)  # fmt: skip

learners = Table(
    "learners", metadata,
    Column("id", String(20), primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("ends", Date),
    Column("gone", Boolean, nullable=False, server_default=text("false")),  # no longer on the roster
    Column("guest", Boolean, nullable=False, server_default=text("false")),  # by a learning platform, not the roster
    Column("turn", BigInteger, nullable=False, server_default=text("0")),  # the earliest of the next submission
)  # fmt: skip

# Tokens of learners, of which only the hash is kept.
kits = Table(
    "kits", metadata,
    Column("id", String(16), primary_key=True),
    Column("learner", ForeignKey("learners.id"), nullable=False, index=True),
    Column("hash", String(64), nullable=False),
    Column("made", Moment, nullable=False),
    Column("ends", Moment, nullable=False),
    Column("revoked", Boolean, nullable=False, server_default=text("false")),
)  # fmt: skip

submissions = Table(
    "submissions", metadata,
    Column("id", _Number, primary_key=True),
    Column("learner", ForeignKey("learners.id"), nullable=False),
    Column("lab", String(2), nullable=False),
    Column("number", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("state", String(8), CheckConstraint(f"state IN {STATES}", name="state"), nullable=False),
    Column("turn", BigInteger, nullable=False),
    Column("behind", Integer, nullable=False),  # how many of the same learner were unfinished when it came
    Column("tries", Integer, nullable=False, server_default=text("0")),  # how often a grader has taken it
    Column("why", Text, nullable=False, server_default=text("''")),  # what ended the last try
    Column("hash", String(64), nullable=False, server_default=text("''")),  # of the token of the grader that has it
    Column("checker", Text, nullable=False, server_default=text("''")),  # the digest of what that grader checks with
    Column("grader", Text, nullable=False, server_default=text("''")),
    Column("taken", Moment),
    # The learner's own namespace where it is graded in place; empty where files were handed in.
    Column("namespace", String(63), nullable=False, server_default=text("''")),
    UniqueConstraint("learner", "lab", "number"),
    UniqueConstraint("learner", "lab", "sha256", name="uq_submissions_content"),
    Index("ix_submissions_open", "state", "turn", "behind", "id"),
)  # fmt: skip

archives = Table(
    "archives", metadata,
    Column("submission", ForeignKey("submissions.id"), primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)  # fmt: skip

# The chain. The database itself refuses to change or delete a row.
results = Table(
    "results", metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("submission", ForeignKey("submissions.id"), nullable=False, unique=True),
    Column("learner", String(20), nullable=False),
    Column("lab", String(2), nullable=False),
    Column("record", Text, nullable=False),  # the signed line, which alone counts
    Column("report", Text, nullable=False),  # what the learner is told beside it, such as why a check failed
)  # fmt: skip

# What a learning platform's messages need kept: JSON objects by kind and key, some with an end.
kept = Table(
    "kept", metadata,
    Column("kind", String(16), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    Column("until", Moment),
)  # fmt: skip
