"""What has to be on the disk before something else may be deleted, or made: a file's content, a folder's names."""

from __future__ import annotations

import os
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.state_files import write as write_whole


def write(file: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a file as a whole; it is on the disk, under its name, when this returns.

    Raises:
        LabError: it can't be written.
    """
    write_whole(file, text, mode=mode)
    to_disk(file.parent)


def to_disk(*places: Path) -> None:
    """Wait until the content of files, or the names that are in folders, are on the disk.

    Raises:
        LabError: the disk does not say so.
    """
    for each in places:
        try:
            number = os.open(each, os.O_RDONLY)
            try:
                os.fsync(number)
            finally:
                os.close(number)
        except OSError as trouble:
            raise LabError(
                f"it is not certain that {each} is on the disk: {trouble.strerror or trouble}",
                "check the disk, then run this again",
            ) from trouble
