"""The third way in which images come, beside pull and build: this machine has a bundle's, and asks nobody for others.

`note` is called when a bundle was loaded, `forget` when the user has had images pulled or built again. In between
whatever would fetch something asks `loaded` first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import cache
from mlops_lab.base.state_files import cached, write
from mlops_lab.images.sources import Mode


@dataclass(frozen=True)
class Loaded:
    """What this machine was set up from.

    Attributes:
        file: the bundle.
        mode: how its images were made, so which steps they are results of.
        refs: images that the cluster's registry has from it; the engine need not have them.
    """

    file: str
    mode: Mode
    refs: frozenset[str]

    def lacks(self, names: Sequence[str]) -> LabError:
        """The error about things that are not there and that nobody is asked for."""
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return LabError(
            f"{names[0]}{more} is not in the bundle {self.file}, from which this machine has its images",
            "load one that has it (lab up --bundle FILE; `lab bundle --help` says how it is made), or, with a network:"
            " lab up --images pull, or --images build",
        )


def loaded() -> Loaded | None:
    """What this machine was set up from; None where images are pulled or built."""
    found = cached(_file(), dict) or {}
    mode, refs = found.get("mode"), found.get("refs")
    if mode not in ("pull", "build") or not isinstance(refs, list):
        return None
    return Loaded(str(found.get("file")), "pull" if mode == "pull" else "build", frozenset(map(str, refs)))


def note(file: Path, mode: Mode, refs: Iterable[str]) -> None:
    """Remember that a bundle was loaded; what an earlier one brought in the same way counts on.

    Args:
        refs: the engine's names of the images that are in the cluster's registry now.
    """
    before = loaded()
    kept = before.refs if before and before.mode == mode else frozenset()
    write(_file(), json.dumps({"file": str(file), "mode": mode, "refs": sorted({*kept, *refs})}, indent=1))


def forget() -> None:
    """Images are pulled or built again."""
    _file().unlink(missing_ok=True)


def _file() -> Path:
    return cache() / "build" / "bundle.json"
