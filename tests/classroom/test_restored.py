"""What `lab class backup` and `lab class restore` do in the database, on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import IO

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import Completed
from mlops_lab.base.progress import Progress
from mlops_lab.classroom.teacher import backup, place, restore
from mlops_lab.classroom.teacher.place import Place
from mlops_lab.cluster.record import Cluster
from tests.classroom.postgres import _AS, _PLACES, Postgres
from tests.unit.classroom import teaching
from tests.unit.classroom.teaching import InMemory


class OnPostgres(InMemory):
    """A cluster whose database pod is a PostgreSQL of this machine."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        object.__setattr__(self, "folder", folder)

    folder: Path

    def pipe(
        self, *args: str, within: float, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
    ) -> None:  # fmt: skip
        self._inside(args, stdin, stdout)

    def run(self, *args: str, within: float = 30, stdin: str | None = None, check: bool = True) -> Completed:
        if args[0] != "exec":
            return super().run(*args, within=within, stdin=stdin, check=check)
        return Completed(0, self._inside(args, None, None), "")

    def sql(self, text: str, database: str = "classroom") -> str:
        return self._inside(("--", "psql", "-h", "/tmp", "-U", "postgres", "-Atc", text, database), None, None).strip()

    def _inside(self, args: tuple[str, ...], stdin: IO[bytes] | None, stdout: IO[bytes] | None) -> str:
        words = [each.replace("/tmp", str(self.folder)) for each in args[args.index("--") + 1 :]]
        path = f"PATH={_PLACES[0]}:{os.environ['PATH']}"
        done = subprocess.run(
            [*_AS, "env", path, *words], stdin=stdin or subprocess.DEVNULL, capture_output=True, check=False, cwd="/"
        )  # a pipe, as kubectl has it: pg_dump writes a file that it can move about in, in another order
        if done.returncode:
            raise LabError(done.stderr.decode(), "")
        if stdout:
            stdout.write(done.stdout)
            return ""
        return done.stdout.decode()


@pytest.fixture
def klass(postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> OnPostgres:
    """A class with a database of two results, owned by its own role."""
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    found = OnPostgres(postgres._folder)
    teaching.klass(found, "")
    monkeypatch.setattr(place, "Kubectl", lambda *_: found)
    found.sql("DROP DATABASE IF EXISTS classroom", "postgres")
    found.sql("DROP ROLE IF EXISTS classroom", "postgres")
    found.sql("CREATE ROLE classroom LOGIN", "postgres")
    found.sql("CREATE DATABASE classroom OWNER classroom", "postgres")
    found.sql("SET ROLE classroom; CREATE TABLE results (n int); INSERT INTO results VALUES (1), (2)")
    return found


def test_what_was_saved_is_back_and_belongs_to_the_server(
    klass: OnPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, file = Place(Cluster("kind-mlops-lab", "")), tmp_path / "autumn.tar"
    backup.make(here, file, Progress())
    klass.sql("INSERT INTO results VALUES (3)")
    monkeypatch.setattr(restore, "_start", lambda *_, **__: None)
    restore.put(here, file, Progress())
    assert klass.sql("SELECT count(*) FROM results") == "2"
    assert klass.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'results'") == "classroom"
    assert klass.sql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'classroom'") == "classroom"
    assert klass.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'classroom_%'") == "0"


def test_a_restore_that_fails_leaves_what_was_there_and_can_be_tried_again(
    klass: OnPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, file = Place(Cluster("kind-mlops-lab", "")), tmp_path / "autumn.tar"
    backup.make(here, file, Progress())
    klass.sql("INSERT INTO results VALUES (3)")
    fails = [True]

    def start(*_: object, check: bool = True) -> None:
        if check and fails:
            raise LabError("its records are not whole", "")

    monkeypatch.setattr(restore, "_start", start)
    with pytest.raises(LabError, match="was not restored"):
        restore.put(here, file, Progress())
    assert klass.sql("SELECT count(*) FROM results") == "3"
    fails.clear()
    restore.put(here, file, Progress())
    assert klass.sql("SELECT count(*) FROM results") == "2"


def test_who_is_connected_is_cut_off(klass: OnPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, file = Place(Cluster("kind-mlops-lab", "")), tmp_path / "autumn.tar"
    backup.make(here, file, Progress())
    klass.sql("INSERT INTO results VALUES (3)")
    monkeypatch.setattr(restore, "_start", lambda *_, **__: None)
    words = ["psql", "-h", str(klass.folder), "-U", "postgres", "-c", "SELECT pg_sleep(60)", "classroom"]
    with subprocess.Popen(
        [*_AS, "env", f"PATH={_PLACES[0]}:{os.environ['PATH']}", *words], stderr=subprocess.PIPE, cwd="/"
    ) as other:
        while klass.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%'", "postgres") == "1":
            time.sleep(0.05)
        restore.put(here, file, Progress())
        assert other.wait(10) != 0
    assert klass.sql("SELECT count(*) FROM results") == "2"


def test_a_dump_that_postgresql_does_not_take_changes_nothing(klass: OnPostgres, tmp_path: Path) -> None:
    here, file = Place(Cluster("kind-mlops-lab", "")), tmp_path / "autumn.tar"
    klass.sql("CREATE TABLE others (n int)")  # of another role than the dump's reader is
    klass.sql("CREATE EXTENSION IF NOT EXISTS file_fdw")
    backup.make(here, file, Progress())
    klass.sql("INSERT INTO results VALUES (3)")
    with pytest.raises(LabError, match=r"(?s)permission denied.*extension"):
        restore.put(here, file, Progress())
    assert klass.sql("SELECT count(*) FROM results") == "3"
    assert klass.sql("SELECT count(*) FROM pg_database WHERE datname = 'classroom_restored'") == "0"
    assert not [line for line in klass.log if "scale" in line]
