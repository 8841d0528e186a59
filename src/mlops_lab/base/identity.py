"""Which process it is, so that others can tell whether it still runs. No clock that can be set has a say in it.

A process number alone tells little: it is given again, and another machine or container has the same. With it go a
name of the space that it counts in (the boot and the PID namespace) and when the process began, which Linux counts in
ticks since the boot.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import socket
import uuid
from pathlib import Path

_ENDED = ("Z", "X")  # a zombie has a number only until its parent has asked for its exit code


def own() -> str:
    """This process, as `lives` takes it, such as `laptop/5f0c2a91/4711/88231`: host, space, process, beginning."""
    return f"{socket.gethostname()}/{_space()}/{os.getpid()}/{_began(os.getpid()) or ''}"


def lives(who: str) -> bool | None:
    """Does the process still run that `own` was asked in? None where that can't be told from here."""
    try:
        _, space, process, began = who.split("/")
        number = int(process)
    except ValueError:
        return None
    if space != _space():
        return None
    now = _began(number)
    if now is None:
        return False
    return began == now if began and now else None


def spelled(who: str) -> str:
    """A process in words; empty for what `own` has not said."""
    parts = who.split("/")
    return f"process {parts[2]} on {parts[0]}" if len(parts) == 4 else ""


@functools.cache
def _space() -> str:
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    try:
        parts = [boot.read_text().strip(), str(namespace.readlink())]
    except OSError:  # not Linux
        parts = [platform.system(), socket.gethostname(), str(uuid.getnode())]
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:8]


def _began(process: int) -> str | None:
    """When a process began; empty if it runs and that can't be told, None if there is none."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except OSError:  # it is another user's
        pass
    try:
        # The name, in brackets, may have spaces and brackets in it; man 5 proc_pid_stat has the fields behind it.
        fields = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if fields[0] in _ENDED else fields[19]
    except (OSError, IndexError):
        return ""
