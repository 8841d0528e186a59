"""kwok's recipe: a program for this host, and stages of the module's own."""

from __future__ import annotations

from pathlib import Path

from mlops_lab.images.catalog import CATALOG, sources
from mlops_lab.images.recipes import kwok
from mlops_lab.images.steps import closure


class Built:
    """A store in which this was made."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def current(self, name: str) -> Path | None:
        return Path("/made") / name if name in self.names else None


def test_it_is_the_benchs_alone_and_compiled_after_kubernetes() -> None:
    known = sources("build", "amd64")
    made = kwok.program(known)
    assert [step.name for step in made.after] == ["go/kubernetes"] and not made.image
    assert kwok.NAME not in {step.name for step in closure([known.image(name) for name in CATALOG])}


def test_another_version_makes_other_stages() -> None:
    assert kwok.golang.required(kwok._FOLDER, kwok._MODULE) in kwok.stages(sources("build", "amd64")).inputs


def test_it_is_there_once_both_are_made() -> None:
    assert kwok.paths(Built(kwok.NAME)) is None  # type: ignore[arg-type]
    found = kwok.paths(Built(kwok.NAME, kwok.STAGES))  # type: ignore[arg-type]
    assert found == (Path("/made/go/kwok/kwok"), Path("/made/kwok/stages/stages.yaml"))
