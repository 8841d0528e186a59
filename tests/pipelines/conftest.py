"""One engine for the tests that only use it; a test that breaks it makes its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.engine import Engine, launcher, python

Make = Callable[..., Engine]


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The Python and the launcher that engines are made of."""
    return python(), launcher(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="session")
def engine(parts: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = Engine(*parts, tmp_path_factory.mktemp("shared"))
    yield made
    made.stop()


@pytest.fixture
def make(parts: tuple[Path, Path], tmp_path: Path) -> Iterator[Make]:
    """Makes engines with other settings."""
    made: list[Engine] = []

    def one(**settings: Any) -> Engine:
        made.append(Engine(*parts, tmp_path / str(len(made)), **settings))
        return made[-1]

    (tmp_path / "0").mkdir()
    (tmp_path / "1").mkdir()
    yield one
    for each in made:
        each.stop()
