"""Other programs: run with a limit, output kept for the error instead of printed and lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_lab.base.errors import LabError

_TAIL = 30

# s that programs which a stopped one has left get to end.
_LEFT_WITHIN = 20


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
    leaves: str = "",
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
        leaves: programs whose command line holds this may be left at work by one that is stopped early; they are waited
            for (20 s at most), so that what they make can be seen and cleared away. The program gets a session of its
            own: an interrupt from the keyboard reaches none of them.

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
        with (
            log.open("ab") if log else contextlib.nullcontext(subprocess.PIPE) as sink,
            subprocess.Popen(
                words,
                stdin=None if data is None else subprocess.PIPE,
                stdout=sink,
                stderr=subprocess.STDOUT if log else subprocess.PIPE,
                env=environment,
                cwd=cwd,
                start_new_session=bool(leaves),
            ) as process,
        ):
            try:
                stdout, stderr = process.communicate(data, timeout=within)
            except BaseException:
                process.kill()
                if leaves:
                    _let_end(process, leaves)
                raise
    except FileNotFoundError as missing:
        raise LabError(f"{words[0]} is not installed", hint or f"install {words[0]} and try again") from missing
    except subprocess.TimeoutExpired as late:
        raise LabError(
            f"{Path(words[0]).name} did not end within {within:g} s",
            hint or "try again",
            _evidence(words, late.stdout, late.stderr, log),
        ) from late
    completed = Completed(
        process.returncode, (stdout or b"").decode(errors="replace"), (stderr or b"").decode(errors="replace")
    )
    if check and completed.code != 0:
        raise LabError(
            f"{Path(words[0]).name} failed with exit code {completed.code}",
            hint or "read its output, then try again",
            _evidence(words, stdout, stderr, log),
        )
    return completed


def _let_end(process: subprocess.Popen[bytes], words: str) -> None:
    """Wait until no program with these words in its command line is left of a session whose first one was killed."""
    process.wait()
    ps = ["ps", "-A", "-o", "pgid=", "-o", "stat=", "-o", "args="]
    end = time.monotonic() + _LEFT_WITHIN
    while time.monotonic() < end:
        try:
            listed = subprocess.run(ps, capture_output=True, text=True, check=False)
        except OSError:  # there is no ps
            return
        rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
        if not any(
            len(row) == 3 and row[0] == str(process.pid) and row[1][0] != "Z" and words in row[2] for row in rows
        ):
            return
        time.sleep(0.1)


def find(program: str) -> Path | None:
    """The program's path, looked up on PATH and beside the running Python (where pip puts programs)."""
    found = shutil.which(program) or shutil.which(program, path=str(Path(sys.executable).parent))
    return Path(found) if found else None


def _evidence(words: Sequence[str], stdout: bytes | None, stderr: bytes | None, log: Path | None) -> str:
    output = log.read_bytes() if log and log.exists() else (stdout or b"") + (stderr or b"")
    lines = output.decode(errors="replace").strip().splitlines()
    where = [f"(whole output: {log})"] if log else []
    return "\n".join([f"$ {' '.join(words)}", *lines[-_TAIL:], *where])
