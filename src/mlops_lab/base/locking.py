"""Locks between commands, and a clean end for a command that gets a signal."""

from __future__ import annotations

import contextlib
import fcntl
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from mlops_lab.base.errors import LabError


@contextlib.contextmanager
def alone(path: Path, what: str, say: Callable[[str], None], *, wait: bool = True) -> Iterator[None]:
    """Hold a lock file while the block runs; the kernel releases it however the process ends.

    Args:
        path: the lock file.
        what: what the lock protects, in words.
        say: called with a message when another command has the lock and this one waits.
        wait: False raises an error instead of waiting.

    Raises:
        LabError: another command has the lock and `wait` is False.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise LabError(f"another `lab` command is using {what}", "wait for it to end") from None
            say(f"another `lab` command is using {what}; waiting until it ends (Ctrl-C to stop waiting)")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


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
