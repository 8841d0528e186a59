"""What is in an image's layers, also packed and in other letters: in an archive, compressed, as Base64 or hexadecimal.

Limits: an archive within an archive is not opened, and of what one unpacks to only the first part is read.
"""

from __future__ import annotations

import base64
import bz2
import contextlib
import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, cast

from mlops_lab.measure.images import layers
from mlops_lab.measure.images.layers import Content, Hit

_LARGEST = 64 << 20  # bytes of a packed file
_UNPACKED = 256 << 20  # bytes that are read of what it unpacks to
_CHUNK = 1 << 20
_BROKEN = (OSError, EOFError, ValueError, RuntimeError, struct.error, lzma.LZMAError, zlib.error, zipfile.BadZipFile)
Needles = Mapping[str, bytes]


def read(
    archive: Path,
    needles: Needles,
    skip: Collection[str] = (),
    *,
    unspelled: Needles | None = None,
    plain: Needles | None = None,
) -> Content:
    """Read an archive that `docker save` wrote of one image.

    Args:
        needles: pieces of text to look for, by a name for the report: also packed, and in Base64 and hexadecimal.
        skip: digests of layers whose files are not searched.
        unspelled: more of them, in their own letters, also packed.
        plain: more of them, as they are alone.

    Raises:
        LabError: it is no such archive.
    """
    other = {f"{name}\n{place}": text for name in needles for place, text in enumerate(_spelled(needles[name]))}
    wanted = {**needles, **(unspelled or {}), **other}
    found = layers.read(archive, {**wanted, **(plain or {})}, skip)
    hits = [replace(hit, needle=hit.needle.partition("\n")[0]) for hit in found.hits]
    return replace(found, hits=(*hits, *_in_packed(archive, found, wanted, skip)))


def _spelled(text: bytes) -> list[bytes]:
    """A text in hexadecimal, of either case, and in Base64, wherever it begins in what was encoded."""
    found = [text.hex().encode(), text.hex().upper().encode()]
    for before in range(3):  # bytes that share its first group of three
        whole = base64.b64encode(b"x" * before + text).rstrip(b"=")
        # The first letters, and the last one, may stand for a part of other bytes, too.
        found.append(whole[(0, 2, 3)[before] : -1])
    return found


def _in_packed(archive: Path, found: Content, needles: Needles, skip: Collection[str]) -> list[Hit]:
    """Where the needles are in packed files of an image's layers."""
    hits = []
    with tarfile.open(archive) as outer:
        manifest = outer.extractfile("manifest.json")
        assert manifest
        for name, layer in zip(json.load(manifest)[0]["Layers"], found.layers, strict=True):
            if layer.digest in skip:
                continue
            stream = outer.extractfile(name)
            with tarfile.open(fileobj=stream, mode="r|*") as inner:
                for member in inner:
                    file = inner.extractfile(member) if member.isfile() and member.size <= _LARGEST else None
                    kinds = {each.partition("\n")[0] for each in _packed_in(file, needles)} if file else set()
                    path = member.name.removeprefix("./").lstrip("/")
                    hits += [Hit(kind, layer, path) for kind in sorted(kinds)]
    return hits


def _packed_in(file: IO[bytes], needles: Needles) -> set[str]:
    """The needles in what a file unpacks to; none where it is not packed, or can't be unpacked."""
    head = file.read(_MAGIC)
    opener = next((each for magic, each in _PACKED.items() if head.startswith(magic)), None)
    found: set[str] = set()
    if not opener:
        return found
    with contextlib.suppress(*_BROKEN):
        left, overlap = _UNPACKED, max(map(len, needles.values())) - 1
        for stream in opener(io.BytesIO(head + file.read())):
            rest = b""
            while left > 0 and (chunk := stream.read(_CHUNK)):
                left, held = left - len(chunk), rest + chunk
                found |= {name for name, needle in needles.items() if needle in held}
                rest = held[-overlap:]
    return found


def _members(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """The files of a zip archive; a wheel, and a program that Python runs as one file, is such a one."""
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                yield member


def _one(opener: Callable[[IO[bytes]], IO[bytes]]) -> Callable[[IO[bytes]], Iterator[IO[bytes]]]:
    """What has one stream in it, such as a tar archive that is compressed as a whole."""

    def opened(file: IO[bytes]) -> Iterator[IO[bytes]]:
        yield opener(file)

    return opened


_PACKED: dict[bytes, Callable[[IO[bytes]], Iterator[IO[bytes]]]] = {
    b"PK\x03\x04": _members,
    b"#!": _members,  # one that a line for the shell stands before, as zipapp writes it
    b"\x1f\x8b": _one(lambda file: cast(IO[bytes], gzip.GzipFile(fileobj=file))),
    b"BZh": _one(bz2.BZ2File),
    b"\xfd7zXZ\x00": _one(lzma.LZMAFile),
}
_MAGIC = max(map(len, _PACKED))
