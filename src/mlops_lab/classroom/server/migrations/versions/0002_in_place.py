"""Submissions that are graded in place have no files, but a namespace."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("submissions", sa.Column("namespace", sa.String(63), nullable=False, server_default=sa.text("''")))
