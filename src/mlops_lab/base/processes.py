"""Other programs: run to their end within a limit, or started and ended; output is kept for the error, never lost.

Programs are begun and ended here, but for learners' own (`base.untrusted`, and `classroom.grader.apart.inside` in a pod
that has nothing else of ours), the terminals of a desk (`desk.terminals`), the shell that takes this process's place
(`cluster.shell`), and the `lab verify` of each lab that is proved beside others (`proof.together`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from mlops_lab.base.errors import LabError

_TAIL = 30

# s that the children of a stopped program get to end.
_LEFT_WITHIN = 20


Stream = IO[bytes] | int  # a file, or one of subprocess' PIPE, DEVNULL and STDOUT


class TimedOut(LabError):
    """A program that did not end within its limit, and was ended."""


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
    stdin: str | bytes | IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
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
        stdin: what the program reads, or a file with it; None for this process's own.
        stdout: a file that gets the program's output instead of the result.
        log: a file that gets both streams while the program runs; stdout and stderr of the result are then
            empty and an error quotes the end of the file.
        check: raise when the exit code is not 0.
        leaves: child processes with this in their command line are waited for (20 s at most) when the program is
            stopped early, so that what they create can be found and removed. The program gets its own session: an
            interrupt from the keyboard does not reach it.

    Raises:
        TimedOut: the limit ran out.
        LabError: the program is not there, can't be run or (with `check`) failed. The detail of both carries the
            command and the last lines of its output.
    """
    words = [str(arg) for arg in args]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    if isinstance(data, bytes):
        source: Stream | None = subprocess.PIPE
    else:
        data, source = None, data
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            log.open("ab") if log else contextlib.nullcontext(stdout or subprocess.PIPE) as sink,
            start(
                words,
                stdin=source,
                stdout=sink,
                stderr=subprocess.STDOUT if log else subprocess.PIPE,
                env=env,
                cwd=cwd,
                hint=hint,
                session=bool(leaves),
            ) as process,
        ):
            try:
                said, stderr = process.communicate(data, timeout=within)
            except BaseException:
                process.kill()
                if leaves:
                    _let_end(process, leaves)
                raise
    except subprocess.TimeoutExpired as late:
        raise TimedOut(
            f"{Path(words[0]).name} did not end within {within:g} s",
            hint or "try again",
            _evidence(words, late.stdout, late.stderr, log),
        ) from late
    completed = Completed(
        process.returncode, (said or b"").decode(errors="replace"), (stderr or b"").decode(errors="replace")
    )
    if check and completed.code != 0:
        raise LabError(
            f"{Path(words[0]).name} failed with exit code {completed.code}",
            hint or "read its output, then try again",
            _evidence(words, said, stderr, log),
        )
    return completed


def start(
    args: Sequence[str | Path],
    *,
    stdin: Stream | None = subprocess.DEVNULL,
    stdout: Stream = subprocess.DEVNULL,
    stderr: Stream = subprocess.DEVNULL,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    hint: str = "",
    session: bool = True,
) -> subprocess.Popen[bytes]:
    """Start a program; whoever does so ends it with `end`, unless it is to outlive this process.

    Args:
        args: the program and its arguments; never through a shell.
        stdin: None for this process's own.
        env: variables added to the environment.
        hint: what the user should do if it is not there.
        session: give it a session of its own, so that an interrupt from the keyboard does not reach it, and `end` ends
            what it has started in its turn, too.

    Raises:
        LabError: the program is not there, or can't be run.
    """
    words = [str(arg) for arg in args]
    environment = {**os.environ, **(env or {})}
    try:
        return subprocess.Popen(
            words, stdin=stdin, stdout=stdout, stderr=stderr, env=environment, cwd=cwd, start_new_session=session
        )
    except FileNotFoundError as missing:
        raise LabError(f"{words[0]} is not installed", hint or f"install {words[0]} and try again") from missing
    except OSError as refused:
        raise LabError(
            f"{words[0]} can't be run: {refused.strerror or refused}",
            "see its permissions, and whether its file system is mounted noexec; MLOPS_LAB_HOME moves what is lab's",
        ) from refused


def end(
    process: subprocess.Popen[bytes],
    *,
    by: signal.Signals = signal.SIGTERM,
    within: float = 10.0,
    survivors: bool = False,
) -> None:
    """End a program that `start` began, with all that shares its session; one that has ended is left alone.

    Args:
        by: the signal that asks it to end.
        within: seconds that it gets to do so; then it is killed.
        survivors: kill what it has left at work in its session, too, even if the program itself has ended.
    """
    for each in (by, signal.SIGKILL):
        if process.poll() is not None:
            break
        _signal(process, each)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(within)
    if survivors:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def ended(
    process: subprocess.Popen[bytes], *, by: signal.Signals = signal.SIGTERM, within: float = 10.0
) -> Iterator[subprocess.Popen[bytes]]:
    """`end` a program when the block ends."""
    try:
        yield process
    finally:
        end(process, by=by, within=within)


@contextlib.contextmanager
def bounded(process: subprocess.Popen[bytes], within: float, stop: threading.Event | None = None) -> Iterator[None]:
    """`end` a program of `start` that is not done in time, or once `stop` is set, though the block waits for its pipes.

    Args:
        within: limit in seconds, from now on.

    Raises:
        TimedOut: the limit ran out.
    """
    left, late = threading.Event(), threading.Event()
    limit = time.monotonic() + within

    def watch() -> None:
        while process.poll() is None and not left.wait(0.1):
            if time.monotonic() > limit:
                late.set()
            if late.is_set() or (stop and stop.is_set()):
                end(process)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        left.set()
        watcher.join()
    if late.is_set():
        raise TimedOut(
            f"{' '.join(map(str, cast('list[str]', process.args)[:2]))} did not end within {within:g} s",
            "see whether it answers otherwise, then run the same command again",
        )


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:  # it has no session of its own
        process.send_signal(number)


def _let_end(process: subprocess.Popen[bytes], words: str) -> None:
    """Wait until no child with these words in its command line is left in the session of a killed program."""
    process.wait()
    ps = ["ps", "-A", "-o", "pgid=", "-o", "stat=", "-o", "args="]
    end = time.monotonic() + _LEFT_WITHIN
    while time.monotonic() < end:
        try:
            listed = run(ps, within=10, check=False)
        except LabError:  # there is no ps
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
