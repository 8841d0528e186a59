"""Archives of workspaces: the same work is the same bytes, and nothing that an archive says is trusted."""

from __future__ import annotations

import hashlib
import io
import os
import random
import socket
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_lab.base.errors import UsageError
from mlops_lab.base.paths import project
from mlops_lab.classroom import packing
from mlops_lab.classroom.packing import File, Refused, files, pack, unpack

Make = Callable[[Path], object]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "10-scale"
    (folder / "base").mkdir(parents=True)
    (folder / "deployment.yaml").write_text("kind: Deployment\n")
    (folder / "base/grün.yaml").write_text("kind: Service\n")
    (folder / "base.yaml").write_text("")
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    return folder


def test_a_workspace_comes_out_as_it_went_in(work: Path, tmp_path: Path) -> None:
    packed = pack(work)
    assert packed.files == ("base.yaml", "base/grün.yaml", "deployment.yaml", "run")
    assert packed.sha256 == hashlib.sha256(packed.content).hexdigest()
    assert files(packed.content)[3] == File("run", b"#!/bin/sh\n", True)
    target = tmp_path / "new/work"
    assert unpack(packed.content, target) == list(packed.files)
    assert {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()} == set(packed.files)
    assert (target / "base/grün.yaml").read_text() == "kind: Service\n"
    assert [(target / name).stat().st_mode & 0o777 for name in ("run", "base.yaml")] == [0o755, 0o644]
    assert pack(target).sha256 == packed.sha256
    with pytest.raises(FileExistsError):
        unpack(packed.content, target)


def test_the_same_work_is_the_same_bytes_whenever_and_by_whomever(work: Path, tmp_path: Path) -> None:
    before = pack(work)
    other = tmp_path / "other"
    for name in reversed(before.files):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_bytes((work / name).read_bytes())
        (other / name).chmod(0o700 if name == "run" else 0o600)
        os.utime(other / name, (1, 1))
    (other / "empty").mkdir()
    assert pack(other).content == before.content
    (other / "base.yaml").write_text("x")
    assert pack(other).sha256 != before.sha256


def test_hidden_and_generated_files_stay_and_are_named(work: Path) -> None:
    before = pack(work)
    names = ".lab/kubeconfig .git/config .venv/x __pycache__/a.pyc base/__pycache__/x base/.env a.pyc a.yaml~ env/bin/x"
    for name in names.split():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("secret")
    (work / "env/pyvenv.cfg").write_text("")
    (work / "env/bin/python3").symlink_to("/usr/bin/python3")
    os.mkfifo(work / ".lab/pipe")
    packed = pack(work)
    assert packed.content == before.content
    assert packed.left_out == (
        ".git/", ".lab/", ".venv/", "__pycache__/", "a.pyc", "a.yaml~", "base/.env", "base/__pycache__/", "env/",
    )  # fmt: skip
    (work / ".dockerignore").write_text(".env\n")
    assert ".dockerignore" in pack(work).files


def test_every_start_and_solution_of_the_labs_can_be_handed_in() -> None:
    folders = [*project().glob("labs/[0-9]*/start"), *project().glob("labs/[0-9]*/solution/*")]
    own = [folder for folder in folders if any(path.is_file() for path in folder.rglob("*"))]
    assert len(own) > 40
    for folder in own:
        packed = pack(folder)
        assert [each.path for each in files(packed.content)] == list(packed.files)


def fifo(at: Path) -> None:
    os.mkfifo(at / "pipe")


def bound(at: Path) -> None:
    here = Path.cwd()
    os.chdir(at)  # the name of a socket may not be long
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
    os.chdir(here)


def sparse(at: Path) -> None:
    with (at / "model.bin").open("wb") as file:
        file.truncate(10 << 30)


def many(at: Path) -> None:
    folder = at / "many"
    folder.mkdir()
    for number in range(packing.MOST_FILES + 1):
        (folder / str(number)).touch()


def halves(at: Path) -> None:
    for number in range(3):
        with (at / f"{number}.bin").open("wb") as file:
            file.truncate(packing.LARGEST_FILE - 1024)


def deep(at: Path) -> None:
    folder = at.joinpath(*["d"] * packing.DEEPEST)
    folder.mkdir(parents=True)
    (folder / "file").touch()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda at: (at / "a.yaml").symlink_to("/etc/passwd"), "a.yaml: a link is no file of its own"),
        (lambda at: (at / "a.yaml").symlink_to("base.yaml"), "a.yaml: a link is no file of its own"),
        (lambda at: (at / "a").symlink_to("base"), "a: a link is no file of its own"),
        (lambda at: (at / "a").symlink_to("nowhere"), "a: a link is no file of its own"),
        (fifo, "pipe: a named pipe is no file of its own"),
        (bound, "socket: a socket is no file of its own"),
        (sparse, "model.bin is larger than 8 MiB"),
        (many, "more than 1000 files"),
        (halves, "have more than 16 MiB"),
        (deep, "deeper than 12 folders"),
        (lambda at: (at / ("x" * 101)).touch(), "its path is longer than 150 bytes, or a name in it longer than 100"),
        (lambda at: (at / ("ü" * 51)).touch(), "longer than 100"),
        (lambda at: (at / "a\nb").touch(), "a?b: its name has a character that can't be seen"),
        (lambda at: (at / "a\\b").touch(), "or a backslash"),
        (lambda at: Path(os.fsdecode(os.fsencode(at) + b"/\xff")).touch(), "its name is no UTF-8"),
    ],
)  # fmt: skip
def test_what_is_no_file_of_a_lab_is_refused_by_name(make: Make, said: str, work: Path) -> None:
    make(work)
    with pytest.raises(UsageError) as refused:
        pack(work)
    assert said in refused.value.message
    assert refused.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_a_device_is_refused(work: Path) -> None:
    os.mknod(work / "device", 0o600 | 0o020000, os.makedev(1, 5))
    with pytest.raises(UsageError, match="device: a device is no file"):
        pack(work)


def test_too_many_or_too_large_files_are_refused_before_one_is_read(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> File:
        raise AssertionError("a file was read")

    monkeypatch.setattr(packing, "_read", read)
    for make in (sparse, many, fifo):
        make(work)
        with pytest.raises(UsageError):
            pack(work)
    monkeypatch.setattr(packing, "_MOST_LOOKED_AT", 500)
    with pytest.raises(UsageError, match="more than 500 files and folders"):
        pack(work / "many")


def test_no_file_no_folder_and_one_that_is_closed(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no file of yours"):
        pack(tmp_path / "empty")
    with pytest.raises(UsageError, match="can't be read"):
        pack(tmp_path / "none")


def test_a_file_that_changes_meanwhile_is_not_taken_half(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = packing._found

    def late(folder: Path, left_out: list[str]) -> object:
        for each in list(found(folder, left_out)):
            (folder / "run").write_text("now it is longer than it was")
            yield each

    monkeypatch.setattr(packing, "_found", late)
    with pytest.raises(UsageError, match="run changes while it is read"):
        pack(work)


def entry(name: str, content: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.size, made.mode = len(content), 0o644
    for field, value in fields.items():
        setattr(made, field, value)
    return made, content


def archive(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.USTAR_FORMAT, **options: object) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=form, **options) as to:  # type: ignore[call-overload]
        for made, content in entries:
            to.addfile(made, io.BytesIO(content))
    return out.getvalue()


def header(name: bytes, size: bytes = b"00000000001\0", kind: bytes = b"0", prefix: bytes = b"") -> bytes:
    """A header by hand, with what no library writes."""
    field = bytearray(512)
    field[:100] = name.ljust(100, b"\0")
    field[100:108], field[124:136], field[156:157] = b"0000644\0", size, kind
    field[257:265] = b"ustar\x0000"
    field[345:500] = prefix.ljust(155, b"\0")
    field[148:156] = b" " * 8
    field[148:156] = b"%06o\0 " % sum(field)
    return bytes(field)


ENDED = bytes(1024)
KINDS = {
    "a symbolic link": tarfile.SYMTYPE, "a hard link": tarfile.LNKTYPE, "a folder": tarfile.DIRTYPE,
    "a pipe": tarfile.FIFOTYPE, "a device": tarfile.CHRTYPE, "a block device": tarfile.BLKTYPE,
    "a sparse file": tarfile.GNUTYPE_SPARSE, "contiguous": tarfile.CONTTYPE, "of the oldest form": tarfile.AREGTYPE,
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_with_anything_but_files_is_refused(kind: str, tmp_path: Path) -> None:
    evil = archive(entry("good"), entry("evil", b"", type=KINDS[kind], linkname="/etc/passwd"))
    with pytest.raises(Refused, match=r"evil/? is no regular file"):
        unpack(evil, tmp_path / "out")
    assert not (tmp_path / "out").exists()


PATHS = [
    "/etc/passwd",
    "../out",
    "a/../../out",
    "./a",
    "a//b",
    "..",
    ".",
    "a/",
    ".lab/kubeconfig",
    ".git/config",
    "a/.env",
]
PATHS += ["a\\b", "a\nb", "\u202egnp.exe", "x" * 99 + "/" + "y" * 99, "/".join("d" * 13), "__pycache__/a.pyc"]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_is_none_of_a_workspace_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        unpack(archive(entry("good"), entry(path)), tmp_path / "in/out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no file"),
        (bytes(10240), "no file"),
        (b"PK\3\4" + bytes(1000), ""),
        (b"\x1f\x8b" + bytes(1000), ""),
        (random.Random(19).randbytes(4096), ""),
        (archive(entry("a"), entry("a")), "a is there twice"),
        (archive(entry("a"), entry("a/b")), "a is there twice"),
        (archive(entry("b"), entry("a")), "not the form"),
        (archive(entry("a", mtime=5)), "not the form"),
        (archive(entry("a", uid=1000)), "not the form"),
        (archive(entry("a", uname="root")), "not the form"),
        (archive(entry("a", mode=0o4755)), "not the form"),
        (archive(entry("a", mode=0o600)), "not the form"),
        (archive(entry("a")) + b"more", "not the form"),
        (archive(entry("a")) + archive(entry("b")), "not the form"),
        (archive(entry("a"))[:1024], "not the form"),
        (archive(entry("a"))[:512], "ends within a"),
        (archive(entry("a"))[:500], "no file"),
        (archive(entry("a", pax_headers={"path": "/etc/passwd"}), form=tarfile.PAX_FORMAT), "no regular file"),
        (archive(entry("a", pax_headers={"comment": "x" * (1 << 20)}), form=tarfile.PAX_FORMAT), "no regular file"),
        (archive(entry("a", pax_headers={"GNU.sparse.major": "1"}), form=tarfile.PAX_FORMAT), "no regular file"),
        (archive(entry("n" * 120), form=tarfile.GNU_FORMAT), "no regular file"),
        (archive(entry("ü"), encoding="latin-1"), "no UTF-8"),
        (header(b"a", b"77777777777\0") + ENDED, "larger than 8 MiB"),
        (header(b"a", b"00000000777\0") + ENDED, "not the form"),
        (header(b"a", b"00000007777\0") + ENDED, "ends within a"),
        (header(b"a", b"\xff" * 12) + ENDED, "has no numbers"),
        (header(b"a", b"\x80" + bytes(10) + b"\1") + ENDED, "has no numbers"),
        (header(b"a", b"-0000000001\0") + ENDED, "has no numbers"),
        (header(b"a", b"           \0") + ENDED, "has no numbers"),
        (header(b"a", b"0000000001 \0") + ENDED, "has no numbers"),
        (header(b"b", prefix=b"a") + b"x" + bytes(511) + ENDED, "not the form"),
        (header(b"a\0b") + b"x" + bytes(511) + ENDED, "can't be seen"),
        (header(b"a") + b"x" + b"y" * 511 + ENDED + bytes(8192), "not the form"),
        (bytes(packing.LARGEST + 1), "larger than 16 MiB"),
        (archive(*[entry(f"{number:05}", b"") for number in range(1001)]), "more than 1000 files"),
        (header(b"x", b"00000000000\0", tarfile.XHDTYPE) * 30_000, "no regular file"),
    ],
)  # fmt: skip
def test_what_pack_does_not_write_is_refused(content: bytes, said: str) -> None:
    began = time.process_time()
    with pytest.raises(Refused) as refused:
        files(content)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 300
    assert str(refused.value).isprintable()
    assert time.process_time() - began < 2


def test_no_changed_byte_of_an_archive_goes_unseen(work: Path) -> None:
    content = pack(work).content
    good = files(content)
    drawn = random.Random(17)
    for place in drawn.sample(range(len(content)), 400):
        evil = bytearray(content)
        evil[place] ^= drawn.randrange(1, 256)
        try:
            assert files(bytes(evil)) != good
            assert packing._archive(files(bytes(evil))) == evil
        except Refused:
            continue


def test_work_drawn_at_random_comes_out_as_it_went_in(tmp_path: Path) -> None:
    drawn = random.Random(18)
    letters = "aZ0_-. äß漢🙂"
    for number in range(60):
        folder = tmp_path / str(number)
        folder.mkdir()
        for _ in range(drawn.randrange(1, 12)):
            names = ["".join(drawn.choices(letters, k=drawn.randrange(1, 13))).strip(".~ ") or "x" for _ in range(3)]
            file = folder.joinpath(*names[: drawn.randrange(1, 4)])
            if any(part.is_file() for part in file.parents) or file.exists():
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(drawn.randbytes(drawn.choice((0, 1, 511, 512, 513, 5000))))
            file.chmod(drawn.choice((0o600, 0o755)))
        packed = pack(folder)
        unpack(packed.content, tmp_path / f"{number}-again")
        assert pack(tmp_path / f"{number}-again") == packed
