"""What a recipe is made of: steps with inputs, named by their content.

A step makes one thing: a folder in the cache, or an image in the engine. Its key is a hash of its inputs and of the
keys of what it needs, so the same inputs are never worked on twice, and a change rebuilds just what depends on it.
A result gets its final name only when it is whole.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_lab.base.paths import project

if TYPE_CHECKING:
    from mlops_lab.images.work import Work


@dataclass(frozen=True, eq=False)
class Step:
    """One thing to make.

    Args:
        name: unique, such as `go/kube`; also its folder in the cache and its log.
        make: makes it: fills `work.out` (a folder step) or makes the image `work.ref(step)` (an image step).
        inputs: what the result depends on: strings (pins, flags) and paths (a file's or folder's content counts).
        needs: steps whose results `make` reads.
        after: steps that should come first because they warm a compiler's cache; no part of the key.
        image: for an image step, the name:tag it stands for (`load:v1`); empty for a folder step.
        heavy: it keeps all cores busy; only one such step runs at a time.
        seconds: a guess for a first run on two cores; what this machine really took replaces it.
        within: the limit of the step in seconds.
    """

    name: str
    make: Callable[[Work], None]
    inputs: tuple[str | Path, ...]
    needs: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    image: str = ""
    heavy: bool = False
    seconds: float = 10
    within: float = 3600
    arch: str = field(default="", kw_only=True)

    @functools.cached_property
    def key(self) -> str:
        """Twelve hex digits that change with anything the result depends on."""
        digest = hashlib.sha256(f"{self.name}\0{self.image}\0{self.arch}".encode())
        for item in self.inputs:
            digest.update(b"\0" + (_digest(item) if isinstance(item, Path) else item).encode())
        for step in self.needs:
            digest.update(b"\0" + step.key.encode())
        return digest.hexdigest()[:12]

    @property
    def ref(self) -> str:
        """The engine's name of an image step's result: the image's own name, with the key in the tag."""
        name, _, tag = self.image.rpartition(":")
        return f"mlops-lab/{name.rpartition('/')[2]}:{tag}-{self.key}"


def closure(steps: list[Step]) -> list[Step]:
    """The steps and all that they need, each once, in an order that can be worked off."""
    seen: dict[Step, None] = {}

    def visit(step: Step) -> None:
        for needed in step.needs:
            visit(needed)
        seen.setdefault(step)

    for step in steps:
        visit(step)
    return list(seen)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for file in _files(path):
        mode = "x" if os.access(file, os.X_OK) else "-"
        digest.update(f"{file.relative_to(path.parent)}\0{mode}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise FileNotFoundError(f"a recipe names {path.relative_to(project())} as an input; there is no such file")
    for file in sorted(path.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file
