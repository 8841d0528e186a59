"""Lines of a learner's file are read; what is none is the learner's failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlops_lab.base.errors import Failure
from mlops_lab.kit.texts import lines_of
from tests.made_up import made_up_lab


def test_lines_come_without_spaces_and_without_empty_ones(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n web-1  \r\n\nweb-2")
    assert lines_of(made_up_lab(folder=tmp_path), "names.txt", "") == ["web-1", "web-2"]


def missing(folder: Path) -> None:
    """Nothing is written."""


def a_folder(folder: Path) -> None:
    (folder / "names.txt").mkdir()


def no_text(folder: Path) -> None:
    (folder / "names.txt").write_bytes(b"\xff\xfe")


def a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "names.txt")


@pytest.mark.parametrize(
    ("make", "seen"),
    [
        (missing, "names.txt: No such file or directory"),
        (a_folder, "names.txt: "),
        (no_text, "names.txt: what is in it is not UTF-8 text"),
        (a_pipe, "names.txt is a named pipe"),
    ],
)
def test_what_is_no_text_file_is_a_failure(tmp_path: Path, make: object, seen: str) -> None:
    make(tmp_path)  # type: ignore[operator]
    with pytest.raises(Failure) as failed:
        lines_of(made_up_lab(folder=tmp_path), "names.txt", "names of pods in it")
    assert failed.value.seen.startswith(seen)
