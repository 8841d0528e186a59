"""kind itself: the one on PATH where its version is the pinned one, else built from its Go module for this host."""

from __future__ import annotations

import shutil
from pathlib import Path

from mlops_lab.base.paths import project
from mlops_lab.base.processes import run
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import golang, kubernetes
from mlops_lab.images.sources import Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.store import Store

NAME = "go/kind"


def program(sources: Sources) -> Step:
    """A folder step with `kind`."""
    folder, first = project() / "images" / "kind", (kubernetes.programs(sources),)
    return golang.programs(
        sources, NAME, folder, ("sigs.k8s.io/kind",), seconds=8, heavy=False, after=first, for_host=True
    )


def on_path() -> Path | None:
    """The kind on PATH, if it is the pinned version."""
    found = shutil.which("kind")
    if found and f" {pin('kind.version')} " in f"{run([found, 'version'], within=20, check=False).stdout} ":
        return Path(found)
    return None


def path(store: Store) -> Path:
    """Where the program is, once its step was worked off (or the right one is on PATH)."""
    return on_path() or (store.current(NAME) or Path()) / "kind"
