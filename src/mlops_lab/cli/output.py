"""Results that go to a file which the user names."""

from __future__ import annotations

from pathlib import Path

from mlops_lab.base.errors import LabError


def write(file: Path, text: str, option: str) -> None:
    """Write a result, with the folders above it.

    Args:
        option: what the file was named with, such as `--json`.

    Raises:
        LabError: the file cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as trouble:
        raise LabError(f"{file} cannot be written: {trouble.strerror}", f"name another file with {option}") from trouble
