"""Starts MLflow's tracking server in one process, on a database that is there and has the server's own schema.

The arguments are those of `mlflow server`. Three things are done around it:
- the database is waited for, and its schema is made the server's own, see `database_schema`;
- the server replaces this process: `mlflow server` would stay beside it, with as much memory again;
- work runs in one process (`--workers 1`), which a pod's limits suit.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, NoReturn

import database_schema as schema

WITHIN = 120.0  # s until the database must answer, and let itself be copied
COPIES = "DATABASE_COPIES"


def database_ready(uri: str, copies: int) -> None:
    """Wait for the database, and have its schema as this server needs it.

    Ends the process with the database's own words if it does not do what is asked of it in time.
    """
    import sqlalchemy

    end = time.monotonic() + WITHIN
    while True:
        try:
            settled(uri, copies)
            return
        except sqlalchemy.exc.DBAPIError as error:
            says = " ".join(str(error.orig).split())
            if time.monotonic() > end:
                sys.exit(f"the database is not ready after {WITHIN:g} s: {says}{advice(says)}")
            schema.say(f"the database is not ready yet: {says}")
            time.sleep(2)


def settled(uri: str, copies: int) -> None:
    """Have the database's schema as this server needs it.

    Raises:
        DBAPIError: the database does not answer, or refuses.
    """
    import sqlalchemy
    from alembic.script import ScriptDirectory
    from mlflow.store.db import utils
    from mlflow.version import VERSION

    # Ten seconds for a connection: a policy that drops packets must not hang the start.
    arguments = {"connect_timeout": 10} if uri.startswith("postgresql") else {}
    engine = sqlalchemy.create_engine(uri, connect_args=arguments, poolclass=sqlalchemy.pool.NullPool)
    with engine.connect() as connection:
        tables = sqlalchemy.inspect(connection).get_table_names()
    found = (utils._get_schema_version(engine) or "") if "alembic_version" in tables else ""
    scripts = ScriptDirectory.from_config(utils._get_alembic_config(""))
    known = {each.revision for each in scripts.walk_revisions()}
    own = schema.Schema(utils._get_latest_schema_revision(), known, VERSION)

    def upgrade() -> None:
        try:
            utils._upgrade_db(engine)
        except (
            sqlalchemy.exc.DBAPIError
        ) as error:  # in one transaction, so the schema is the old one; trying mends nothing
            raise RuntimeError("the database's schema could not be brought up to date") from error

    schema.settle(
        found, own, schema.Postgres(uri, arguments), upgrade, copies if engine.dialect.name == "postgresql" else 0
    )


def advice(says: str) -> str:
    """What to do about a refusal, where the database's words don't say it."""
    if "permission denied to create database" in says:
        return (
            ". Its schema changes with this MLflow, and is copied first: let the user create databases "
            "(ALTER ROLE ... CREATEDB), or take a dump and set backend.copies=0"
        )
    if "being accessed by other users" in says:
        return ". It is copied before its schema changes: end the other sessions, then try again"
    return ""


def become(command: list[str], *, extra_env: dict[str, str], **ignored: Any) -> NoReturn:
    """Replace this process by the server's command."""
    del ignored
    os.execvpe(str(command[0]), [str(word) for word in command], {**os.environ, **extra_env})


def main() -> None:
    if uri := os.environ.get("MLFLOW_BACKEND_STORE_URI", ""):
        database_ready(uri, int(os.environ.get(COPIES, "0")))
    import mlflow.server
    from mlflow.cli import cli

    mlflow.server._exec_cmd = become
    cli(["server", "--workers", "1", *sys.argv[1:]])


if __name__ == "__main__":
    main()
