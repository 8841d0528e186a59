"""Artifacts whose content did not come from a launcher: what a page shows of archives that lie, and of metrics."""

from __future__ import annotations

import json
import sqlite3
import tarfile
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import pipelines
from tests.pipelines.engine import Engine
from tests.pipelines.test_pages import page, peak
from tests.pipelines.test_robust import start


@pytest.fixture(scope="module")
def run(engine: Engine) -> str:
    key = start(engine, pipelines.two_steps)
    assert engine.ended(key)["state"] == "SUCCEEDED"
    return key


def test_the_numbers_of_metrics_are_the_same_everywhere(engine: Engine, run: str) -> None:
    held = {"planted loss": 0.5, "planted note": "text", "planted flag": True, "planted count": 3}
    planted(engine, run, "held", lambda file: file.touch(), kind="Metrics", metadata=held)
    told = engine.api(f"runs/{run}/metrics")["metrics"]
    assert {each["name"]: each["value"] for each in told if each["artifact"] == "held"} == {
        "planted loss": 0.5,
        "planted count": 3,
    }
    for path in (f"/runs/{run}", f"/runs/compare?run={run}&run={start(engine, pipelines.two_steps)}"):
        seen = page(engine, path).text
        assert "planted loss" in seen and "planted count" in seen
        assert "planted note" not in seen and "planted flag" not in seen


def planted(
    engine: Engine, run: str, name: str, content: Any, folder: bool = True, kind: str = "Artifact", metadata: Any = None
) -> str:
    """An artifact of a run whose content did not come from the launcher; `content` writes it."""
    about = engine.api(f"runs/{run}/artifacts")["artifacts"][0]
    key = f"v2/artifacts/planted/{run}/{name}"
    file = engine.data / "artifacts" / f"{key}{'.folder.tar' if folder else ''}"
    file.parent.mkdir(parents=True, exist_ok=True)
    content(file)
    prefix, made = about["uri"].partition("/v2/")[0], str(uuid.uuid4())
    with sqlite3.connect(engine.data / "database" / "pipelines.db", timeout=20) as db:
        values = (
            *(made, run, about["task_id"], name, f"system.{kind}", f"{prefix}/{key}"),
            *(json.dumps(metadata or {}), about["created_at"]),
        )
        db.execute("insert into artifacts values (?, ?, ?, ?, ?, ?, ?, ?)", values)
    return made


def header(name: str, size: int, kind: bytes) -> bytes:
    made = tarfile.TarInfo(name)
    made.size, made.type = size, kind
    return made.tobuf(tarfile.GNU_FORMAT)


def long_name(file: Path) -> None:
    """An archive with a name of a gigabyte."""
    with file.open("wb") as archive:
        archive.write(header("first.txt", 0, tarfile.REGTYPE) + header("", 1 << 30, tarfile.GNUTYPE_LONGNAME))
        archive.truncate(archive.tell() + (1 << 30))


def long_comment(file: Path) -> None:
    with file.open("wb") as archive:
        archive.write(header("first.txt", 0, tarfile.REGTYPE) + header("", 1 << 30, tarfile.XHDTYPE))
        archive.truncate(archive.tell() + (1 << 30))


def chained(file: Path) -> None:
    """An archive of headers that all say that the next one is about the same file."""
    comment = header("", 512, tarfile.XHDTYPE) + b"11 path=ab\n".ljust(512, b"\0")
    file.write_bytes(header("first.txt", 0, tarfile.REGTYPE) + comment * 900)


def broken_map(file: Path) -> None:
    comment = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
    file.write_bytes(
        header("first.txt", 0, tarfile.REGTYPE) + header("", len(comment), tarfile.XHDTYPE) + comment.ljust(512, b"\0")
        + header("second.txt", 512, tarfile.REGTYPE) + b"many\n".ljust(512, b"\0")
    )  # fmt: skip


@pytest.mark.parametrize("bomb", [long_name, long_comment, chained, broken_map])
def test_a_folder_whose_archive_lies_shows_what_can_be_read(engine: Engine, run: str, bomb: Any) -> None:
    assert engine.process
    key = planted(engine, run, bomb.__name__, bomb)
    before = peak(engine)
    seen = page(engine, f"/artifacts/{key}")
    assert seen.status == 200 and "first.txt</code>" in seen.text and "There are more." in seen.text
    assert peak(engine) - before < 32 << 20


@pytest.mark.parametrize(
    ("name", "kind", "text", "whole"),
    [
        ("one line of JSON", "Artifact", json.dumps(list(range(1000))), False),
        ("short JSON", "Artifact", "[1, 2]", True),
        ("long Markdown", "Markdown", "word " * 20_000, False),
        ("short Markdown", "Markdown", "word", True),
    ],
)
def test_what_is_cut_is_said_to_be(engine: Engine, run: str, name: str, kind: str, text: str, whole: bool) -> None:
    def content(file: Path) -> None:
        file.write_text(text)

    seen = page(engine, f"/artifacts/{planted(engine, run, name.replace(' ', '-'), content, folder=False, kind=kind)}")
    assert ("Only the beginning." in seen.text) is not whole and text[0] in seen.text


def test_a_folder_that_is_packed_as_no_launcher_packs_is_not_unpacked(engine: Engine, run: str) -> None:
    def compressed(file: Path) -> None:
        with tarfile.open(file, "w:gz") as archive:
            archive.addfile(tarfile.TarInfo("hidden.txt"))

    seen = page(engine, f"/artifacts/{planted(engine, run, 'compressed', compressed)}")
    assert seen.status == 200 and "hidden.txt" not in seen.text
