"""Starts MLflow's tracking server in one process, on a database that is there and has the server's own schema.

The arguments are those of `mlflow server`. Three things are done around it:
- the database is waited for, and a schema that an older MLflow left is brought up to date;
- the server replaces this process: `mlflow server` would stay beside it, with as much memory again;
- work runs in one process (`--workers 1`), which a pod's limits suit.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, NoReturn

WITHIN = 120.0  # s until the database must answer


def database_ready(uri: str) -> None:
    """Wait for the database, and bring its schema up to date where it has one.

    Ends the process with the database's own words if it does not answer in time.
    """
    import sqlalchemy
    from mlflow.store.db import utils

    # Ten seconds for a connection: a policy that drops packets must not hang the start.
    arguments = {"connect_timeout": 10} if uri.startswith("postgresql") else {}
    engine = sqlalchemy.create_engine(uri, connect_args=arguments)
    end = time.monotonic() + WITHIN
    while True:
        try:
            with engine.connect():
                break
        except sqlalchemy.exc.OperationalError as error:
            says = " ".join(str(error.orig).split())
            print(f"the database does not answer yet: {says}", file=sys.stderr, flush=True)
            if time.monotonic() > end:
                sys.exit(f"the database did not answer within {WITHIN:g} s: {says}")
            time.sleep(2)
    with engine.connect() as connection:
        tables = sqlalchemy.inspect(connection).get_table_names()
    if "alembic_version" in tables and utils._get_schema_version(engine) != utils._get_latest_schema_revision():
        print("bringing the database's schema up to date", file=sys.stderr, flush=True)
        utils._upgrade_db(engine)
    engine.dispose()


def become(command: list[str], *, extra_env: dict[str, str], **ignored: Any) -> NoReturn:
    """Replace this process by the server's command."""
    del ignored
    os.execvpe(str(command[0]), [str(word) for word in command], {**os.environ, **extra_env})


def main() -> None:
    if uri := os.environ.get("MLFLOW_BACKEND_STORE_URI", ""):
        database_ready(uri)
    import mlflow.server
    from mlflow.cli import cli

    mlflow.server._exec_cmd = become
    cli(["server", "--workers", "1", *sys.argv[1:]])


if __name__ == "__main__":
    main()
