"""Workspaces as they are kept: copied, then emptied; and said apart, which of the two did not go."""

from __future__ import annotations

import os
import shlex
import shutil
from datetime import datetime
from pathlib import Path

from mlops_lab.base import entries
from mlops_lab.base.errors import LabError

_OURS = ".lab"  # in a workspace, with the key to the cluster; made anew with the lab


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
            f"remove the rest yourself, then try again: sudo rm -rf {there}",
        )
        self.kept = kept


def keep(folder: Path) -> Path | None:
    """Copy a folder to one with the date in its name, then empty it; None if it has no file of the learner's.

    The folder itself stays, so that a shell in it does not end up in the copy.

    Raises:
        NotEmptied: it is copied, and not all of it goes; the rest has gone.
        LabError: the copy cannot be made; the folder is then as it was.
    """
    if not folder.is_dir() or not any(path.name != _OURS for path in folder.iterdir()):
        return None
    if not _has_files(folder):
        _emptied(folder)
        return None
    kept = _free(folder.with_name(f"{folder.name}.{datetime.now():%Y%m%d-%H%M%S}"))
    part = kept.with_name(f".{kept.name}.part")
    try:
        shutil.copytree(folder, part, symlinks=True, ignore=_not_copied)
        part.rename(kept)
    except (OSError, shutil.Error) as trouble:
        shutil.rmtree(part, ignore_errors=True)
        raise LabError(
            f"the workspace {folder} can't be copied to {kept}: {trouble}",
            "check free disk space, and that all in it is yours to read; then try again",
        ) from trouble
    if stays := _emptied(folder):
        raise NotEmptied(folder, kept, stays) from stays
    return kept


def _has_files(folder: Path) -> bool:
    """Is there anything but folders, and what is ours? What can't be read counts as something."""

    def unreadable(trouble: OSError) -> None:
        raise trouble

    try:
        for place, folders, files in os.walk(folder, onerror=unreadable):
            folders[:] = [each for each in folders if each != _OURS]
            if files or any(Path(place, each).is_symlink() for each in folders):
                return True
    except OSError:
        return True
    return False


def _not_copied(folder: str, names: list[str]) -> set[str]:
    return entries.without_content(folder, names) | {_OURS}


def _emptied(folder: Path) -> OSError | None:
    """Remove what can be removed of a folder; returns the first that went wrong."""
    first: OSError | None = None
    for path in folder.iterdir():
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as trouble:
            first = first or trouble
            shutil.rmtree(path, ignore_errors=True)  # the rest of a folder
    return first


def _free(wanted: Path) -> Path:
    """The path, or with a number behind it where it is taken."""
    number, path = 1, wanted
    while path.exists():
        number += 1
        path = wanted.with_name(f"{wanted.name}-{number}")
    return path
