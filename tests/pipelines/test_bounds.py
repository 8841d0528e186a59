"""What nobody gets from the engine: its time and memory for a small file, its volume, Secrets, other runs' artifacts."""

from __future__ import annotations

from tests.pipelines.conftest import Make


def test_a_server_that_is_told_to_end_ends_cleanly(make: Make) -> None:
    engine = make()
    engine.stop()
    said = engine.said()
    assert "Traceback" not in said and "Error" not in said, said
    assert not (engine.data / "pipelines.db-wal").exists(), "the database was not closed"
