"""A bundle's file: its form, what is refused, damage, and that what was interrupted goes on where it was."""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_lab.base.errors import LabError, UsageError
from mlops_lab.base.paths import project
from mlops_lab.base.progress import Progress
from mlops_lab.images.bundle import folders, wheels, writing
from mlops_lab.images.bundle.archive import Archive, host_platform
from mlops_lab.images.bundle.form import FORM, Manifest, Packed, Served, Unusable, member, parsed
from mlops_lab.images.bundle.meter import Meter, sized
from tests.fake_registry import MANIFEST, digest_of

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
LAYER, MANIFEST_TEXT = b"layer " * 1000, b"{}"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "lab.txt"
    file.write_text("click==8\n")
    return file


def whole(lock: Path, tmp_path: Path) -> tuple[Manifest, dict[str, bytes]]:
    """A small bundle: its list, and what its members hold."""
    folder = tmp_path / "made"
    (folder / "in").mkdir(parents=True, exist_ok=True)
    (folder / "kind").write_text("program")
    (folder / "kind").chmod(0o755)
    (folder / "in" / "file").write_text("text")
    folders.pack(folder, tmp_path / "packed")
    contents = {
        "wheels/click-8-py3-none-any.whl": b"click",
        "folders/go-kind-0123456789ab.tar.gz": (tmp_path / "packed").read_bytes(),
        member(digest_of(LAYER)): LAYER,
        member(digest_of(MANIFEST_TEXT)): MANIFEST_TEXT,
    }
    return (
        Manifest(
            made="2026-01-01T00:00:00Z", project="0.1.0 at abc", engine="linux/amd64", host=host_platform(),
            mode="build", pythons=[HERE], versions={}, parts=[], labs=["10"], exams=False,
            locks={"lab.txt": wheels.digest(lock)},
            served={
                "mlops-lab/load:v1": Served(
                    "0123456789ab", "load:v1", digest_of(MANIFEST_TEXT), {digest_of(MANIFEST_TEXT): MANIFEST},
                    [digest_of(LAYER)],
                )
            },
            loaded={}, folders={"go/kind": Packed("0123456789ab", "folders/go-kind-0123456789ab.tar.gz", 11)},
            files={name: writing.measured([content]) for name, content in contents.items()},
        ),
        contents,
    )  # fmt: skip


def giving(contents: dict[str, bytes], stop_at: str = "") -> dict[str, writing.Content]:
    def give(name: str, content: bytes) -> Iterable[bytes]:
        for at in range(0, len(content), 1000):
            yield content[at : at + 1000]
            if name == stop_at and at == 1000:
                raise KeyboardInterrupt

    return {name: lambda name=name, content=content: give(name, content) for name, content in contents.items()}  # type: ignore[misc]


@pytest.fixture
def bundle(lock: Path, tmp_path: Path) -> Path:
    file = tmp_path / "a.bundle"
    manifest, contents = whole(lock, tmp_path)
    writing.write(file, manifest, giving(contents), Progress())
    return file


def test_what_was_written_is_read_again_and_any_tar_lists_it(bundle: Path, lock: Path, tmp_path: Path) -> None:
    manifest, contents = whole(lock, tmp_path)
    found = Archive(bundle)
    found.check(Progress())
    assert found.manifest == manifest
    assert {name: b"".join(found.chunks(name)) for name in contents} == contents
    with tarfile.open(bundle) as opened:
        assert opened.getnames() == ["manifest.json", *contents]
    assert not bundle.with_name("a.bundle.part").exists()


def test_a_checked_file_is_read_again_only_when_it_has_changed(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Archive(bundle).check(Progress())
    read: list[str] = []
    chunks = Archive.chunks

    def noted(self: Archive, name: str) -> Iterator[bytes]:
        read.append(name)
        return chunks(self, name)

    monkeypatch.setattr(Archive, "chunks", noted)
    Archive(bundle).check(Progress())
    assert read == []
    os.utime(bundle, (1, 1))
    Archive(bundle).check(Progress())
    assert len(read) == 4


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.8])
def test_a_file_that_is_cut_anywhere_says_so(bundle: Path, share: float) -> None:
    content = bundle.read_bytes()
    bundle.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(Unusable, match="is cut") as error:
        Archive(bundle).check(Progress())
    assert "\n" not in error.value.message and "copy it again" in error.value.hint


def test_a_file_that_was_cut_while_it_was_read_says_so(bundle: Path) -> None:
    found = Archive(bundle)
    os.truncate(bundle, 5000)
    with pytest.raises(Unusable, match="is cut"):
        found.check(Progress())


def test_one_changed_byte_is_damage_and_its_member_is_named(bundle: Path) -> None:
    content = bundle.read_bytes()
    bundle.write_bytes(content.replace(b"layer layer", b"layer Layer", 1))
    with pytest.raises(Unusable, match=f"is damaged: {member(digest_of(LAYER))}"):
        Archive(bundle).check(Progress())


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"hello" * 500, "is no bundle"), (b"PK\3\4" + bytes(2000), "is no bundle")],
)
def test_another_file_is_no_bundle(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(Unusable, match=said):
        Archive(tmp_path / "x")


def test_what_is_not_there_or_no_file_is_said(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(Unusable, match="there is no file"):
            Archive(path)


def other(bundle: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> Path:
    """The bundle with members added or changed."""
    with tarfile.open(bundle) as opened:
        members = [(each, opened.extractfile(each).read()) for each in opened]  # type: ignore[union-attr]
    change(members)
    with tarfile.open(bundle, "w") as opened:
        for each, content in members:
            each.size = len(content) if each.isreg() else 0
            opened.addfile(each, io.BytesIO(content))
    return bundle


def odd(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


@pytest.mark.parametrize(
    ("strange", "said"),
    [
        (odd("wheels/click-8-py3-none-any.whl", tarfile.SYMTYPE, "/etc/passwd"), "is a symbolic link"),
        (odd("wheels/x", tarfile.LNKTYPE, "manifest.json"), "is a hard link"),
        (odd("wheels/x", tarfile.CHRTYPE), "is a device"),
        (odd("wheels/x", tarfile.BLKTYPE), "is a device"),
        (odd("wheels/x", tarfile.FIFOTYPE), "is a pipe"),
        (odd("wheels", tarfile.DIRTYPE), "is a folder"),
        (odd("wheels/x", b"S"), "no plain file|is cut"),
        (odd("../../outside"), "does not have"),
        (odd("/etc/passwd"), "does not have"),
        (odd("wheels/click-8-py3-none-any.whl"), "does not have"),
    ],
)
def test_members_that_no_bundle_has_are_refused(bundle: Path, strange: tarfile.TarInfo, said: str) -> None:
    other(bundle, lambda members: members.append((strange, b"x" if strange.isreg() else b"")))
    with pytest.raises(Unusable, match=said) as error:
        Archive(bundle)
    assert "\n" not in error.value.message and error.value.hint


def changed(key: str, value: Any) -> Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]:
    """Set a value in the list; dots lead inside."""

    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        found = json.loads(members[0][1])
        inside, *rest = found, *key.split("|")
        for each in rest[:-1]:
            inside = inside[each]
        inside[rest[-1]] = value
        members[0] = (members[0][0], json.dumps(found).encode())

    return change


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("mlops-lab bundle", FORM + 1, "it has form"),
        ("files|../x", {"size": 1, "sha256": "0" * 64}, "no name that a bundle has"),
        ("files|/etc/cron.d/x", {"size": 1, "sha256": "0" * 64}, "no name that a bundle has"),
        ("files|wheels/a/../../x", {"size": 1, "sha256": "0" * 64}, "no name that a bundle has"),
        ("files|wheels/x", {"size": -1, "sha256": "0" * 64}, "no size or hash"),
        ("files|wheels/x", {"size": "1", "sha256": "0" * 64}, "is no int"),
        ("files|wheels/x", {"size": 1}, "other fields"),
        ("files|blobs/sha256/" + "0" * 64, {"size": 1, "sha256": "1" * 64}, "another hash"),
        ("served|mlops-lab/load:v1|blobs", ["sha256:" + "1" * 64], "it lacks"),
        ("served|mlops-lab/load:v1|blobs", ["sha256:../../x"], "does not say what"),
        ("served|mlops-lab/load:v1|digest", "sha256:" + "1" * 64, "does not say what"),
        ("folders|go/kind|file", "folders/other.tar.gz", "it lacks"),
        ("folders|go/kind|key", "../..", "which is none"),
        ("mode", "pulled", "neither"),
        ("pythons", "3.11", "is no"),
        ("more", 1, "other fields"),
    ],
)
def test_a_list_that_no_bundle_has_is_refused(bundle: Path, key: str, value: Any, said: str) -> None:
    other(bundle, changed(key, value))
    with pytest.raises(Unusable, match=said):
        Archive(bundle)


def test_a_list_that_says_less_than_there_is_or_more_is_refused(bundle: Path) -> None:
    name = "wheels/click-8-py3-none-any.whl"
    content = bundle.read_bytes()
    other(bundle, changed(f"files|{name}", {"size": 4, "sha256": "0" * 64}))
    with pytest.raises(Unusable, match="another size"):
        Archive(bundle)
    bundle.write_bytes(content)
    other(bundle, lambda members: members.pop(1) and None)
    with pytest.raises(Unusable, match=r"can't be found|is cut"):
        Archive(bundle)


def test_a_list_without_a_bundles_mark_is_none() -> None:
    for text in (b"[]", b"{}", b"nothing", b"\xff"):
        with pytest.raises(ValueError):
            parsed(text)


def test_an_interrupted_write_goes_on_where_it_was(
    lock: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, part = tmp_path / "b.bundle", tmp_path / "b.bundle.part"
    manifest, contents = whole(lock, tmp_path)
    layer = member(digest_of(LAYER))
    with pytest.raises(KeyboardInterrupt):
        writing.write(file, manifest, giving(contents, stop_at=layer), Progress())
    assert part.exists() and not file.exists()
    given: list[str] = []

    def noted(name: str) -> Iterable[bytes]:
        given.append(name)
        return [contents[name]]

    later = replace(manifest, made="2026-01-02T00:00:00Z")
    made = writing.write(file, later, {name: lambda name=name: noted(name) for name in contents}, Progress())  # type: ignore[misc]
    assert given == list(contents)[2:], "what was there is not written again"
    assert made == manifest, "it is the list of the first run"
    assert "going on with" in capsys.readouterr().err
    Archive(file).check(Progress())
    assert not part.exists()


def test_what_an_interrupted_write_left_counts_only_if_it_is_well(lock: Path, tmp_path: Path) -> None:
    file, part = tmp_path / "b.bundle", tmp_path / "b.bundle.part"
    manifest, contents = whole(lock, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        writing.write(file, manifest, giving(contents, stop_at=member(digest_of(LAYER))), Progress())
    part.write_bytes(part.read_bytes().replace(b"click", b"clack"))
    writing.write(file, manifest, giving(contents), Progress())
    Archive(file).check(Progress())
    other_list = replace(manifest, labs=["04"])
    with pytest.raises(KeyboardInterrupt):
        writing.write(file, manifest, giving(contents, stop_at=member(digest_of(LAYER))), Progress())
    assert writing.write(file, other_list, giving(contents), Progress()) == other_list
    Archive(file).check(Progress())


def test_a_member_that_changes_meanwhile_is_no_part_of_a_bundle(lock: Path, tmp_path: Path) -> None:
    manifest, contents = whole(lock, tmp_path)
    for content in (b"clack", b"clickclick", b""):
        strange = {**contents, "wheels/click-8-py3-none-any.whl": content}
        with pytest.raises(LabError, match="has changed while"):
            writing.write(tmp_path / "b.bundle", manifest, giving(strange), Progress())
    assert not (tmp_path / "b.bundle").exists()


def test_a_disk_without_room_is_said_before_anything_is_written(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1000))
    manifest, contents = whole(lock, tmp_path)
    with pytest.raises(LabError, match=r"b.bundle takes .* and 1 kB are free") as error:
        writing.write(tmp_path / "b.bundle", manifest, giving(contents), Progress())
    assert "run the same command again" in error.value.hint
    assert not (tmp_path / "b.bundle.part").exists()


def test_a_file_that_the_disk_does_not_take_is_one_line_and_what_to_do(lock: Path, tmp_path: Path) -> None:
    manifest, contents = whole(lock, tmp_path)
    contents["wheels/large"] = bytes(2 << 20)
    files = {name: writing.measured([content]) for name, content in contents.items()}
    bounds = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, bounds[1]))  # as FAT32 has 4 GB
    try:
        with pytest.raises(LabError, match=r"takes no file as large as a\.bundle") as error:
            writing.write(tmp_path / "a.bundle", replace(manifest, files=files), giving(contents), Progress())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, bounds)
    assert "exFAT" in error.value.hint and not (tmp_path / "a.bundle").exists()
    (tmp_path / "b.bundle.part").mkdir()
    with pytest.raises(LabError, match=r"b\.bundle can't be written: Is a directory"):
        writing.write(tmp_path / "b.bundle", manifest, giving(contents), Progress())


def test_a_folder_that_is_not_there_is_said_before_anything_is_brought(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stick is no folder that can be written to"):
        writing.refuse_strangers(tmp_path / "stick" / "a.bundle")
    writing.refuse_strangers(tmp_path / "a.bundle")
    assert not list(tmp_path.iterdir())


def test_a_bundle_replaces_a_bundle_and_nothing_else(bundle: Path, tmp_path: Path) -> None:
    writing.refuse_strangers(bundle)
    writing.refuse_strangers(tmp_path / "new")
    (tmp_path / "mine").write_text("my own")
    for mine in (tmp_path / "mine", tmp_path):
        with pytest.raises(UsageError):
            writing.refuse_strangers(mine)


def test_what_an_interrupted_run_has_left_is_gone_on_with_and_nothing_else_is_overwritten(
    lock: Path, tmp_path: Path
) -> None:
    file, part = tmp_path / "b.bundle", tmp_path / "b.bundle.part"
    manifest, contents = whole(lock, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        writing.write(file, manifest, giving(contents, stop_at=member(digest_of(LAYER))), Progress())
    left = part.read_bytes()
    for length in (len(left), 512, 130, 20, 0):
        part.write_bytes(left[:length])
        writing.refuse_strangers(file)
    part.unlink()
    with tarfile.open(part, "w") as archive:
        archive.add(lock, "manifest.json.txt")
    for mine in (part.read_bytes(), b"my own"):
        part.write_bytes(mine)
        with pytest.raises(UsageError, match=r"b\.bundle\.part is there, and no interrupted run has left it"):
            writing.refuse_strangers(file)
    part.unlink()
    os.mkfifo(part)
    with pytest.raises(UsageError, match="no interrupted run has left it"):
        writing.refuse_strangers(file)


def test_a_folder_comes_out_as_it_went_in(bundle: Path, tmp_path: Path) -> None:
    found, target = Archive(bundle), tmp_path / "out"
    folders.unpack(found, found.manifest.folders["go/kind"], target)
    assert (target / "kind").read_text() == "program" and (target / "kind").stat().st_mode & 0o777 == 0o755
    assert (target / "in" / "file").read_text() == "text" and (target / "in" / "file").stat().st_mode & 0o777 == 0o644


def test_a_folder_with_a_link_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "link").symlink_to("/etc/passwd")
    with pytest.raises(LabError, match="no plain file"):
        folders.pack(tmp_path / "f", tmp_path / "packed")


@pytest.mark.parametrize(
    ("strange", "said"),
    [
        (odd("link", tarfile.SYMTYPE, "/etc"), "no plain file"),
        (odd("link", tarfile.LNKTYPE, "kind"), "no plain file"),
        (odd("device", tarfile.CHRTYPE), "no plain file"),
        (odd("../outside"), "leads outside"),
        (odd("in/../../outside"), "leads outside"),
        (odd("/outside"), "leads outside"),
        (odd("in//file"), "leads outside"),
        (odd("./kind"), "leads outside"),
    ],
)
def test_a_folder_that_leads_outside_is_refused(
    lock: Path, tmp_path: Path, strange: tarfile.TarInfo, said: str
) -> None:
    manifest, contents = whole(lock, tmp_path)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(odd("kind"))
        archive.addfile(strange)
    found = rewritten(manifest, contents, packed.getvalue(), tmp_path)
    with pytest.raises(Unusable, match=said):
        folders.unpack(found, found.manifest.folders["go/kind"], tmp_path / "out" / "in")
    assert [path.name for path in tmp_path.iterdir() if path.name == "outside"] == []


def test_a_folder_larger_than_its_list_says_or_packed_in_no_known_way_is_refused(lock: Path, tmp_path: Path) -> None:
    manifest, contents = whole(lock, tmp_path)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        large = odd("kind")
        large.size = 12
        archive.addfile(large, io.BytesIO(bytes(12)))
    short = packed.getvalue()[:40]
    for content, said in (
        (packed.getvalue(), "larger than"),
        (b"no gzip", "can't be unpacked"),
        (short, "can't be unpacked|no archive"),
    ):
        found = rewritten(manifest, contents, content, tmp_path)
        with pytest.raises(Unusable, match=said):
            folders.unpack(found, found.manifest.folders["go/kind"], tmp_path / "out")


def rewritten(manifest: Manifest, contents: dict[str, bytes], packed: bytes, tmp_path: Path) -> Archive:
    """A bundle whose one folder holds this."""
    contents = {**contents, "folders/go-kind-0123456789ab.tar.gz": packed}
    files = {name: writing.measured([content]) for name, content in contents.items()}
    writing.write(tmp_path / "r.bundle", replace(manifest, files=files), giving(contents), Progress())
    return Archive(tmp_path / "r.bundle")


def setup_with(bundle: Path, lock: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """What `scripts/setup --bundle` runs, with the standard library alone."""
    env = {"PYTHONPATH": str(project() / "src"), "MLOPS_LAB_HOME": str(home), "PATH": os.environ["PATH"]}
    words = [sys.executable, "-S", "-m", "mlops_lab.images.bundle.wheels", str(bundle), str(lock)]
    return subprocess.run(words, capture_output=True, text=True, env=env, timeout=30, check=False)


def test_packages_are_laid_out_with_the_standard_library_alone(bundle: Path, lock: Path, home: Path) -> None:
    done = setup_with(bundle, lock, home)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"click-8-py3-none-any.whl": b"click"}
    again = setup_with(bundle, lock, home)
    assert (again.stdout, again.stderr) == (done.stdout, "")


def test_packages_for_other_locks_or_a_damaged_file_are_one_line_and_what_to_do(
    bundle: Path, lock: Path, home: Path
) -> None:
    lock.write_text("click==9\n")
    done = setup_with(bundle, lock, home)
    assert done.returncode == 3 and done.stdout == ""
    assert "was made for another version of the project" in done.stderr and "0.1.0 at abc" in done.stderr
    assert len(done.stderr.splitlines()) == 2
    lock.write_text("click==8\n")
    bundle.write_bytes(bundle.read_bytes().replace(b"click" + bytes(3), b"clack" + bytes(3)))
    done = setup_with(bundle, lock, home)
    assert done.returncode == 3 and "is damaged: wheels/click" in done.stderr
    assert not list((home / "cache").rglob("wheels-*"))


def test_packages_for_another_system_or_another_python_are_refused(
    bundle: Path, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(Unusable, match="and this machine is linux/riscv64"):
        wheels.laid_out(bundle, [lock], Progress())
    monkeypatch.undo()
    monkeypatch.setattr(sys, "version_info", (3, 99))
    with pytest.raises(Unusable, match=r"and this is 3\.99"):
        wheels.laid_out(bundle, [lock], Progress())


def test_sizes_and_progress_are_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert [sized(each) for each in (1200, 23_400_000, 1_130_000_000)] == ["1 kB", "23 MB", "1.13 GB"]
    meter = Meter(Progress(), "checking x", 2_000_000, every=0)
    meter.add(1_000_000)
    assert capsys.readouterr().err == "  .. checking x: 1 MB of 2 MB\n"
