"""Locks between commands, and a clean end for a command that gets a signal.

Whoever has a lock alone writes into its file who that is, for the message of those who wait. The lock itself is the
kernel's: it is free when the process has ended, whatever the file says.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TextIO

from mlops_lab.base.errors import LabError

_ASK_EVERY = 0.2  # s between two tries for a lock, in a thread that can be told to stop
_LONGEST = 80  # characters of a command that are shown


@contextlib.contextmanager
def alone(path: Path, what: str, say: Callable[[str], None], *, wait: bool = True) -> Iterator[None]:
    """Hold a lock file while the block runs; the kernel releases it however the process ends.

    Args:
        path: the lock file.
        what: what the lock protects, in words.
        say: called with a message when another command has the lock and this one waits.
        wait: False raises an error instead of waiting.

    Raises:
        LabError: another command has the lock and `wait` is False; or the file can't be made.
    """
    with _held(path, fcntl.LOCK_EX, what, say, wait=wait):
        yield


@contextlib.contextmanager
def among_others(path: Path, what: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold a lock file together with others that hold it so; whoever wants it `alone` waits for all of them."""
    with _held(path, fcntl.LOCK_SH, what, say):
        yield


@contextlib.contextmanager
def at_once(path: Path) -> Iterator[str]:
    """Hold a lock file alone if it is free.

    Yields:
        Empty if it is held now; else who has it.

    Raises:
        LabError: the file can't be made.
    """
    with _opened(path) as file:
        if not _try(file, fcntl.LOCK_EX):
            yield _holder(path) or "another `lab` command"
            return
        with _noted(file):
            yield ""


@contextlib.contextmanager
def in_turn(path: Path, what: str, say: Callable[[str], None], stop: threading.Event) -> Iterator[bool]:
    """`alone` in a thread that must not wait on when the work around it ends.

    Yields:
        Is the lock held? False once `stop` is set while another command still has it.

    Raises:
        LabError: the file can't be made.
    """
    with _opened(path) as file:
        announced = False
        while not (held := _try(file, fcntl.LOCK_EX)) and not stop.is_set():
            if not announced:
                say(f"{_taken(path, what)}; waiting until it ends")
                announced = True
            stop.wait(_ASK_EVERY)
        with _noted(file) if held else contextlib.nullcontext():
            yield held


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """A lock file, made if need be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="utf-8", errors="backslashreplace")  # a command's words may be any bytes
    except OSError as trouble:
        if trouble.errno in (errno.ENOSPC, errno.EDQUOT):  # that is said of any file
            raise
        raise LabError(
            f"{path} cannot be written: {trouble.strerror or trouble}",
            f"see who owns it and {path.parent} (after `sudo lab` it is root), or name another folder: MLOPS_LAB_HOME",
        ) from trouble
    with file:
        yield file


@contextlib.contextmanager
def _held(path: Path, kind: int, what: str, say: Callable[[str], None], *, wait: bool = True) -> Iterator[None]:
    with _opened(path) as file:
        if not _try(file, kind):
            if not wait:
                raise LabError(_taken(path, what), "wait for it to end")
            say(f"{_taken(path, what)}; waiting until it ends (Ctrl-C to stop waiting)")
            fcntl.flock(file, kind)
        with _noted(file) if kind == fcntl.LOCK_EX else contextlib.nullcontext():
            yield


@contextlib.contextmanager
def _noted(file: TextIO) -> Iterator[None]:
    """Say in a lock file who holds it."""
    command = " ".join(["lab", *sys.argv[1:]])
    shown = command if len(command) <= _LONGEST else f"{command[:_LONGEST]}…"
    with contextlib.suppress(OSError):  # it is only for others' messages
        file.truncate(0)  # what a killed command has left
        print(f"`{shown}` (process {os.getpid()}, since {time.strftime('%H:%M:%S')})", end="", file=file, flush=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.truncate(0)


def _holder(path: Path) -> str:
    """Who has a lock alone, in words; empty if that is not known."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _taken(path: Path, what: str) -> str:
    who = _holder(path)
    return f"another `lab` command is using {what}" + (f": {who}" if who else "")


def _try(file: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM, and SIGHUP from a terminal that closes, interrupt the block as Ctrl-C does, so that it can clean up.

    A signal that is ignored (`nohup`) stays ignored. Only the first signal counts: a closing terminal may send two, and
    the second would interrupt the cleanup. Ctrl-C still interrupts it.
    """
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            return
        interrupted = True
        if callable(signal.getsignal(signal.SIGINT)):
            signal.raise_signal(signal.SIGINT)  # asyncio and others handle Ctrl-C themselves
        else:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, interrupt) for each in heard}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
