"""Somebody with records and workspaces of their own, on the cluster that is there and with all that is built."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from mlops_lab.base.paths import cache, state


@contextlib.contextmanager
def candidate(home: Path) -> Iterator[dict[str, str]]:
    """The environment of somebody whose home this is; this process has it, too, while the block runs."""
    built, clusters = cache(), state() / "clusters"
    env = {"MLOPS_LAB_HOME": str(home), "MLOPS_LAB_WORKSPACE": str(home / "work")}
    home.mkdir(parents=True, exist_ok=True)
    (home / "cache").unlink(missing_ok=True)
    (home / "cache").symlink_to(built)
    with patch.dict(os.environ, env):
        (state() / "clusters").mkdir(parents=True, exist_ok=True)
        for file in clusters.glob("*.json"):
            shutil.copy(file, state() / "clusters")
        yield env
