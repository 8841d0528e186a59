"""The alias is looked at as often as it was asked for, whatever failed before; only one that failed has pauses."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cut_off import cut_off
from tests.unit.components.conftest import ROOT

sys.path[:0] = [str(ROOT / "images" / "serving")]

from serving import following  # noqa: E402
from serving import registry as asked  # noqa: E402
from serving.registry import Unavailable  # noqa: E402

POLL = 0.02


class Registry:
    """What an alias means, or why it doesn't say; versions in `bad` can't be downloaded."""

    def __init__(self, *bad: str) -> None:
        self.means, self.away, self.bad = "1", False, bad
        self.looks, self.tried = 0, list[tuple[str, float]]()

    def version(self, alias: str) -> str:
        self.looks += 1
        if self.away:
            raise Unavailable("away")
        return self.means

    def download(self, version: str, folder: Path) -> None:
        self.tried.append((version, time.monotonic()))
        if version in self.bad:
            raise Unavailable(f"version {version} is broken")


class Loaded:
    """Stands for a model whose files are right."""

    metadata: dict[str, Any] = {}  # noqa: RUF012
    version, reason, load_seconds = "", "", 0.0

    def __init__(self, folder: Path) -> None:
        pass

    def start_loading(self) -> Loaded:
        return self

    def join(self) -> None:
        pass

    def probabilities(self, rows: Any) -> list[float]:
        return [0.5]


@pytest.fixture
def follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Registry], following.Following]]:
    """Follow a registry that is made up, with version 1 in service."""
    monkeypatch.setattr(following, "Model", Loaded)
    begun = []

    def begin(registry: Registry) -> following.Following:
        model = following.Following(registry, tmp_path, "production", poll=POLL)  # type: ignore[arg-type]
        begun.append((model, model.start_loading()))
        until(lambda: model.version == "1")
        return model

    yield begin
    for model, thread in begun:
        model.stop()
        thread.join(5)


def until(fits: Callable[[], bool], within: float = 5) -> None:
    end = time.monotonic() + within
    while not fits():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_version_that_fails_has_pauses_that_grow_and_the_next_one_has_none(follow: Any) -> None:
    registry = Registry("2")
    model = follow(registry)
    registry.means = "2"
    until(lambda: len(registry.tried) >= 6)
    times = [when for version, when in registry.tried if version == "2"]
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert pauses[-1] > 2 * pauses[0]
    looks = registry.looks
    until(lambda: registry.looks > looks + 5, within=pauses[-1])  # while the pause lasts, the alias is looked at
    registry.means = "3"
    until(lambda: model.version == "3", within=pauses[-1])


def test_a_version_that_comes_back_is_tried_at_once(follow: Any) -> None:
    registry = Registry("2")
    model = follow(registry)
    registry.means = "2"
    until(lambda: len(registry.tried) >= 6)
    registry.means, looks = "1", registry.looks
    until(lambda: registry.looks > looks + 1)
    registry.bad, registry.means = (), "2"
    until(lambda: model.version == "2", within=0.5)


def test_a_registry_that_was_away_is_asked_on_and_counts_for_no_version(follow: Any) -> None:
    registry = Registry()
    model = follow(registry)
    counted = following.FAILURES._value.get()  # type: ignore[attr-defined]
    registry.away, looks = True, registry.looks
    until(lambda: registry.looks > looks + 8, within=2)
    registry.away, registry.means = False, "2"
    until(lambda: model.version == "2", within=0.5)
    assert following.FAILURES._value.get() == counted  # type: ignore[attr-defined]


def test_a_registry_whose_answer_ends_in_its_middle_is_away() -> None:
    with cut_off() as url, pytest.raises(Unavailable, match="does not answer"):
        asked.Registry(url, "model").version("production")
