"""The database's schema, made and brought up to date by Alembic before the server listens."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from mlops_lab.base.errors import LabError

_LOCK = 0x6D6C6F70  # of PostgreSQL's advisory locks: two servers that start do this one after the other


def settle(connection: Connection) -> None:
    """Bring the schema up to date, as a whole or not at all.

    Raises:
        LabError: a newer server has made it.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = _config(connection)
    found = MigrationContext.configure(connection).get_current_revision()
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    if found and found not in known:
        raise LabError(
            f"the class's database has schema {found}, which this server does not know: a newer one has made it",
            "start the newer server again, or restore a backup from before",
        )
    command.upgrade(config, "head")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
