"""Artifacts and logs as the embedded engine keeps them: whole or not at all, and told apart why not."""

from __future__ import annotations

import asyncio
import errno
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from embedded.artifacts import Artifacts
from embedded.errors import ApiError
from embedded.settings import Settings
from embedded.store import Store


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(Settings(data=tmp_path, artifacts="minio://b", reserve=0))


async def content(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def put(artifacts: Artifacts, key: str, *chunks: bytes, folder: bool = False) -> int:
    return asyncio.run(artifacts.put(key, content(*chunks or (b"text",)), folder=folder))


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 507), (errno.EDQUOT, 507)])
def test_a_volume_without_room_is_said_to_be_full(
    artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ApiError, match="no room for data") as refused:
        put(artifacts, "v2/data")
    assert refused.value.status == status


def test_any_other_trouble_of_the_volume_is_not_taken_for_that(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Path, target: Path) -> Path:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="Input/output error"):
        put(artifacts, "v2/data")
    assert not list((tmp_path / "parts").iterdir())


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("v2/" + "x" * 250, "is too long: names in an artifact's key have at most 244 bytes"),
        ("v2/" + "ä" * 130, "is too long"),
        ("/".join(["x" * 100] * 40), "is no key"),
        ("v2/file/inside", "what it would be inside of is no folder"),
    ],
)
def test_a_name_that_no_file_can_have_is_the_steps_fault(artifacts: Artifacts, key: str, words: str) -> None:
    put(artifacts, "v2/file")
    with pytest.raises(ApiError, match=words) as refused:
        put(artifacts, key)
    assert refused.value.status == 400
    assert not artifacts.has(f"minio://b/{key}")


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("name", ["x#1&2[3]", "a?b*c", 'it\'s "quoted"', "{$x}<y>|;!`", "\\", "...", "é 名", "%2e%2e"])
def test_a_key_may_have_what_an_object_stores_may(
    artifacts: Artifacts, tmp_path: Path, name: str, folder: bool
) -> None:
    put(artifacts, f"v2/{name}/data", folder=folder)
    path, packed = artifacts.find(f"v2/{name}/data")
    assert (path.parent, packed) == (tmp_path / "artifacts" / "v2" / name, folder)
    artifacts.remove([f"v2/{name}/data"], [])
    assert not artifacts.has(f"minio://b/v2/{name}/data")


@pytest.mark.parametrize(
    "key", ["../a", "v2/../a", "v2/./a", "..", "/a", "v2//a", "v2/", "", "v2/a\nb", "v2/\0", "v2/\x7f", "v2/\ud800"]
)
def test_a_key_leads_to_no_other_place(artifacts: Artifacts, key: str) -> None:
    with pytest.raises(ApiError, match="is no key"):
        put(artifacts, key)
    assert not key or not artifacts.has(f"minio://b/{key}")


@pytest.mark.parametrize("folder", [False, True])
def test_an_artifact_is_on_the_disk_before_it_has_its_name(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: bool
) -> None:
    seen: list[tuple[str, bool]] = []
    sync = os.fsync

    def noted(number: int) -> None:
        seen.append((Path(f"/proc/self/fd/{number}").readlink().name, artifacts.has("minio://b/v2/data")))
        sync(number)

    monkeypatch.setattr(os, "fsync", noted)
    put(artifacts, "v2/data", b"a", b"b", folder=folder)
    (part, before), (inside, after) = seen
    assert not before and part.startswith("tmp")
    assert after and inside == "v2"  # the folder's own entry
    assert artifacts.find("v2/data")[0].read_bytes() == b"ab"


def stored(folder: Path) -> set[str]:
    return {str(path.relative_to(folder / "artifacts")) for path in folder.rglob("artifacts/**/*") if path.is_file()}


def test_what_is_cleared_goes_with_its_folders_but_for_what_is_kept(artifacts: Artifacts, tmp_path: Path) -> None:
    for key, folder in (("a/1/old", False), ("a/1/kept", False), ("a/1/tar", True), ("a/10/other", False)):
        put(artifacts, key, folder=folder)
    artifacts.clear("a/1", {"a/1/kept"})
    assert stored(tmp_path) == {"a/1/kept", "a/10/other"}
    artifacts.clear("a/1", set())
    assert stored(tmp_path) == {"a/10/other"} and not (tmp_path / "artifacts" / "a" / "1").exists()
    artifacts.clear("a/never", set())
    artifacts.clear("../..", set())
    assert stored(tmp_path) == {"a/10/other"}


def test_what_a_start_sweeps_is_the_folders_of_runs(artifacts: Artifacts) -> None:
    key = str(uuid.uuid4())
    for pipeline in ("plain", "team/plain"):  # of the second nobody can tell what is the run
        put(artifacts, f"{artifacts.run(pipeline, key)}/step/data")
    assert list(artifacts.runs()) == [(key, f"v2/artifacts/plain/{key}")]


@pytest.mark.parametrize("late", [False, True])
def test_what_is_stored_while_its_run_is_deleted_does_not_stay(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    async def interrupted() -> AsyncIterator[bytes]:
        yield b"a"
        if not late:
            artifacts.clear("v2/run", set())
        yield b"b"

    if late:
        replace = Path.replace

        def deleted(self: Path, target: Path) -> Path:
            moved = replace(self, target)
            artifacts.clear("v2/run", set())
            return moved

        monkeypatch.setattr(Path, "replace", deleted)
    with pytest.raises((ApiError, FileNotFoundError)):
        asyncio.run(artifacts.put("v2/run/data", interrupted(), folder=False))
    assert not stored(tmp_path) and not list((tmp_path / "parts").iterdir())


def test_a_log_that_comes_while_its_run_is_deleted_does_not_stay(artifacts: Artifacts, tmp_path: Path) -> None:
    async def interrupted() -> AsyncIterator[bytes]:
        yield b"a"
        artifacts.remove([], ["attempt"])
        yield b"b"

    with pytest.raises(ApiError, match="nobody waits"):
        asyncio.run(artifacts.put_log("attempt", interrupted()))
    assert artifacts.logs() == [] and (tmp_path / "logs").is_dir()


def test_a_log_that_is_refused_leaves_the_one_before(artifacts: Artifacts) -> None:
    async def refused() -> AsyncIterator[bytes]:
        yield b"a"
        raise ApiError("TOO_LARGE", "too large")

    asyncio.run(artifacts.put_log("attempt", content(b"first")))
    with pytest.raises(ApiError, match="too large"):
        asyncio.run(artifacts.put_log("attempt", refused()))
    assert artifacts.log("attempt") == "first"


def test_of_a_large_log_the_end_is_read(artifacts: Artifacts) -> None:
    asyncio.run(artifacts.put_log("attempt", content(b"begin\n", b"x" * (1 << 20), "ö\nend".encode())))
    read = artifacts.log("attempt")
    assert read is not None and len(read) < 1 << 17 and read.endswith("ö\nend")
    assert artifacts.log("attempt", 5) == "\ufffd\nend"
    assert artifacts.log("none") is None and artifacts.log_file("none") is None


def test_an_older_database_gets_what_is_new(tmp_path: Path) -> None:
    first = Store(tmp_path)
    first.insert("kv", key="kept", value="yes")
    with first.write() as db:
        db.execute("drop index artifacts_by_task")  # as it was
    first.close()
    store = Store(tmp_path)
    assert store.value("select value from kv where key = 'kept'") == "yes"
    (plan,) = store.rows("explain query plan select * from artifacts where task = 'x'")
    assert "artifacts_by_task" in plan["detail"]
    store.close()
