"""The folder that a step made as one member of a bundle, and out of it again: plain files and folders, nothing else."""

from __future__ import annotations

import gzip
import os
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from mlops_lab.base.errors import LabError
from mlops_lab.images.bundle.archive import Archive
from mlops_lab.images.bundle.form import Packed, Unusable

_LEVEL = 6
# Ordinary names, in folders or not: none that leads out of the folder, none that is hidden from who looks.
_PATH = re.compile(r"(?!.*(?:^|/)\.\.?(?:/|$))[^/\0\\]+(?:/[^/\0\\]+)*")


def pack(folder: Path, target: Path) -> int:
    """Write a folder to an archive, the same bytes for the same content; returns the size of its files.

    Raises:
        LabError: it has something else than plain files and folders.
    """
    part, size = target.with_name(f"{target.name}.part"), 0
    with (
        part.open("wb") as raw,
        gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in files(folder):
            member = tarfile.TarInfo(str(path.relative_to(folder)))
            member.size = path.stat().st_size
            member.mode = 0o755 if os.access(path, os.X_OK) else 0o644
            size += member.size
            with path.open("rb") as file:
                archive.addfile(member, file)
    part.replace(target)
    return size


def files(folder: Path) -> Iterator[Path]:
    """The files of a folder that go into a bundle, in order.

    Raises:
        LabError: it has something else than plain files and folders.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise LabError(f"{path} is no plain file, so it can't be in a bundle", "report this as a bug")
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def unpack(archive: Archive, packed: Packed, target: Path) -> None:
    """Write what a member holds into an empty folder.

    Raises:
        Unusable: it holds something else than plain files, has more than the list says, or is damaged.
    """
    left, source = packed.size, Inflated(archive.chunks(packed.file))
    with tarfile.open(fileobj=cast("IO[bytes]", source), mode="r|", bufsize=1 << 20) as opened:
        while member := _next(opened, archive, packed):
            shown = member.name[:100]
            if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
                raise _refused(archive, packed, f"{shown!r} in it is no plain file")
            if not _PATH.fullmatch(member.name) or Path(member.name).is_absolute():
                raise _refused(archive, packed, f"{shown!r} in it leads outside")
            if (left := left - member.size) < 0:
                raise _refused(archive, packed, "it is larger than its list says")
            path = target / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            file = opened.extractfile(member)
            assert file
            with path.open("xb") as out:
                while chunk := file.read(1 << 20):
                    out.write(chunk)
            path.chmod(0o755 if member.mode & 0o100 else 0o644)
    while source.read(1 << 20):
        pass


def _next(opened: tarfile.TarFile, archive: Archive, packed: Packed) -> tarfile.TarInfo | None:
    try:
        return opened.next()
    except tarfile.TarError as strange:
        raise _refused(archive, packed, f"it is no archive ({strange})") from strange


def _refused(archive: Archive, packed: Packed, why: str) -> Unusable:
    return Unusable(
        f"{archive.path} is refused: {packed.file}: {why}",
        "don't use it; make one on a machine with a network: lab bundle FILE",
    )


class Inflated:
    """What a compressed member holds, to be read like a file.

    Args:
        chunks: the member.

    Raises:
        Unusable: when it is read, if the member is not what the list says, or is compressed in no known way.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._inflate = chunks, zlib.decompressobj(wbits=31)

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        while not self._inflate.eof:
            data = self._inflate.unconsumed_tail or next(self._chunks, b"")
            try:
                if piece := self._inflate.decompress(data, size):
                    return piece
                if not data:
                    raise zlib.error("it ends too early")
            except zlib.error as strange:
                raise Unusable(
                    f"the bundle has a member that can't be unpacked: {strange}", "make it anew"
                ) from strange
        for _ in self._chunks:  # its hash is known when all of it was read
            pass
        return b""


def inflated(chunks: Iterator[bytes], target: IO[bytes]) -> None:
    """Write what a compressed member holds."""
    source = Inflated(chunks)
    while piece := source.read(1 << 20):
        target.write(piece)
