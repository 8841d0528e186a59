"""A class on a cluster in memory, and commands on it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlops_lab.classroom.teacher import asking, place
from mlops_lab.cli.main import main
from mlops_lab.cluster import record
from mlops_lab.cluster.record import Cluster
from tests.unit.classroom import teaching
from tests.unit.classroom.teaching import InMemory, Served

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def authority() -> tuple[str, str]:
    return teaching.certificate("localhost")


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: tuple[str, str]) -> InMemory:
    """A kind cluster with a class, which is in use."""
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    found = InMemory()
    teaching.klass(found, authority[1])
    monkeypatch.setattr(place, "Kubectl", lambda *_: found)
    record.remember(Cluster("kind-mlops-lab", "localhost:5001", "small"))
    return found


@pytest.fixture
def served(kubectl: InMemory, monkeypatch: pytest.MonkeyPatch, authority: tuple[str, str]) -> Iterator[Served]:
    """The class's server, to which port forwards lead."""
    waits: list[float] = []
    monkeypatch.setattr(asking.Server.__init__, "__defaults__", (waits.append,))
    with teaching.serving(*authority) as server:
        monkeypatch.setattr(asking, "forward", lambda *_: contextlib.nullcontext(server.server_port))
        server.waits = waits  # type: ignore[attr-defined]
        yield server


@pytest.fixture
def teach(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command: its exit code, output, and what it said beside it."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(("class", *words))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run
