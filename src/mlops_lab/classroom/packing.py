"""A learner's work as one archive: packed from a workspace, and unpacked where nothing that it says is trusted.

The archive is a ustar file of regular files in the order of their paths, without times, owners or compression: the same
work is the same bytes, and no archive can become larger than it is. `unpack` takes exactly what `pack` may make, byte
for byte, so that no header can say anything else to another reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LARGEST = 16 << 20  # bytes of an archive
LARGEST_FILE = 8 << 20  # bytes of one file
MOST_FILES = 1000
LONGEST_PATH = 150  # bytes, with the folders within the workspace
LONGEST_NAME = 100  # bytes of one name
DEEPEST = 12  # names of a path
KIND = "application/x-tar"  # its media type


@dataclass(frozen=True)
class Packed:
    """An archive.

    Attributes:
        content: its bytes.
        sha256: their hash, in hex: the same work has the same.
        files: paths that are in it.
        left_out: paths of the workspace that are not, as they are hidden or generated; folders end with `/`.
    """

    content: bytes
    sha256: str
    files: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class File:
    """A file of an archive: its path with `/`, what is in it, and whether it is a program."""

    path: str
    content: bytes
    executable: bool = False


class Refused(ValueError):
    """An archive that is none of a workspace; the text says what is wrong with it, for who has sent it."""


def pack(folder: Path) -> Packed:
    """A workspace as an archive.

    Raises:
        UsageError: it has no file, too many or too large ones, or what is no regular file; names the first such.
    """
    raise NotImplementedError


def files(content: bytes) -> list[File]:
    """The files of an archive from anybody.

    Raises:
        Refused: it is not what `pack` makes.
    """
    raise NotImplementedError


def unpack(content: bytes, folder: Path) -> list[str]:
    """Write an archive's files into a new folder; returns their paths.

    Raises:
        Refused: it is not what `pack` makes; nothing was written.
        OSError: the folder is there, or can't be written.
    """
    raise NotImplementedError
