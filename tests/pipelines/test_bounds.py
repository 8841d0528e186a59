"""What nobody gets from the engine: its time and memory for a small file, its volume, Secrets, other runs' artifacts."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.conformance import pipelines
from tests.pipelines.conftest import Make
from tests.pipelines.test_robust import start


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_server_that_is_told_to_end_ends_cleanly(make: Make) -> None:
    engine = make()
    engine.stop()
    said = engine.said()
    assert "Traceback" not in said and "Error" not in said, said
    assert not (engine.data / "database" / "pipelines.db-wal").exists(), "the database was not closed"


def test_what_the_server_keeps_is_readable_by_its_own_user_only(make: Make) -> None:
    engine = make()
    engine.data.chmod(0o777)  # as the volume is on a kind cluster
    run = start(engine, pipelines.two_steps)
    assert engine.ended(run)["state"] == "SUCCEEDED"
    files = sorted(engine.data.rglob("pipelines.db*"))
    assert {file.name for file in files} == {"pipelines.db", "pipelines.db-shm", "pipelines.db-wal"}
    assert {mode(file) for file in files} == {0o600}
    assert {mode(folder) for folder in {file.parent for file in files}} == {0o700}
    assert {name: mode(engine.data / name) for name in ("artifacts", "logs", "parts")} == dict.fromkeys(
        ("artifacts", "logs", "parts"), 0o700
    )


def test_the_database_of_an_older_server_is_taken_over_and_closed_to_others(make: Make) -> None:
    engine = make()
    run = start(engine, pipelines.two_steps)
    assert engine.ended(run)["state"] == "SUCCEEDED"
    engine.kill()
    for file in (engine.data / "database").iterdir():  # as it was: beside the artifacts, open to all
        file.chmod(0o644)
        file.rename(engine.data / file.name)
    for folder in ("artifacts", "logs"):
        (engine.data / folder).chmod(0o755)
    engine.start()
    assert engine.api(f"runs/{run}")["state"] == "SUCCEEDED"
    assert {mode(file) for file in (engine.data / "database").iterdir()} == {0o600}
    assert {mode(engine.data / folder) for folder in ("database", "artifacts", "logs")} == {0o700}
    kept = engine.data / "pipelines.db"  # where the server before it looks, should it come back
    assert kept.is_symlink() and kept.samefile(engine.data / "database" / "pipelines.db")
    engine.kill()
    engine.start()
    assert engine.api(f"runs/{run}")["state"] == "SUCCEEDED"
