"""What an author does with `lab new` before anything else, for tests: its texts written, its mistakes told apart."""

from __future__ import annotations

from pathlib import Path

from mlops_lab.proof.form import COPIED, UNFILLED


def filled(folder: Path) -> Path:
    """The lab's folder, after its lines that say what to write are gone, and each mistake differs from its solution."""
    for file in (path for path in folder.rglob("*") if path.suffix in (".md", ".toml", ".py")):
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(line for line in lines if COPIED not in line and UNFILLED not in line))
    for mistake in (folder / "wrong").glob("*--mistake-*"):
        (mistake / "notes.txt").write_text(mistake.name)
    return folder
