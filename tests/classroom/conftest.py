"""The class's database for tests: a file of SQLite, or Debian's PostgreSQL on a socket in a folder of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_lab.classroom.server.database import Database
from tests.classroom.postgres import Postgres


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database with the newest schema and nobody in it."""
    made = Database(f"sqlite:///{tmp_path}/class.db")
    made.settle()
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server of its own, which a test may stop and start."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path is short
    server = Postgres(folder)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def on_postgres(postgres: Postgres) -> Iterator[Database]:
    """A database of its own on that server."""
    made = Database(postgres.database())
    made.settle()
    yield made
    made.close()
