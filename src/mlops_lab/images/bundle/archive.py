"""Read a bundle: which file it is, whether all of it is there and as its list says, and what a member holds.

Its headers are read first, and every one of them has to be of a plain file that the list names. So whatever leads
outside, points elsewhere or is a device is refused before a byte of it is taken.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.paths import cache
from mlops_lab.base.progress import Progress
from mlops_lab.base.state_files import cached, write
from mlops_lab.images.bundle.form import NAME, Manifest, Unusable, parsed
from mlops_lab.images.bundle.meter import Meter, sized

CHUNK = 1 << 20
_LONGEST = 16 << 20  # bytes of a list; one with all that there is has 100 kB
_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.DIRTYPE: "a folder",
}
_AGAIN = "copy it again from where you have it, or make it anew: lab bundle FILE"
_DONT = "don't use it: no bundle has such a thing; make one on a machine with a network: lab bundle FILE"
_MAKE = "on a machine with a network: lab bundle FILE"


class Archive:
    """A bundle whose list and headers were read; `check` reads the rest.

    Args:
        path: the file.

    Raises:
        Unusable: it is not there, is no bundle, is cut, or has members that no bundle has.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        if not self.path.is_file():
            raise Unusable(f"there is no file {path}", "name a bundle; to make one, " + _MAKE)
        self._size = self.path.stat().st_size
        with self._opened() as opened:
            self.manifest = self._manifest(opened)
            self._at = self._members(opened)

    def check(self, progress: Progress) -> None:
        """Read all of it and see that each member is what the list says.

        A file that was found well is not read again as long as it stays as it is.

        Raises:
            Unusable: one is not.
        """
        found = self.path.stat()
        seen = [str(self.path), found.st_size, found.st_mtime_ns, found.st_ino]
        stamp = cache() / "bundle" / "checked.json"
        if (cached(stamp, dict) or {}).get("file") == seen:
            return
        meter = Meter(progress, f"checking {self.path.name}", self.manifest.size)
        with progress.piece(f"checking {self.path.name} ({sized(self._size)})"):
            for name in self.manifest.files:
                for chunk in self.chunks(name):
                    meter.add(len(chunk))
        with contextlib.suppress(LabError):  # then it is read once more
            write(stamp, json.dumps({"file": seen}))

    def chunks(self, name: str) -> Iterator[bytes]:
        """What a member holds, piece by piece.

        Raises:
            Unusable: at its end, if that is not what the list says.
        """
        wanted, digest = self.manifest.files[name], hashlib.sha256()
        left = wanted.size
        with self.path.open("rb") as file:
            file.seek(self._at[name])
            while left and (chunk := file.read(min(CHUNK, left))):
                left -= len(chunk)
                digest.update(chunk)
                yield chunk
        if left:
            raise self._cut()
        if digest.hexdigest() != wanted.sha256:
            raise Unusable(f"{self.path} is damaged: {name} is not what its list says", _AGAIN)

    def copy(self, name: str, target: Path) -> None:
        """Write a member to a file, whole or not at all."""
        part = target.with_name(f".{target.name}.part")
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            for chunk in self.chunks(name):
                file.write(chunk)
        part.replace(target)

    def fits_host(self, pythons: Sequence[str] = ()) -> None:
        """See that its programs and packages are for this machine.

        Args:
            pythons: versions of Python, such as 3.12, of which its packages have to be for one.

        Raises:
            Unusable: they are not.
        """
        if (here := host_platform()) != self.manifest.host:
            raise self.foreign(self.manifest.host, here)
        if pythons and not set(pythons) & set(self.manifest.pythons):
            raise Unusable(
                f"{self.path} has packages for Python {', '.join(self.manifest.pythons)}, and this is {pythons[0]}",
                f"name another Python: PYTHON=python{self.manifest.pythons[-1]} scripts/quickstart --bundle FILE",
            )

    def foreign(self, made_for: str, here: str) -> Unusable:
        """The error about a bundle for other machines than this one."""
        return Unusable(f"{self.path} is for {made_for}, and this machine is {here}", f"make one on {here}: lab bundle")

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tarfile.TarFile]:
        try:
            with tarfile.open(self.path, "r:") as opened:
                yield opened
        except tarfile.TarError as strange:
            if self._size == 0:
                raise Unusable(f"{self.path} is empty", _AGAIN) from strange
            raise Unusable(f"{self.path} is no bundle: {strange}", _MAKE) from strange
        except OSError as trouble:
            raise Unusable(f"{self.path} can't be read: {trouble.strerror or trouble}", _AGAIN) from trouble

    def _manifest(self, opened: tarfile.TarFile) -> Manifest:
        first = opened.next()
        if first is None or first.name != NAME or not _plain(first) or first.size > _LONGEST:
            raise Unusable(f"{self.path} is no bundle: its first member is not {NAME}", _MAKE)
        try:
            file = opened.extractfile(first)
            content = file.read() if file else b""
        except tarfile.ReadError as short:
            raise Unusable(f"{self.path} is cut: not even its list is whole", _AGAIN) from short
        try:
            return parsed(content)
        except (ValueError, RecursionError) as wrong:
            raise Unusable(f"{self.path} can't be used: {wrong}", _MAKE) from wrong

    def _members(self, opened: tarfile.TarFile) -> dict[str, int]:
        """Where each member's content begins."""
        files, found = self.manifest.files, {}
        try:
            while member := opened.next():
                shown = member.name if len(member.name) < 100 else f"{member.name[:100]}…"
                if not _plain(member):
                    raise Unusable(f"{self.path} is refused: {shown!r} in it is {_kind(member)}", _DONT)
                if member.name not in files or member.name in found:
                    raise Unusable(f"{self.path} is refused: its list does not have {shown!r}, which is in it", _DONT)
                if member.size != files[member.name].size:
                    raise Unusable(f"{self.path} is damaged: {shown} has another size than its list says", _AGAIN)
                found[member.name] = member.offset_data
        except (tarfile.ReadError, OverflowError):  # its last member goes beyond the end of the file
            raise self._cut() from None
        ends = [found[name] + files[name].size for name in found]
        if self._size < max(ends, default=0) or (len(found) < len(files) and self._size < self.manifest.size):
            raise self._cut()
        if lacks := [name for name in files if name not in found]:
            raise Unusable(f"{self.path} is damaged: {lacks[0]} is in its list and can't be found", _AGAIN)
        return found

    def _cut(self) -> Unusable:
        whole = sized(self.manifest.size)
        return Unusable(f"{self.path} is cut: {sized(self._size)} of more than {whole} are there", _AGAIN)


def host_platform() -> str:
    """What programs for this machine are built for, such as `linux/amd64`."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}/{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def require_room(folder: Path, size: float, what: str) -> None:
    """See that there is room on a disk.

    Args:
        folder: where it is to be; it need not be there yet.
        size: bytes that are needed.

    Raises:
        LabError: there is not.
    """
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < size:
        raise LabError(
            f"{what} takes {sized(size)} at {there}, and {sized(free)} are free",
            f"free {sized(size - free)} there, then run the same command again",
        )


def _plain(member: tarfile.TarInfo) -> bool:
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()


def _kind(member: tarfile.TarInfo) -> str:
    return _KINDS.get(member.type, "no plain file")
