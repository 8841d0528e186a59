"""The terminal's own files are those that were published: name, version and hash as versions.toml has them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from mlops_lab.base.versions import pin
from mlops_lab.desk import server

FOLDER = Path(server.__file__).parent / "page" / "xterm"


def test_each_file_is_as_it_was_published() -> None:
    pinned = {name: digest for package in pin("npm").values() for name, digest in package["sha256"].items()}
    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in FOLDER.iterdir()} == pinned
    for package in pin("npm").values():
        assert re.fullmatch(r"@xterm/[a-z-]+@\d+\.\d+\.\d+", package["name"])
        assert any(name.startswith("LICENSE") for name in package["sha256"])


def test_no_page_of_ours_names_another_address() -> None:
    for file in (FOLDER.parent / "static").iterdir():
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|//cdn", file.read_text()), file


def test_no_text_is_faded_as_the_colours_are_just_legible() -> None:
    style = (FOLDER.parent / "static" / "desk.css").read_text()
    faded = re.findall(r"([^{}]+)\{[^{}]*opacity:", style)
    assert {each.strip() for each in faded} == {".latencies .failed", ".key .failed::before"}
