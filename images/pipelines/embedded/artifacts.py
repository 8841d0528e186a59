"""Artifacts and logs as files on the server's volume, by the key that follows the root in an artifact's URI.

A file appears under its name only when it is whole. A folder is kept and sent as a tar archive beside the name.
Writing stops before the volume is full: the database on it must go on.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from embedded.errors import ApiError, invalid, missing
from embedded.settings import Settings
from embedded.store import private

_KEY = re.compile(r"[\w.=@+,:%~() -]+(/[\w.=@+,:%~() -]+)*")
_TAR = ".folder.tar"


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

    def key(self, uri: str) -> str:
        """The key of a URI below this store's root; empty for one that is elsewhere."""
        return uri.removeprefix(self._prefix) if uri.startswith(self._prefix) else ""

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
            ApiError: the volume has no room for it.
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

    def log(self, attempt: str) -> str | None:
        """An attempt's output, if it was kept."""
        path = self._logs / f"{attempt}.log"
        return path.read_text(errors="replace") if path.is_file() else None

    def remove(self, keys: list[str], attempts: list[str]) -> None:
        """Remove artifacts and logs; those that are not there are passed over."""
        for attempt in attempts:
            (self._logs / f"{attempt}.log").unlink(missing_ok=True)
        for key in keys:
            try:
                path, _ = self.find(key)
            except ApiError:
                continue
            path.unlink()
            for parent in path.parents:
                if parent == self._root or any(parent.iterdir()):
                    break
                parent.rmdir()

    async def _write(self, path: Path, content: AsyncIterator[bytes]) -> int:
        number, name = tempfile.mkstemp(dir=self._parts)
        size, unfinished = 0, Path(name)
        try:
            with os.fdopen(number, "wb") as part:
                async for chunk in content:
                    if self._room() < len(chunk):
                        raise OSError
                    part.write(chunk)
                    size += len(chunk)
            _place(unfinished, path)
        except OSError as error:
            message = f"the artifact store has no room for {path.name} ({size >> 20} MiB were written)"
            raise ApiError("RESOURCE_EXHAUSTED", message) from error
        finally:
            _drop(unfinished)
        return size

    def _room(self) -> int:
        return shutil.disk_usage(self._root).free - self._reserve

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key) or ".." in key.split("/") or "." in key.split("/"):
            raise invalid(f"{key!r} is no key of an artifact")
        return self._root / key


def _place(unfinished: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished.replace(path)


def _drop(unfinished: Path) -> None:
    unfinished.unlink(missing_ok=True)
