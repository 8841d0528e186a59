"""Where things are: the project's own files, the user's cache, the user's records.

`MLOPS_LAB_HOME` moves cache and records together (tests use it); otherwise the XDG variables count.
"""

from __future__ import annotations

import os
from pathlib import Path


def project() -> Path:
    """The folder that holds `labs/`, `images/`, `manifests/` and `versions.toml`: a clone, or the wheel's copy."""
    packaged = Path(__file__).parents[1] / "_project"
    return packaged if packaged.is_dir() else Path(__file__).parents[3]


def _under(variable: str, fallback: str, kind: str) -> Path:
    if home := os.environ.get("MLOPS_LAB_HOME"):
        return Path(home) / kind
    root = os.environ.get(variable)
    return (Path(root) if root else Path.home() / fallback) / "mlops-lab"


def cache() -> Path:
    """What can be made again: built images, downloads, build logs. `lab images prune` deletes it."""
    return _under("XDG_CACHE_HOME", ".cache", "cache")


def state() -> Path:
    """What can't be made again: the learner's progress, attempts and hints taken."""
    return _under("XDG_STATE_HOME", ".local/state", "state")


def workspace() -> Path:
    """The folder of the learner's own files, one folder per lab; `MLOPS_LAB_WORKSPACE` moves it."""
    return Path(os.environ.get("MLOPS_LAB_WORKSPACE") or Path.home() / "mlops-lab").expanduser().absolute()


def is_file(path: Path) -> bool:
    """Whether the file exists and may be accessed: `Path.is_file` raises OSError where a folder is closed to us."""
    try:
        return path.is_file()
    except OSError:  # a link into a folder that is closed to us
        return False
