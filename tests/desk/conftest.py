"""A desk that is served, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_lab.learner import watch
from tests.desk.made_up import Served, served


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records, workspaces, a home and bash for each test; checks begin without the pauses that a person needs."""
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLOPS_LAB_WORKSPACE", str(tmp_path / "work"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    for name, seconds in (("_SETTLE", 0.02), ("_SETTLE_AT_MOST", 0.1), ("_QUIET", 0.1), ("_AFTERMATH", 0.05)):
        monkeypatch.setattr(watch, name, seconds)


@pytest.fixture
def at_desk(apart: None, tmp_path: Path) -> Iterator[Served]:
    """A desk with labs 04 and 10, without a cluster."""
    with served(tmp_path) as found:
        yield found
