"""Shells on pseudo-terminals, one for each place, of which all windows see the same. They and what they have begun end
with the work that they are for, at the latest with us.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from terminado.management import NamedTermManager, PtyWithClients
from terminado.websocket import TermSocket
from tornado.ioloop import IOLoop

from mlops_lab.base import processes
from mlops_lab.base.errors import LabError
from mlops_lab.cluster.shell import zsh
from mlops_lab.desk.guard import Guarded
from mlops_lab.desk.live import send
from mlops_lab.desk.place import Place

_SETTINGS = Path(__file__).parent / "shell"
_LARGEST = 1000  # rows or columns
_EVERY = 5.0  # s between two looks at whose work is over
_WITHIN = 2.0  # s that the processes of a shell get to end
_AHEAD = 1 << 20  # characters that a shell may be ahead of the window that has got most of what it shows
_BEHIND = 16 << 20  # characters that a window may be behind; it comes again, and gets what was shown last
_WRITERS = 16  # a program that does not read what is typed holds up one of these


class Terminals(NamedTermManager):
    """The shells, by their places' keys.

    Args:
        place: the place of a key; None if there is none.
    """

    def __init__(self, place: Callable[[str], Place | None]) -> None:
        words, self._variables = shell()
        super().__init__(
            shell_command=cast(str, words),  # it says so, and takes a list
            blocking_io_executor=concurrent.futures.ThreadPoolExecutor(_WRITERS, thread_name_prefix="terminal"),
        )
        self._place = place
        self._leaders: dict[int, Place] = {}  # of the sessions that may have processes
        self._resting: set[int] = set()  # those that are not read, by their pseudo-terminals
        self._ended = False

    async def begin(self, name: str) -> None:
        """Begin the shell of a place if there is none; pages don't wait while its environment is asked for."""
        place = self._place(name)
        if place is None or place.shell in self.terminals:
            return
        own = await asyncio.to_thread(lambda: dict(place.environment))
        if self._ended or self._place(name) is not place or place.shell in self.terminals or place.folder is None:
            return  # what was so before may be so no longer
        added = {**environment(own), **self._variables}
        _, made = self.new_named_terminal(name=place.shell, cwd=str(place.folder), extra_env=added)
        self._leaders[made.ptyproc.pid] = place

    def get_terminal(self, term_name: Any = None) -> PtyWithClients:
        """The shell of a place, which was begun.

        Raises:
            LookupError: there is no such place, or it has no folder yet.
        """
        place = self._place(term_name)
        if place is None:
            raise LookupError(term_name)
        return self.terminals[place.shell]

    def pty_read(self, fd: int, events: Any = None) -> None:
        """Pass on what a shell shows, as fast as the windows take it: one that shows too much has to wait."""
        super().pty_read(fd, events)
        if (pty := self.ptys_by_fd.get(fd)) is None:  # it has ended
            return
        for each in _windows(pty):
            if each.behind > _BEHIND:
                each.close(1013, "it is too far behind")
        if _ahead(pty):
            IOLoop.current().remove_handler(fd)
            self._resting.add(fd)

    def go_on(self, pty: PtyWithClients) -> None:
        """Read on from a shell that had to wait, if it has waited long enough."""
        fd = pty.ptyproc.fd
        if fd in self._resting and not _ahead(pty):
            self._resting.discard(fd)
            IOLoop.current().add_handler(fd, self.pty_read, IOLoop.READ)

    async def follow(self) -> None:
        """End the shells of places whose work is over, and what they have begun; until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            await self._end_those(lambda place: place.over)

    async def end(self) -> None:
        """End all shells and what they have begun."""
        self._ended = True
        await self._end_those(lambda place: True)
        await self.shutdown()
        self.blocking_io_executor.shutdown(wait=False, cancel_futures=True)

    async def _end_those(self, wanted: Callable[[Place], bool]) -> None:
        exited = set(self._leaders) - {each.ptyproc.pid for each in self.ptys_by_fd.values()}
        for pid in await asyncio.to_thread(_empty, exited) if exited else ():
            del self._leaders[pid]  # another session may get the number
        leaders = {pid for pid, place in self._leaders.items() if wanted(place)}
        if not leaders:
            return
        for number in (signal.SIGHUP, signal.SIGKILL):
            found = await asyncio.to_thread(_sessions, leaders)
            _signal(found, number)
            _signal(found, signal.SIGCONT)  # what is stopped would not hear
            deadline = asyncio.get_running_loop().time() + _WITHIN
            while any(map(_lives, found)) and asyncio.get_running_loop().time() < deadline:
                for each in list(self.ptys_by_fd.values()):
                    each.ptyproc.isalive()  # takes the exit code of one that has ended
                await asyncio.sleep(0.02)
        for pid in leaders:
            del self._leaders[pid]


class Terminal(Guarded, TermSocket):
    """A window's end of a shell.

    Attributes:
        behind: characters that are to be sent and are not on their way yet.
    """

    behind = 0
    _output = "before"

    async def open(self, *names: str) -> None:  # type: ignore[override] # as tornado allows
        """Join the shell of the place that the address names, and send what it has shown before."""
        name = "/".join(names)
        await cast(Terminals, self.term_manager).begin(name)
        if self.ws_connection is None:  # the window has gone meanwhile
            return
        try:
            super().open(name)
        except LookupError:
            self.close(4404, "there is no folder to work in yet")
        self._output = "stdout"

    def on_pty_read(self, text: str) -> None:
        """Send what the shell shows.

        What it showed before is of a kind of its own: what programs asked the terminal then is not answered again.
        """
        self.send_json_message([self._output, text])

    async def on_message(self, message: str | bytes) -> None:  # type: ignore[override] # as tornado allows
        """What was typed, or another size; anything else ends the connection."""
        if self.terminal is None:
            return
        try:
            kind, *values = json.loads(message)
            if kind == "set_size":
                rows, columns = (min(_LARGEST, max(1, int(each))) for each in values[:2])
                self.size = (rows, columns)  # type: ignore[assignment]
                self.terminal.resize_to_smallest()
            elif kind == "stdin":
                with contextlib.suppress(OSError):  # it has ended meanwhile
                    await self.stdin_to_ptyproc(str(values[0]))
        except (ValueError, TypeError, IndexError, OverflowError):
            self.close(1003, "that is no message of a terminal")

    def send_json_message(self, content: Any) -> None:
        """Send to the window."""
        text = json.dumps(content)
        self.behind += len(text)
        send(self, text, lambda: self._sent(len(text)))

    def on_close(self) -> None:
        """Leave the shell, which goes on."""
        if self.terminal and self in self.terminal.clients:
            self.terminal.clients.remove(self)
            if self.terminal.ptyproc.isalive():
                self.terminal.resize_to_smallest()
            cast(Terminals, self.term_manager).go_on(self.terminal)

    def _sent(self, count: int) -> None:
        self.behind -= count
        if self.terminal:
            cast(Terminals, self.term_manager).go_on(self.terminal)


def _windows(pty: PtyWithClients) -> list[Terminal]:
    return cast("list[Terminal]", pty.clients)


def _ahead(pty: PtyWithClients) -> bool:
    """Is a shell too far ahead of all its windows?"""
    return min((each.behind for each in _windows(pty)), default=0) > _AHEAD


def shell() -> tuple[list[str], dict[str, str]]:
    """The shell's words and variables: zsh if that is the user's; else bash, as in the exams, or what there is.

    Raises:
        LabError: what zsh reads can't be written.
    """
    if found := zsh(_SETTINGS / "settings.zsh"):
        return found
    bash = shutil.which("bash")
    return [bash, "--rcfile", str(_SETTINGS / "bashrc"), "-i"] if bash else ["/bin/sh", "-i"], {}


def environment(own: dict[str, str]) -> dict[str, str]:
    """What a shell has beside this process's own: the project's programs come first on PATH, also after ~/.bashrc.

    Args:
        own: the place's; folders in its PATH come before even those.
    """
    programs = os.pathsep.join(filter(None, (own.get("PATH"), str(Path(sys.executable).parent))))
    return {
        **own,
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "LAB_DESK_PROGRAMS": programs,
        "LAB_DESK_KUBECONFIG": own.get("KUBECONFIG", ""),
        "COLORTERM": "truecolor",
    }


def _sessions(leaders: set[int]) -> set[int]:
    """All processes of these sessions, the leaders too."""
    return {each for each in _all() if _session(each) in leaders}


def _empty(exited: set[int]) -> set[int]:
    """Those of these sessions, whose leaders have ended, that have no process any more."""
    there = set(_all())
    others = exited & there  # a new process has got the number
    return others | (exited - {_session(pid) for pid in there})


def _all() -> list[int]:
    try:
        names = os.listdir("/proc")  # noqa: PTH208 # names only, and quickly
    except OSError:
        try:
            names = processes.run(["ps", "-A", "-o", "pid="], within=10, check=False).stdout.split()
        except LabError:
            names = []
    return [int(name) for name in names if name.isdigit()]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def _signal(found: set[int], number: signal.Signals) -> None:
    for pid in found:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def _lives(pid: int) -> bool:
    with contextlib.suppress(OSError):  # there is no /proc, or no such process in it
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
