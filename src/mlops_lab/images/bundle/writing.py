"""Write a bundle, which may take minutes: what an interrupted run has written stays, and the next one goes on there.

Until it is whole it is called FILE.part. Its list is known before the first member is written, so each member has its
place; what is there already counts if it is what the list says.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

from mlops_lab.base.durable import to_disk
from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.progress import Progress
from mlops_lab.images.bundle.archive import CHUNK, Archive, require_room
from mlops_lab.images.bundle.form import NAME, File, Manifest, Unusable, parsed
from mlops_lab.images.bundle.meter import Meter, sized

Content = Callable[[], Iterable[bytes]]
_ENDS = bytes(2 * tarfile.BLOCKSIZE)
_SIZE = 124  # where a member's size is in its header


def refuse_strangers(target: Path) -> None:
    """See that a bundle may be written there: what has the name may only be one, and FILE.part what is left of one.

    Raises:
        UsageError: it is something else, or no folder that can be written to.
    """
    folder = target.absolute().parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder} is no folder that can be written to", "name a file elsewhere: lab bundle FILE")
    if target.is_dir() or (target.exists() and not target.is_file()):
        raise UsageError(f"{target} is no file", "name a file: lab bundle FILE")
    if target.exists() and target.stat().st_size:
        try:
            Archive(target)
        except Unusable as strange:
            raise UsageError(
                f"{target} is there, and it is no bundle that could be replaced", "name another file"
            ) from strange
    part = _part(target)
    if part.exists() and not _begun(part):
        raise UsageError(
            f"{part} is there, and no interrupted run has left it: while a bundle is written it has this name",
            "name another file, or move that one",
        )


def write(target: Path, manifest: Manifest, contents: Mapping[str, Content], progress: Progress) -> Manifest:
    """Write a bundle as a whole; returns its list, which may be that of an interrupted run.

    Args:
        contents: what each member holds, in pieces; called when it is written.

    Raises:
        LabError: there is no room, the file can't be written, or a member's content has changed; what was written stays
            for the next run.
    """
    part = _part(target)
    manifest = _same(part, manifest) or manifest
    heads = [_head(NAME, len(manifest.text().encode())) + _padded(manifest.text().encode())]
    heads += [_head(name, file.size) for name, file in manifest.files.items()]
    kept, at = _kept(part, manifest, heads)
    if kept:
        done = sum(file.size for file in list(manifest.files.values())[:kept])
        progress.say(f"going on with {part}: {sized(done)} of {sized(manifest.size)} are in it")
    whole = sum(map(len, heads)) + sum(_up(file.size) for file in manifest.files.values()) + len(_ENDS)
    require_room(target.absolute().parent, whole - at, f"{target.name}")
    meter = Meter(progress, f"writing {target.name}", manifest.size)
    try:
        with progress.piece(f"writing {target.name} ({sized(whole)})"), part.open("r+b" if at else "wb") as file:
            file.truncate(at)
            file.seek(at)
            if not at:
                file.write(heads[0])
            for number, (name, wanted) in enumerate(manifest.files.items()):
                if number < kept:
                    meter.add(wanted.size)
                    continue
                file.write(heads[1 + number])
                _member(file, name, wanted, contents[name](), meter)
            file.write(_ENDS)
        to_disk(part)
        part.replace(target)
    except OSError as trouble:
        if isinstance(trouble, BrokenPipeError) or trouble.filename not in (None, str(part)):
            raise  # of whoever reads what this command prints, or of a member's content
        raise _not_written(trouble, target, part) from trouble
    to_disk(target.absolute().parent)
    return manifest


def _part(target: Path) -> Path:
    """What a bundle is called until it is whole."""
    return target.with_name(f"{target.name}.part")


def _begun(part: Path) -> bool:
    """Whether a file is the beginning of a bundle, however short: a list, of whatever size, comes first."""
    head = _head(NAME, 0)[:_SIZE]
    try:
        if not part.is_file():
            return False
        with part.open("rb") as file:
            return head.startswith(file.read(len(head)))
    except OSError:
        return False


def _not_written(trouble: OSError, target: Path, part: Path) -> LabError:
    folder = target.absolute().parent
    if trouble.errno in (errno.ENOSPC, errno.EDQUOT):
        return LabError(
            f"the disk is full at {folder}",
            f"make room there, then run the same command again: it goes on with {part.name}",
        )
    if trouble.errno == errno.EFBIG:
        return LabError(
            f"{folder} takes no file as large as {target.name}",
            "write it elsewhere; a stick with FAT32 takes 4 GB a file, one with exFAT takes more",
        )
    return LabError(
        f"{target} can't be written: {trouble.strerror or trouble}",
        "see that the disk is there and not read-only, then run the same command again; or name a file elsewhere",
    )


def _same(part: Path, manifest: Manifest) -> Manifest | None:
    """The list of an interrupted run, if it is the same but for the time."""
    try:
        with tarfile.open(part, "r:") as opened:
            first = opened.next()
            file = opened.extractfile(first) if first and first.name == NAME and first.isreg() else None
            before = parsed(file.read()) if file else None
    except (OSError, tarfile.TarError, ValueError, RecursionError):
        return None
    return before if before == replace(manifest, made=before.made if before else "") else None


def _kept(part: Path, manifest: Manifest, heads: list[bytes]) -> tuple[int, int]:
    """How many members an interrupted run has written well, and where the next one belongs."""
    if not part.is_file():
        return 0, 0
    with part.open("rb") as file:
        if file.read(len(heads[0])) != heads[0]:
            return 0, 0
        kept, at = 0, len(heads[0])
        for head, wanted in zip(heads[1:], manifest.files.values(), strict=True):
            if file.read(len(head)) != head or measured(_some(file, wanted.size)) != wanted:
                break
            blank = _up(wanted.size) - wanted.size
            if len(file.read(blank)) < blank:
                break
            kept, at = kept + 1, file.tell()
    return kept, at


def _some(file: IO[bytes], size: int) -> Iterable[bytes]:
    while size and (chunk := file.read(min(CHUNK, size))):
        size -= len(chunk)
        yield chunk


def _member(file: IO[bytes], name: str, wanted: File, content: Iterable[bytes], meter: Meter) -> None:
    digest, size = hashlib.sha256(), 0
    for chunk in content:
        size += len(chunk)
        if size > wanted.size:
            break
        digest.update(chunk)
        file.write(chunk)
        meter.add(len(chunk))
    if size != wanted.size or digest.hexdigest() != wanted.sha256:
        raise LabError(f"{name} has changed while the bundle was written", "run the same command again")
    file.write(bytes(_up(size) - size))


def measured(content: Iterable[bytes]) -> File:
    """The size and hash of a content, to be put in the list."""
    digest, size = hashlib.sha256(), 0
    for chunk in content:
        digest.update(chunk)
        size += len(chunk)
    return File(size, digest.hexdigest())


def pieces(file: Path) -> Iterable[bytes]:
    """A file, piece by piece."""
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            yield chunk


def _head(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member.tobuf(tarfile.PAX_FORMAT)


def _padded(content: bytes) -> bytes:
    return content + bytes(_up(len(content)) - len(content))


def _up(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def digest_of(file: Path, progress: Progress) -> str:
    """The hash of a whole file, as `sha256sum` prints it."""
    digest = hashlib.sha256()
    meter = Meter(progress, f"reading {file.name}", file.stat().st_size)
    for chunk in pieces(file):
        digest.update(chunk)
        meter.add(len(chunk))
    return digest.hexdigest()
