"""What lies in a folder that is not ours and is no plain file: links that lead out of it, pipes, sockets, devices.

Whoever reads such a thing reads something else than the folder, or waits without end.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mlops_lab.base.paths import is_file

_OWN = {".git", ".venv", "__pycache__", ".lab"}  # not looked into: no copy of a folder has them
_ENVIRONMENT = "pyvenv.cfg"  # in a virtual environment, which has links to its Python
_MOST = 20_000  # entries that are looked at
_KINDS = {
    stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def left_out(folder: str, names: list[str]) -> set[str]:
    """Of a folder's entries those that no copy of it needs."""
    environments = {name for name in names if is_file(Path(folder, name, _ENVIRONMENT))}
    return _OWN.intersection(names) | environments


def files(folder: Path) -> Iterator[Path]:
    """What lies in a folder and in those below it, but for folders: not in hidden ones, and what no copy needs.

    What goes meanwhile is left out; nothing of a folder that is not there.
    """
    for path, folders, names in os.walk(folder):
        skipped = left_out(path, folders)
        folders[:] = [name for name in folders if name not in skipped and not name.startswith(".")]
        yield from (Path(path, name) for name in names)


def without_content(folder: str, names: list[str]) -> set[str]:
    """Of a folder's entries pipes, sockets and devices, of which there is nothing to copy."""
    return {name for name in names if _KINDS.get(stat.S_IFMT(Path(folder, name).lstat().st_mode))}


def strange(folder: Path) -> str:
    """The first entry that is neither a file, a folder, nor a link within it, in words; empty if there is none."""
    root = os.path.realpath(folder)
    for number, path in enumerate(_entries(root)):
        if found := what(path, root):
            return f"{path.relative_to(root)} is {found}"
        if number > _MOST:
            return ""
    return ""


def what(path: Path, root: str) -> str:
    """What an entry is if it is none of the folder's own, in words; empty for a file, a folder, and a link to one.

    Args:
        root: the folder, without links in its own path.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:  # an editor's, which has gone
        return ""
    if not stat.S_ISLNK(mode):
        return _KINDS.get(stat.S_IFMT(mode), "")
    end = os.path.realpath(path)  # of what leads nowhere, as an editor's mark that a file is open, where it would
    if end != root and not end.startswith(root + os.sep):
        return f"a link to {path.readlink()}, which is not in the folder"
    return _KINDS.get(stat.S_IFMT(Path(end).lstat().st_mode), "") if os.path.lexists(end) else ""


def text(path: Path, most: int) -> str:
    """The beginning of a file, up to so many bytes, as UTF-8; nothing of a pipe or a device, and no waiting for it.

    Raises:
        OSError: it is not there, not to be read, or no regular file.
        UnicodeDecodeError: it is no text.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "no regular file", str(path))
        return file.read(most).decode("utf-8")


def _entries(root: str) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        skipped = left_out(folder, folders)
        folders[:] = sorted(name for name in folders if name not in skipped)
        for name in sorted([*folders, *files]):
            yield Path(folder, name)
