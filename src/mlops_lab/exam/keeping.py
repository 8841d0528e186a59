"""Workspaces of an exam as they are kept: copied, then emptied; and said apart, which of the two did not go."""

from __future__ import annotations

import contextlib
import shlex
import shutil
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.labs.workspace import keep_copy


class NotEmptied(LabError):
    """A folder is copied, and something in it can't be removed, such as files of root.

    Args:
        folder: what was copied.
        kept: the copy.
        why: what the system says.
    """

    def __init__(self, folder: Path, kept: Path, why: object) -> None:
        there = shlex.join(str(path) for path in sorted(folder.iterdir()))
        super().__init__(
            f"the copy of {folder} is in {kept}, and not all of it can be removed: {why}",
            f"remove it yourself: sudo rm -rf {there}",
        )
        self.kept = kept


def keep(folder: Path) -> Path | None:
    """Copy a folder to one with the date in its name, then empty it; None if it has no file of the candidate's.

    Raises:
        NotEmptied: it is copied, and not all of it goes; the rest has gone.
        LabError: the copy cannot be made; the folder is then as it was.
    """
    before = _copies(folder)
    try:
        return keep_copy(folder)
    except LabError as trouble:
        if made := _copies(folder) - before:
            _empty(folder)
            raise NotEmptied(folder, made.pop(), trouble.__cause__) from trouble
        raise


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()


def _copies(folder: Path) -> set[Path]:
    return set(folder.parent.glob(f"{folder.name}.*"))
