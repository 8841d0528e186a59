"""A task whose answer is one program in the workspace: is it there, and small enough to be sent?"""

from __future__ import annotations

import os

from mlops_lab.checks import Lab, absent, expect

_LARGEST = 200_000  # bytes


def must_be_there(lab: Lab, name: str) -> None:
    """Whether the program can be read.

    Raises:
        Failure: it is not there, empty, not to be read, or of more than 200 kB.
    """
    program = lab.work.folder / name
    size = program.stat().st_size if os.access(program, os.R_OK) and program.is_file() else 0
    if not 0 < size <= _LARGEST:
        seen = f"{size:,} bytes" if size else "no such file, nothing in it, or not to be read"
        expect(absent(f"a file {name} in the workspace, up to {_LARGEST // 1000} kB", seen)).because(
            "the checker runs the file itself, not what was applied to the cluster"
        )
