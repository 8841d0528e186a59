"""The schema of MLflow's database at a start: copied before it changes, and the way back of an older server.

PostgreSQL's part is played by a dictionary here; with PostgreSQL and MLflow it is tests/e2e/test_platform.py.
"""

from __future__ import annotations

import importlib.util
import itertools
import re
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from mlops_lab.base.paths import project

PROGRAM = project() / "images" / "mlflow" / "database_schema.py"
FIRST, SECOND, THIRD = "aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"
ORDER = (FIRST, SECOND, THIRD)


@pytest.fixture
def schema(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program, with a clock that goes on a minute each time it is looked at."""
    spec = importlib.util.spec_from_file_location("database_schema", PROGRAM)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    minutes = itertools.count(1_800_000_000, 60)

    class Clock:
        gmtime = staticmethod(lambda: time.gmtime(next(minutes)))
        strftime = staticmethod(time.strftime)

    monkeypatch.setattr(module, "time", Clock)
    return module


class Server:
    """PostgreSQL: by the name of a database its schema's revision and the runs in it."""

    def __init__(self, name: str = "mlflow", revision: str = FIRST) -> None:
        self.name = name
        self.there: dict[str, tuple[str, tuple[str, ...]]] = {name: (revision, ()), "postgres": ("", ())}
        self.done: list[str] = []

    def names(self) -> list[str]:
        return list(self.there)

    def copy(self, name: str) -> None:
        self.done.append("copy")
        assert name not in self.there
        self.there[name] = self.there[self.name]

    def exchange(self, aside: str, back: str) -> None:
        assert aside not in self.there
        self.there[aside] = self.there.pop(self.name)
        self.there[self.name] = self.there.pop(back)

    def drop(self, name: str) -> None:
        del self.there[name]

    @property
    def revision(self) -> str:
        return self.there[self.name][0]

    def log(self, run: str) -> None:
        revision, runs = self.there[self.name]
        self.there[self.name] = revision, (*runs, run)

    def beside(self, what: str) -> list[tuple[str, tuple[str, ...]]]:
        return [has for name, has in sorted(self.there.items()) if f"_{what}_" in name]


def start(
    schema: ModuleType, server: Server, head: str, copies: int = 2, upgrade: Callable[[], Any] | None = None
) -> None:
    """An MLflow that works with a schema starts, and knows those before it."""

    def changed() -> None:
        server.done.append("upgrade")
        server.there[server.name] = head, server.there[server.name][1]

    known = ORDER[: ORDER.index(head) + 1]
    schema.settle(server.revision, schema.Schema(head, known, "3.0"), server, upgrade or changed, copies)


def test_a_schema_of_ones_own_and_an_empty_database_are_left_alone(schema: ModuleType) -> None:
    for revision in (SECOND, ""):
        server = Server(revision=revision)
        start(schema, server, SECOND)
        assert server.names() == ["mlflow", "postgres"] and server.done == []


def test_an_older_schema_is_copied_first_and_then_brought_up_to_date(schema: ModuleType) -> None:
    server = Server()
    server.log("before")
    start(schema, server, SECOND)
    assert server.done == ["copy", "upgrade"]
    assert server.revision == SECOND
    assert server.beside("at") == [(FIRST, ("before",))]
    assert any(re.fullmatch(rf"mlflow_at_{FIRST}_\d{{14}}", name) for name in server.names())


def test_without_a_copy_the_schema_stays(schema: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()

    def full(name: str) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(server, "copy", full)
    with pytest.raises(OSError, match="no space"):
        start(schema, server, SECOND)
    assert server.revision == FIRST and server.done == []


def test_an_older_server_goes_back_to_its_copy_and_keeps_the_newer_database(
    schema: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Server()
    server.log("before")
    start(schema, server, SECOND)
    server.log("after")
    start(schema, server, FIRST)
    assert server.there["mlflow"] == (FIRST, ("before",))
    assert server.beside("aside") == [(SECOND, ("before", "after"))]
    assert server.beside("at") == []
    said = capsys.readouterr().err
    assert f"schema {SECOND}, which MLflow 3.0 does not know" in said and "mlflow_aside_" in said


def test_an_update_after_a_way_back_keeps_all_that_was_put_aside(schema: ModuleType) -> None:
    server = Server()
    for turn in range(4):
        start(schema, server, SECOND)
        server.log(f"newer {turn}")
        start(schema, server, FIRST)
        server.log(f"older {turn}")
    assert len(server.beside("aside")) == 4
    assert server.there["mlflow"] == (FIRST, tuple(f"older {turn}" for turn in range(4)))


def test_an_older_server_with_no_copy_of_its_own_changes_nothing(schema: ModuleType) -> None:
    server = Server(revision=THIRD)
    server.there[f"mlflow_at_{SECOND}_20260101000000"] = SECOND, ()
    server.there[f"mlflow_2_at_{FIRST}_20260101000000"] = FIRST, ()  # another database's
    before = dict(server.there)
    with pytest.raises(SystemExit, match=f"no copy of schema {FIRST} to go back to"):
        start(schema, server, FIRST)
    assert server.there == before


def test_the_newest_copy_of_its_schema_is_gone_back_to(schema: ModuleType) -> None:
    server = Server(revision=SECOND)
    for year in (2024, 2026, 2025):
        server.there[f"mlflow_at_{FIRST}_{year}0101000000"] = FIRST, (str(year),)
    start(schema, server, FIRST)
    assert server.there["mlflow"] == (FIRST, ("2026",))


def test_one_copy_a_schema_is_kept_and_the_newest_of_them(schema: ModuleType) -> None:
    server = Server()

    def fails() -> None:
        raise RuntimeError

    for _ in range(3):  # as a server does that is started again and again
        with pytest.raises(RuntimeError):
            start(schema, server, SECOND, upgrade=fails)
        server.log("one more")
    assert server.beside("at") == [(FIRST, ("one more",) * 2)]
    start(schema, server, SECOND)
    start(schema, server, THIRD)
    assert [revision for revision, _ in server.beside("at")] == [FIRST, SECOND]
    server = Server()
    start(schema, server, SECOND, copies=1)
    start(schema, server, THIRD, copies=1)
    assert [revision for revision, _ in server.beside("at")] == [SECOND]


def test_with_no_copies_there_is_no_way_back(schema: ModuleType) -> None:
    server = Server()
    start(schema, server, SECOND, copies=0)
    assert server.done == ["upgrade"]
    server.there[f"mlflow_at_{FIRST}_20260101000000"] = FIRST, ("long ago",)
    with pytest.raises(SystemExit):
        start(schema, server, FIRST, copies=0)


def test_long_names_fit_and_stay_apart(schema: ModuleType) -> None:
    names = [f"{'a' * 50}_{number}" for number in range(2)]
    called = [schema.called(name, "aside", FIRST) for name in names]
    assert all(len(name.encode()) <= 63 for name in [*called, schema.called("b" * 28, "aside", FIRST)])
    assert called[0].partition("_aside")[0] != called[1].partition("_aside")[0]
    server = Server(names[0])
    start(schema, server, SECOND)
    start(schema, server, FIRST)
    assert server.revision == FIRST
