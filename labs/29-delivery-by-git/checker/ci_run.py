"""Take the steps of CI in clones of changes, as a CI system does: one command after the other, until one fails.

Runs in a pod of the checker's that reaches nobody, with the learner's files. It does not know which changes are right.
The last line printed is what came of each.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

WHO = ("-c", "user.name=Team Delays", "-c", "user.email=delays@airline.example")
WITHIN = 60.0  # s for a command
_TAIL = 300


def clone(folder: Path, base: dict[str, str], change: dict[str, str], program: dict[str, str]) -> None:
    """A clone on a branch with one commit more than origin/main."""
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, base | program)
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(folder, "switch", "--quiet", "--create", "change")
    for name in base:
        (folder / name).unlink()
    commit(folder, change | program)


def commit(folder: Path, files: dict[str, str]) -> None:
    """These files, committed."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, *WHO, "commit", "--quiet", "--message", "What was changed")


def git(folder: Path, *words: str) -> None:
    """A git command that has to work."""
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, timeout=WITHIN)


def taken(folder: Path, commands: list[str]) -> list[Any]:
    """The exit code of the steps, and the end of what the last one printed."""
    code, said = 0, ""
    for each in commands:
        with tempfile.TemporaryFile() as printed:
            try:
                done = subprocess.run(
                    ["sh", "-ec", each], cwd=folder, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed,
                    timeout=WITHIN, check=False,
                )  # fmt: skip
                code = done.returncode
            except subprocess.TimeoutExpired:
                return [-1, f"it was stopped after {WITHIN:g} s"]
            size = printed.seek(0, os.SEEK_END)
            printed.seek(max(0, size - _TAIL))
            said = printed.read(_TAIL).decode(errors="replace").strip()
        if code:
            break
    return [code, said]


def main() -> None:
    """All changes, in the order in which they come."""
    given = json.loads((Path(os.environ.get("GIVEN", "/checker/given.json"))).read_text())
    found = []
    for change in given["changes"]:
        with tempfile.TemporaryDirectory() as folder:
            clone(Path(folder), change["base"], change["change"], given["program"])
            found.append(taken(Path(folder), given["commands"]))
    print("\n" + json.dumps({"found": found}))


if __name__ == "__main__":
    main()
