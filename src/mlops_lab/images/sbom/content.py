"""Read an image's files, all of them once, and say which packages they make up.

Images that lie in an image (a node's containerd holds some) are read too, layer by layer. Not seen: packages of other
kinds, what a wheel or a static program carries without saying so, and the project's own files.
"""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mlops_lab.images.sbom import debian, golang, python
from mlops_lab.images.sbom.package import Package, merged

# Where containerd keeps the layers of images, and in what form.
_LAYER = re.compile(r"var/lib/containerd/io\.containerd\.content\.v1\.content/blobs/sha256/[0-9a-f]{64}")
_SYSTEM = ("usr/lib/os-release", "etc/os-release")


@dataclass(frozen=True)
class Content:
    """What an image holds.

    Attributes:
        packages: each version once, sorted.
        system: what its os-release says; empty for an image without an operating system.
    """

    packages: list[Package]
    system: dict[str, str]


def read(archive: Path) -> Content:
    """Read a file system as `docker export` writes it.

    Raises:
        LabError: Go is needed to read a program, and there is none to be had.
        tarfile.TarError: it is no such archive.
    """
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(archive) as opened:
        roots = list(_roots(opened, "/", Path(scratch)))
    packages = merged(package for root in roots for package in root.packages())
    return Content(packages, next((root.system for root in roots if root.system), {}))


@dataclass
class _Root:
    """One tree of files while it is read. What one file says of another is put together when all have been seen."""

    system: dict[str, str] = field(default_factory=dict)
    records: list[tuple[debian.Record, str]] = field(default_factory=list)
    copyrights: dict[str, tuple[str, ...]] = field(default_factory=dict)
    others: list[Package] = field(default_factory=list)

    def packages(self) -> list[Package]:
        return [*debian.packages(self.records, self.system, self.copyrights), *self.others]

    def take(self, path: str, place: str, file: IO[bytes], scratch: Path) -> None:
        """Note what a file says.

        Args:
            path: its path in the tree, without a leading `/`.
            place: the path to tell.
        """
        if path in _SYSTEM:
            self.system = self.system or _settings(_text(file))
        elif debian.STATUS.fullmatch(path):
            self.records += [(record, place) for record in debian.records(_text(file))]
        elif found := debian.COPYRIGHT.fullmatch(path):
            self.copyrights[found.group(1)] = debian.licences(_text(file))
        elif python.METADATA.fullmatch(path):
            self._add(python.distribution(_text(file), place))
        elif path.endswith(".whl"):
            self._add(python.wheel(file, place))
        elif golang.is_program(file):
            file.seek(0)
            copy = scratch / "program"
            with copy.open("wb") as target:
                shutil.copyfileobj(file, target)
            self.others += golang.modules(copy, place)

    def _add(self, package: Package | None) -> None:
        if package:
            self.others.append(package)


def _roots(archive: tarfile.TarFile, within: str, scratch: Path) -> Iterator[_Root]:
    """The tree in an archive, and those in layers that lie in it."""
    root = _Root()
    for member in archive:
        file = archive.extractfile(member) if member.isreg() or member.islnk() else None
        if file is None:
            continue
        path = member.name.removeprefix("./")
        if _LAYER.fullmatch(path):
            yield from _layer(file, f"{within}{path}!/", scratch)
        else:
            root.take(path, within + path, file, scratch)
    yield root


def _layer(file: IO[bytes], within: str, scratch: Path) -> Iterator[_Root]:
    if file.read(1) == b"{":  # a manifest or a configuration, which are kept beside layers
        return
    file.seek(0)
    with tarfile.open(fileobj=file) as opened:
        yield from _roots(opened, within, scratch)


def _text(file: IO[bytes]) -> str:
    return file.read().decode(errors="replace")


def _settings(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}
