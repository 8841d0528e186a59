"""Take the steps of CI in clones of changes, as a CI system does: one line after the other, until one fails.

Runs in a pod of the checker's that reaches nobody, with the learner's files. It does not know which changes are right.
The last line printed is what came of each.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WHO = ("-c", "user.name=Team Delays", "-c", "user.email=delays@airline.example")
WITHIN = 60.0  # s for a Git command, and for all steps
NEVER = -1  # in place of an exit code, where there is none
_TAIL = 3000  # characters of what the steps printed


def clone(
    folder: Path, base: dict[str, str], change: dict[str, str], program: dict[str, str],
    executable: Sequence[str] = (), fork: dict[str, str] | None = None,
) -> None:  # fmt: skip
    """A clone on a branch with two commits that origin/main has not, of which the last changes nothing any more.

    origin/main has one that the branch has not: it has moved on since.

    Args:
        base: the files on origin/main.
        executable: those of the program's files that may be run by their names.
        fork: the files where the branch begins; those of origin/main.
    """
    fork = fork or base
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, fork | program, executable)
    git(folder, "branch", "--quiet", "change")
    commit(folder, base | program, executable)
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(folder, "switch", "--quiet", "change")
    for name in fork:
        (folder / name).unlink()
    commit(folder, change | program, executable)
    git(folder, *WHO, "commit", "--quiet", "--allow-empty", "--message", "What was said in the review")


def commit(folder: Path, files: dict[str, str], executable: Sequence[str]) -> None:
    """These files, committed."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        if name in executable:
            (folder / name).chmod(0o755)
    git(folder, "add", "--all")
    git(folder, *WHO, "commit", "--quiet", "--allow-empty", "--message", "What was changed")


def git(folder: Path, *words: str) -> None:
    """A git command that has to work."""
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, timeout=WITHIN)


def taken(folder: Path, commands: list[str]) -> list[Any]:
    """The exit code of the steps, and the end of what they printed.

    One shell takes all lines, as each of the three systems does with a step of several.
    """
    with tempfile.TemporaryFile() as printed:
        try:
            done = subprocess.run(
                ["sh", "-ec", "\n".join(commands)], cwd=folder, stdin=subprocess.DEVNULL, stdout=printed,
                stderr=printed, timeout=WITHIN, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return [NEVER, f"it was stopped after {WITHIN:g} s"]
        except (OSError, ValueError) as trouble:  # lines that are too long, or no text
            return [NEVER, f"no shell takes these steps: {trouble}"[:_TAIL]]
        size = printed.seek(0, os.SEEK_END)
        printed.seek(max(0, size - _TAIL))
        return [done.returncode, printed.read(_TAIL).decode(errors="replace").strip()]


def main() -> None:
    """All changes, in the order in which they come; none any more after one whose steps did not end."""
    given = json.loads((Path(os.environ.get("GIVEN", "/checker/given.json"))).read_text())
    found: list[Any] = []
    for change in given["changes"]:
        if any(code == NEVER for code, _ in found):
            found.append([NEVER, "not begun: the steps did not end for the change before it"])
            continue
        with tempfile.TemporaryDirectory() as folder:
            program, names = given["program"], given["executable"]
            clone(Path(folder), change["base"], change["change"], program, names, change.get("fork"))
            found.append(taken(Path(folder), given["commands"]))
    print("\n" + json.dumps({"found": found}))


if __name__ == "__main__":
    main()
