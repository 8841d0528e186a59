"""The first schema: learners, kits, submissions, and results that the database lets nobody change."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    _class()
    _learners()
    _submissions()
    _results()
    op.create_table(
        "kept",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("until", _MOMENT),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_kept")),
    )


def _class() -> None:
    made = op.create_table(
        "class",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_class")),
        sa.CheckConstraint("id = 1", name=op.f("ck_class_one")),
    )
    op.bulk_insert(made, [{"id": 1, "turn": 0, "secret": secrets.token_hex(32)}])


def _learners() -> None:
    op.create_table(
        "learners",
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("ends", sa.Date()),
        sa.Column("gone", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("guest", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("turn", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learners")),
    )
    op.create_table(
        "kits",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("learner", sa.String(20), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("made", _MOMENT, nullable=False),
        sa.Column("ends", _MOMENT, nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kits")),
        sa.ForeignKeyConstraint(["learner"], ["learners.id"], name=op.f("fk_kits_learner")),
    )
    op.create_index(op.f("ix_kits_learner"), "kits", ["learner"])


def _submissions() -> None:
    empty = sa.text("''")
    op.create_table(
        "submissions",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("learner", sa.String(20), nullable=False),
        sa.Column("lab", sa.String(2), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("behind", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("why", sa.Text(), nullable=False, server_default=empty),
        sa.Column("hash", sa.String(64), nullable=False, server_default=empty),
        sa.Column("checker", sa.Text(), nullable=False, server_default=empty),
        sa.Column("grader", sa.Text(), nullable=False, server_default=empty),
        sa.Column("taken", _MOMENT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
        sa.CheckConstraint("state IN ('waiting', 'grading', 'graded', 'failed')", name=op.f("ck_submissions_state")),
        sa.ForeignKeyConstraint(["learner"], ["learners.id"], name=op.f("fk_submissions_learner")),
        sa.UniqueConstraint("learner", "lab", "number", name=op.f("uq_submissions_learner")),
        sa.UniqueConstraint("learner", "lab", "sha256", name="uq_submissions_content"),
    )
    op.create_index("ix_submissions_open", "submissions", ["state", "turn", "behind", "id"])
    op.create_table(
        "archives",
        sa.Column("submission", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("submission", name=op.f("pk_archives")),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name=op.f("fk_archives_submission")),
    )


def _results() -> None:
    op.create_table(
        "results",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("submission", _NUMBER, nullable=False),
        sa.Column("learner", sa.String(20), nullable=False),
        sa.Column("lab", sa.String(2), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_results")),
        sa.UniqueConstraint("submission", name=op.f("uq_results_submission")),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name=op.f("fk_results_submission")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION results_stay() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'results are never changed or deleted'; END $$"
        )
        op.execute(
            "CREATE TRIGGER results_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON results "
            "FOR EACH STATEMENT EXECUTE FUNCTION results_stay()"
        )
        return
    for deed in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER results_stay_{deed.lower()} BEFORE {deed} ON results "
            "BEGIN SELECT RAISE(ABORT, 'results are never changed or deleted'); END"
        )
