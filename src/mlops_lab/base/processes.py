"""Other programs: run with a limit, output kept for the error instead of printed and lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_lab.base.errors import LabError

_TAIL = 30


@dataclass(frozen=True)
class Completed:
    """A program that ended: its exit code and its whole output as text."""

    code: int
    stdout: str
    stderr: str


def run(
    args: Sequence[str | Path],
    *,
    within: float,
    hint: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | bytes | None = None,
    log: Path | None = None,
    check: bool = True,
) -> Completed:
    """Run a program to its end.

    Args:
        args: the program and its arguments; never through a shell.
        within: limit in seconds; the program is killed when it runs out.
        hint: what the user should do if it fails.
        env: variables added to the environment.
        log: a file that gets both streams while the program runs; stdout and stderr of the result are then
            empty and an error quotes the end of the file.
        check: raise when the exit code is not 0.

    Raises:
        LabError: the program is not there, ran out of time or (with `check`) failed; the detail carries the
            command and the last lines of its output.
    """
    words = [str(arg) for arg in args]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    environment = {**os.environ, **(env or {})}
    try:
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as sink:
                done = subprocess.run(
                    words,
                    input=data,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    timeout=within,
                    env=environment,
                    cwd=cwd,
                    check=False,
                )
        else:
            done = subprocess.run(
                words, input=data, capture_output=True, timeout=within, env=environment, cwd=cwd, check=False
            )
    except FileNotFoundError as missing:
        raise LabError(f"{words[0]} is not installed", hint or f"install {words[0]} and try again") from missing
    except subprocess.TimeoutExpired as late:
        raise LabError(
            f"{Path(words[0]).name} did not end within {within:g} s",
            hint or "try again",
            _evidence(words, late.stdout, late.stderr, log),
        ) from late
    completed = Completed(
        done.returncode, (done.stdout or b"").decode(errors="replace"), (done.stderr or b"").decode(errors="replace")
    )
    if check and done.returncode != 0:
        raise LabError(
            f"{Path(words[0]).name} failed with exit code {done.returncode}",
            hint or "read the output below, then try again",
            _evidence(words, done.stdout, done.stderr, log),
        )
    return completed


def find(program: str) -> Path | None:
    """The program's path, looked up on PATH and beside the running Python (where pip puts programs)."""
    found = shutil.which(program) or shutil.which(program, path=str(Path(sys.executable).parent))
    return Path(found) if found else None


def _evidence(words: Sequence[str], stdout: bytes | None, stderr: bytes | None, log: Path | None) -> str:
    output = log.read_bytes() if log and log.exists() else (stdout or b"") + (stderr or b"")
    lines = output.decode(errors="replace").strip().splitlines()
    where = [f"(whole output: {log})"] if log else []
    return "\n".join([f"$ {' '.join(words)}", *lines[-_TAIL:], *where])
