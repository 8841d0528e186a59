"""Artifacts and logs as files on the server's volume, by the key that follows the root in an artifact's URI.

A file appears under its name only when it is whole. A folder is kept and sent as a tar archive beside the name.
Writing stops before the volume is full: the database on it must go on.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Set
from pathlib import Path

from embedded.errors import ApiError, invalid, missing
from embedded.settings import Settings
from embedded.store import private

_PART = r"[^/\x00-\x1f\x7f-\x9f\ud800-\udfff]+"  # no control characters, and no half ones, which no name may have
_KEY = re.compile(f"{_PART}(/{_PART})*")
_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TAR = ".folder.tar"
_LONGEST = 255 - len(_TAR)  # bytes of a name that a file system takes
_UNWANTED = ("ABORTED", "its run was deleted: nobody waits for it any more")
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Artifacts:
    """The store of one server."""

    def __init__(self, settings: Settings) -> None:
        self._root, self._parts = settings.data / "artifacts", settings.data / "parts"
        self._logs = settings.data / "logs"
        self._reserve, self._prefix = settings.reserve, settings.artifacts.rstrip("/") + "/"
        for folder in (self._root, self._parts, self._logs):
            private(folder)
        for left in self._parts.iterdir():  # of a server that was killed
            left.unlink()
        self._coming: dict[Path, Path] = {}  # what is being written now, and as what it is still wanted

    def key(self, uri: str) -> str:
        """The key of a URI below this store's root; empty for one that is elsewhere."""
        return uri.removeprefix(self._prefix) if uri.startswith(self._prefix) else ""

    def uri(self, key: str) -> str:
        """The URI of a key."""
        return self._prefix + key

    def find(self, key: str) -> tuple[Path, bool]:
        """Where it is, and whether it is a folder's archive.

        Raises:
            ApiError: there is none, or the key is malformed.
        """
        path = self._path(key)
        if path.is_file():
            return path, False
        packed = path.with_name(path.name + _TAR)
        if packed.is_file():
            return packed, True
        raise missing("artifact", key)

    def has(self, uri: str) -> bool:
        """Is there content for this URI? True for one that is kept elsewhere, which nobody here can know."""
        key = self.key(uri)
        if not key:
            return True
        try:
            self.find(key)
        except ApiError:
            return False
        return True

    async def put(self, key: str, content: AsyncIterator[bytes], *, folder: bool) -> int:
        """Keep content under a key, in place of what was there; the number of bytes.

        Raises:
            ApiError: the volume has no room for it, or the key is none that a file can have.
        """
        path = self._path(key)
        return await self._write(path.with_name(path.name + _TAR) if folder else path, content)

    async def put_log(self, attempt: str, content: AsyncIterator[bytes]) -> int:
        """Keep an attempt's output."""
        return await self._write(self._logs / f"{attempt}.log", content)

    def keep_log(self, attempt: str, text: str) -> None:
        """Keep an attempt's output, unless its launcher has stored it already."""
        path = self._logs / f"{attempt}.log"
        if text and not path.exists() and self._room() > len(text):
            path.write_text(text)

    def log(self, attempt: str, most: int = 64 << 10) -> str | None:
        """The end of an attempt's output, if it was kept: so many bytes, since all of it may be many times that."""
        if (path := self.log_file(attempt)) is None:
            return None
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - most))
            return file.read(most).decode(errors="replace")

    def log_file(self, attempt: str) -> Path | None:
        """Where an attempt's output is, if it was kept."""
        path = self._logs / f"{attempt}.log"
        return path if path.is_file() else None

    def remove(self, keys: list[str], attempts: list[str]) -> None:
        """Remove artifacts and logs; those that are not there are passed over."""
        for attempt in attempts:
            path = self._logs / f"{attempt}.log"
            self._coming = {part: other for part, other in self._coming.items() if other != path}
            path.unlink(missing_ok=True)
        for key in keys:
            try:
                path, _ = self.find(key)
            except ApiError:
                continue
            path.unlink()
            self._tidy(path.parent)

    def clear(self, folder: str, kept: Set[str]) -> None:
        """Remove all that is below a key, also what is just being written, but for what has one of the kept keys."""
        try:
            top = self._path(folder)
        except ApiError:  # so nothing was ever stored there
            return
        self._coming = {part: path for part, path in self._coming.items() if top not in path.parents}
        for here, _, names in os.walk(top, topdown=False):
            for name in names:
                path = Path(here, name)
                if str(path.relative_to(self._root)).removesuffix(_TAR) not in kept:
                    path.unlink(missing_ok=True)
            self._tidy(Path(here))

    def runs(self) -> Iterator[tuple[str, str]]:
        """The runs that there are files of: the id of each and the key of its folder."""
        for path in self._root.glob(self.run("*", "*")):
            if _RUN.fullmatch(path.name):  # a pipeline's name may have a / in it
                yield path.name, str(path.relative_to(self._root))

    @staticmethod
    def run(pipeline: str, key: str) -> str:
        """The key of all that a run's steps store (driver/tasks.py makes the rest of it)."""
        return f"v2/artifacts/{pipeline}/{key}"

    def logs(self) -> list[str]:
        """The attempts that there are logs of."""
        return [path.stem for path in self._logs.glob("*.log")]

    def _tidy(self, folder: Path) -> None:
        """Remove a folder that is empty, and those above it."""
        for each in (folder, *folder.parents):
            if self._root not in each.parents:
                break
            try:
                each.rmdir()
            except OSError:
                break

    async def _write(self, path: Path, content: AsyncIterator[bytes]) -> int:
        number, name = tempfile.mkstemp(dir=self._parts)
        size, unfinished = 0, Path(name)
        self._coming[unfinished] = path
        try:
            with os.fdopen(number, "wb") as part:
                async for chunk in content:
                    if unfinished not in self._coming:
                        raise ApiError(*_UNWANTED)
                    if self._room() < len(chunk):
                        raise OSError(errno.ENOSPC, "what is left is for the database")
                    part.write(chunk)
                    size += len(chunk)
                part.flush()
                await asyncio.to_thread(os.fsync, number)  # or a node that loses its power may keep an empty file
            await asyncio.to_thread(_place, unfinished, path)
            if unfinished not in self._coming:  # deleted in this moment
                _drop(path)
                self._tidy(path.parent)
                raise ApiError(*_UNWANTED)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
                raise invalid(f"{path.name} can't be stored: what it would be inside of is no folder") from error
            if error.errno not in _FULL:
                raise
            message = f"the artifact store has no room for {path.name} ({size >> 20} MiB were written)"
            raise ApiError("RESOURCE_EXHAUSTED", message) from error
        finally:
            self._coming.pop(unfinished, None)
            _drop(unfinished)
        return size

    def _room(self) -> int:
        return shutil.disk_usage(self._root).free - self._reserve

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not _KEY.fullmatch(key) or ".." in parts or "." in parts or len(key) > 3000:
            raise invalid(f"{key!r} is no key of an artifact")
        if longest := next((part for part in parts if len(part.encode()) > _LONGEST), ""):
            raise invalid(f"{longest[:40]}… is too long: names in an artifact's key have at most {_LONGEST} bytes")
        return self._root / key


def _place(unfinished: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _drop(unfinished: Path) -> None:
    unfinished.unlink(missing_ok=True)
