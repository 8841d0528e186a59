"""A learner's work as one archive: packed from a workspace, and unpacked where nothing that it says is trusted.

The archive is a ustar file of regular files in the order of their paths, without times, owners or compression: the
same work is the same bytes, and no archive can become larger than it is. `files` takes exactly what `pack` may make,
byte for byte, so that no header can say something else to another reader.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlops_lab.base import entries
from mlops_lab.base.errors import UsageError

LARGEST = 16 << 20  # bytes of an archive
LARGEST_FILE = 8 << 20  # bytes of one file
MOST_FILES = 1000
LONGEST_PATH = 150  # bytes, with the folders within the workspace; ustar has room for it however it is split
LONGEST_NAME = 100  # bytes of one name, as ustar has it
DEEPEST = 12  # names of a path
KIND = "application/x-tar"  # its media type

_MOST_LOOKED_AT = 5000  # entries of a workspace, with those that are left out
# Hidden files that say what belongs to an image or a chart.
_KEPT = {".dockerignore", ".helmignore"}
_GENERATED = (".pyc", ".pyo", "~", ".swp")
_BLOCK = 512
_ROUNDED = 20 * _BLOCK  # the size of an archive is a multiple of it
# Where a header has its fields.
_NAME, _MODE, _SIZE, _TYPE, _PREFIX = (0, 100), (100, 108), (124, 136), 156, (345, 500)
_FILE = ord("0")
_OCTAL = re.compile(rb"[0-7]{7,11}\0")
_SMALLER = "an archive takes files that you wrote: take out what is made or downloaded"


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

    All that can be refused by its name, kind, size or number is, before a file is read.

    Raises:
        UsageError: it has no file, too many or too large ones, or what is no regular file; names the first such.
    """
    left_out: list[str] = []
    try:
        found = list(_found(folder, left_out))
        content = _archive(_read(folder, name, size) for name, size in sorted(found))
    except OSError as trouble:
        raise UsageError(
            f"{trouble.filename or folder} can't be read: {trouble.strerror or trouble}",
            "start the lab first if the folder is missing; make yourself the owner of what is in it (sudo chown)",
        ) from trouble
    if not found:
        raise UsageError(f"there is no file of yours in {folder}", "work on the lab first")
    return Packed(
        content, hashlib.sha256(content).hexdigest(), tuple(sorted(name for name, _ in found)), tuple(sorted(left_out))
    )


def files(content: bytes) -> list[File]:
    """The files of an archive from anybody.

    Raises:
        Refused: it is not what `pack` makes.
    """
    if len(content) > LARGEST:
        raise Refused(f"the archive is larger than {LARGEST >> 20} MiB")
    found: list[File] = []
    for each in _entries(content):
        if len(found) == MOST_FILES:
            raise Refused(f"the archive has more than {MOST_FILES} files")
        found.append(each)
    if not found:
        raise Refused("the archive has no file")
    if clash := _clash([each.path for each in found]):
        raise Refused(clash)
    if [each.path for each in found] != sorted(each.path for each in found) or _archive(found) != content:
        raise Refused("the archive has not the form that lab submit writes")
    return found


def unpack(content: bytes, folder: Path) -> list[str]:
    """Write an archive's files into a new folder; returns their paths.

    Raises:
        Refused: it is not what `pack` makes; nothing was written.
        OSError: the folder is there, or can't be written.
    """
    found = files(content)
    folder.mkdir(parents=True)
    for each in found:
        file = folder / each.path
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as target:
            target.write(each.content)
        file.chmod(0o755 if each.executable else 0o644)
    return [each.path for each in found]


def _found(folder: Path, left_out: list[str]) -> Iterator[tuple[str, int]]:
    """Path and size of each file that belongs to the archive; what does not is added to `left_out`."""
    looked_at = number = total = 0
    for place, folders, names in os.walk(folder, onerror=_raise):
        inside = Path(place).relative_to(folder)
        looked_at += len(folders) + len(names)
        if looked_at > _MOST_LOOKED_AT:
            raise UsageError(f"{folder} has more than {_MOST_LOOKED_AT} files and folders", _SMALLER)
        skipped = {name for name in [*folders, *names] if _is_left_out(name)} | entries.left_out(place, folders)
        left_out += [(inside / name).as_posix() + ("/" if name in folders else "") for name in skipped]
        folders[:] = sorted(set(folders) - skipped)
        for name in sorted({*folders, *names} - skipped):
            path = (inside / name).as_posix()
            about = Path(place, name).lstat()
            if wrong := _kind(about.st_mode) or _wrong_path(path):
                raise UsageError(f"{_shown(path)}: {wrong}", "put a file in its place (cp -L), or take it out")
            if stat.S_ISDIR(about.st_mode):
                continue
            number, total = number + 1, total + about.st_size
            if about.st_size > LARGEST_FILE:
                raise UsageError(f"{path} is larger than {LARGEST_FILE >> 20} MiB", _SMALLER)
            if number > MOST_FILES:
                raise UsageError(f"{folder} has more than {MOST_FILES} files", _SMALLER)
            if _size(number, total) > LARGEST:
                raise UsageError(f"the files in {folder} have more than {LARGEST >> 20} MiB", _SMALLER)
            yield path, about.st_size


def _read(folder: Path, path: str, size: int) -> File:
    file = folder / path
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as opened:
        about = os.fstat(opened.fileno())
        content = opened.read(size + 1) if stat.S_ISREG(about.st_mode) else b""
    if not stat.S_ISREG(about.st_mode) or len(content) != size:
        raise UsageError(f"{path} changes while it is read", "wait until nothing writes it, then try again")
    return File(path, content, bool(about.st_mode & 0o100))


def _entries(content: bytes) -> Iterator[File]:
    """The files of a ustar archive, by what their headers say at fixed places; nothing that extends that form."""
    at = 0
    while len(header := content[at : at + _BLOCK]) == _BLOCK and any(header):
        prefix, name = (header[start:end].rstrip(b"\0") for start, end in (_PREFIX, _NAME))
        try:
            path = (prefix + b"/" + name if prefix else name).decode()
        except UnicodeDecodeError as broken:
            raise Refused("a name in the archive is no UTF-8") from broken
        if header[_TYPE] != _FILE:
            raise Refused(f"{_shown(path)} is no regular file")
        if wrong := _wrong_path(path):
            raise Refused(f"{_shown(path)}: {wrong}")
        mode, size = (_octal(header[start:end]) for start, end in (_MODE, _SIZE))
        if mode is None or size is None:
            raise Refused(f"the header of {_shown(path)} has no numbers")
        if size > LARGEST_FILE:
            raise Refused(f"{_shown(path)} is larger than {LARGEST_FILE >> 20} MiB")
        data = content[at + _BLOCK : at + _BLOCK + size]
        if len(data) < size:
            raise Refused(f"the archive ends within {_shown(path)}")
        yield File(path, data, bool(mode & 0o100))
        at += _BLOCK + -(-size // _BLOCK) * _BLOCK


def _octal(field: bytes) -> int | None:
    return int(field[:-1], 8) if _OCTAL.fullmatch(field) else None


def _archive(of: Iterable[File]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.USTAR_FORMAT, encoding="utf-8", errors="strict") as to:
        for each in of:
            entry = tarfile.TarInfo(each.path)
            entry.size, entry.mode = len(each.content), 0o755 if each.executable else 0o644
            to.addfile(entry, io.BytesIO(each.content))
    return out.getvalue()


def _size(number: int, total: int) -> int:
    """The most bytes that an archive of so many files with so many bytes has."""
    return total + number * 2 * _BLOCK + _ROUNDED


def _is_left_out(name: str) -> bool:
    return (name.startswith(".") and name not in _KEPT) or name == "__pycache__" or name.endswith(_GENERATED)


def _kind(mode: int) -> str:
    """What an entry is if it is neither a file nor a folder, in words."""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return ""
    kinds = {stat.S_IFLNK: "a link", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return f"{kinds.get(stat.S_IFMT(mode), 'a device')} is no file of its own"


def _wrong_path(path: str) -> str:
    """Why a path can't be in an archive, in words."""
    parts = path.split("/")
    try:
        lengths = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return "its name is no UTF-8"
    if any(part in ("", ".", "..") for part in parts):
        return "it is no path within the workspace"
    if any(_is_left_out(part) for part in parts):
        return "hidden and generated files are left out"
    if not path.isprintable() or "\\" in path:
        return "its name has a character that can't be seen, or a backslash"
    if max(lengths) > LONGEST_NAME or sum(lengths) + len(parts) - 1 > LONGEST_PATH:
        return f"its path is longer than {LONGEST_PATH} bytes, or a name in it longer than {LONGEST_NAME}"
    return f"it is deeper than {DEEPEST} folders" if len(parts) > DEEPEST else ""


def _clash(paths: list[str]) -> str:
    """Which path stands there twice, or is a file and a folder, in words."""
    seen: set[str] = set()
    folders = {path[:at] for path in paths for at, letter in enumerate(path) if letter == "/"}
    for path in paths:
        if path in seen or path in folders:
            return f"{_shown(path)} is there twice"
        seen.add(path)
    return ""


def _shown(text: str) -> str:
    """A text from anybody, for a message: one line, not too long."""
    return "".join(each if each.isprintable() else "?" for each in text[:LONGEST_PATH])


def _raise(trouble: OSError) -> None:
    raise trouble
