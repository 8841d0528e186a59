"""Archives that no `lab submit` writes: a grader lays none of them, and what they would do with a usual reader."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_lab.classroom import packing
from mlops_lab.classroom.grader import stage
from mlops_lab.labs.catalog import resolve

Made = Callable[[tarfile.TarFile], object]


def entry(name: str, kind: bytes = tarfile.REGTYPE, **more: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type = kind
    for key, value in more.items():
        setattr(found, key, value)
    return found


def file(to: tarfile.TarFile, name: str, content: bytes = b"x") -> None:
    to.addfile(entry(name, size=len(content)), io.BytesIO(content))


def link_and_through(to: tarfile.TarFile) -> None:
    to.addfile(entry("way", tarfile.SYMTYPE, linkname=".."))
    file(to, "way/outside")


# What makes the archive, and what of it is seen where it is unpacked as it is, in `folder/work`.
ATTEMPTS: dict[str, tuple[Made, Callable[[Path], bool]]] = {
    "a link out": (
        lambda to: to.addfile(entry("token", tarfile.SYMTYPE, linkname="/etc/passwd")),
        lambda folder: (folder / "work" / "token").is_symlink(),
    ),
    "a hard link": (
        lambda to: (file(to, "a"), to.addfile(entry("b", tarfile.LNKTYPE, linkname="a"))),
        lambda folder: (folder / "work" / "b").stat().st_nlink == 2,
    ),
    "a file through a link": (link_and_through, lambda folder: (folder / "outside").is_file()),
    "a path outside": (lambda to: file(to, "../outside"), lambda folder: (folder / "outside").is_file()),
    "a pipe": (
        lambda to: to.addfile(entry("model.yaml", tarfile.FIFOTYPE)),
        lambda folder: (folder / "work" / "model.yaml").is_fifo(),
    ),
    "a device": (
        lambda to: to.addfile(entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3)),
        lambda folder: os.getuid() != 0 or (folder / "work" / "null").is_char_device(),
    ),
    "a kubeconfig of its own": (
        lambda to: file(to, ".lab/kubeconfig", b"another"), lambda folder: (folder / "work" / ".lab").is_dir(),
    ),
    "more files than a workspace has": (
        lambda to: [file(to, f"f{number:04}") for number in range(packing.MOST_FILES + 1)],
        lambda folder: len(list((folder / "work").iterdir())) == packing.MOST_FILES + 1,
    ),
    "the same path twice": (
        lambda to: (file(to, "a", b"1"), file(to, "a", b"2")),
        lambda folder: (folder / "work" / "a").read_bytes() == b"2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTEMPTS)
def test_what_no_workspace_is_packed_as_is_not_laid(name: str, tmp_path: Path) -> None:
    make, shown = ATTEMPTS[name]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.USTAR_FORMAT) as to:
        make(to)
    safe, usual = tmp_path / "safe", tmp_path / "usual"
    for each in (safe, usual):
        each.mkdir()
    with pytest.raises(packing.Refused):
        stage.lay(out.getvalue(), resolve("04"), safe / "work", "localhost:5001", "")
    assert list(safe.iterdir()) == []
    (usual / "work").mkdir()
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as read:
        read.extractall(usual / "work", filter="fully_trusted")
    assert shown(usual)


def sparse() -> bytes:
    """GNU's form of a file of 10 GB that holds nothing: a few blocks of an archive."""
    header = bytearray(entry("sparse", tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    header[386:398] = header[398:410] = b"%011o " % 0
    header[483:495] = b"\x80\0\0\0" + (10 << 30).to_bytes(8, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + b"\0" * 1024


def test_a_file_of_10_gb_that_holds_nothing_is_not_laid(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(sparse())) as read:
        assert read.getmembers()[0].size == 10 << 30
    with pytest.raises(packing.Refused):
        stage.lay(sparse(), resolve("04"), tmp_path / "work", "localhost:5001", "")
    assert list(tmp_path.iterdir()) == []


def test_100000_files_are_not_laid(tmp_path: Path) -> None:
    one = entry("f").tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(packing.Refused, match="larger"):
        stage.lay(one * 100_000, resolve("04"), tmp_path / "work", "localhost:5001", "")
    assert list(tmp_path.iterdir()) == []
