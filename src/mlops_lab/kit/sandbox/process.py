"""The judge's side of the sandbox: a learner's program in a process of its own, asked with limits and ended for sure.

Runs in a pod of the checker's and needs only the standard library. A limit counts the time that the program itself
takes: seconds in which it wanted a CPU and had none are not its own. Where they are many, the judge gives up, which is
an error of the environment.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

PROGRAM = Path("/checker/learner.json")  # where the pod has the learner's files
WORK = Path("/tmp/work")
STARVED = 6  # times its limit without an answer, and the machine is too busy to judge
LONGEST = 1 << 20  # bytes of an answer
ENDS_WITHIN = 20.0  # s for the end of a run
_LOOK_EVERY = 0.2  # s
_SEEN = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH")  # variables that a program may know
_SET_DUMPABLE = 4  # prctl
_START = f"import sys; from {__package__} import inside; inside.main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))"
STRANGE = "its process did not keep to its own side of the pipe"


class Trouble(Exception):
    """What a program does that ends its run: what was seen, and lines that explain it.

    Nobody knows then what its process is at: close the sandbox.
    """

    def __init__(self, seen: str, lines: list[str]) -> None:
        super().__init__(seen)
        self.seen, self.lines = seen, lines


class Raised(Trouble):
    """It raised an exception: `text`."""

    def __init__(self, text: str, lines: list[str]) -> None:
        super().__init__(f"it raised {text}", lines)
        self.text = text


class Ended(Trouble):
    """Its process ended: with an exit code, or the negative number of a signal."""

    def __init__(self, code: int, lines: list[str]) -> None:
        how = f"ended with exit code {code}" if code >= 0 else f"was ended by signal {-code}"
        super().__init__(f"its process {how}", lines)
        self.code = code


@dataclass
class Spent:
    """Seconds that a program has used: on a CPU, and neither there nor waiting for one."""

    cpu: float = 0.0
    idle: float = 0.0


class Sandbox:
    """A learner's program in a process that has imported it; each run, from `begin` to `end`, is in a fork of that.

    Args:
        driver: the module that imports and asks it; see `inside`.
        folder: with its files.
        memory: bytes of data that it may have.
        within: seconds for the import.
        what: is imported, in words.
        spent: by sandboxes before, which it adds to.

    Attributes:
        spent: by all runs so far.

    Raises:
        Trouble: it can't be imported.
    """

    def __init__(
        self,
        driver: str,
        folder: Path,
        *,
        memory: int,
        within: float,
        what: str = "",
        spent: Spent | None = None,
    ) -> None:
        self.spent = Spent() if spent is None else spent
        self._connection, theirs = socket.socketpair()
        self._kept, self._printed = b"", deque[bytes](maxlen=2)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, str(theirs.fileno()), driver, str(memory)],
            pass_fds=[theirs.fileno()], env=_environment(), cwd=folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        theirs.close()
        self._pid = self._process.pid
        assert self._process.stdout is not None
        threading.Thread(target=self._drain, args=(self._process.stdout,), daemon=True).start()
        try:
            if not self._heard(within, what).get("ready"):
                raise Trouble(STRANGE, self.printed)
        except BaseException:
            self.close()
            raise

    def begin(self, cpu_seconds: int | None = None) -> None:
        """Start a run.

        Args:
            cpu_seconds: at which the kernel ends it; None for no such limit.

        Raises:
            Trouble: it does not begin.
        """
        self._send(cpu_seconds, ENDS_WITHIN)
        self._pid = self._process.pid
        found = self._heard(ENDS_WITHIN, "the start of a run").get("pid")
        if not isinstance(found, int):
            raise Trouble(STRANGE, self.printed)
        self._pid = found

    def ask(self, message: Any, *, within: float, what: str = "") -> dict[str, Any]:
        """What the driver answers to a message, which anything but None can be.

        Args:
            within: seconds of the program's own.
            what: is asked, in words.

        Raises:
            Trouble: there is no answer, and why; `Raised` and `Ended` are such.
        """
        began, before, own = time.monotonic(), scheduled(self._pid), scheduled("self")
        try:
            self._send(message, within)
            return self._heard(within, what)
        finally:
            (ran, waited), mine = (_since(scheduled(self._pid), before), _since(scheduled("self"), own))
            self.spent.cpu += ran
            self.spent.idle += max(0.0, time.monotonic() - began - ran - waited - sum(mine))

    def end(self) -> None:
        """End a run, and wait for that.

        Raises:
            Trouble: it does not end.
        """
        self._send(None, ENDS_WITHIN)
        until = time.monotonic() + ENDS_WITHIN
        while "ended" not in self._line(ENDS_WITHIN, "the end of a run"):
            if time.monotonic() > until:
                raise Trouble(STRANGE, self.printed)

    def close(self) -> None:
        """Leave nothing of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if os.getpid() == 1:  # in a pod of its own: every other process there, whatever session it is in
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        self._process.wait()
        self._connection.close()

    def memory(self) -> int:
        """Bytes of memory that the run's process has for itself.

        Raises:
            Trouble: it has ended.
        """
        try:
            status = Path(f"/proc/{self._pid}/status").read_text(errors="replace")  # it has the program's name
            return int(status.partition("RssAnon:")[2].split()[0]) << 10
        except (OSError, IndexError):
            raise Trouble("its process ended", self.printed) from None

    @property
    def printed(self) -> list[str]:
        """The end of what the program printed."""
        lines = b"".join(self._printed).decode(errors="replace").splitlines()[-3:]
        return [f"printed: {''.join(each for each in line if each.isprintable())[:160]}" for line in lines]

    def _send(self, message: Any, within: float) -> None:
        data = pickle.dumps(message)
        try:
            self._connection.settimeout(within)
            self._connection.sendall(len(data).to_bytes(4, "big") + data)
        except TimeoutError:
            raise Trouble(f"it took nothing for {within:g} s", self.printed) from None
        except OSError:
            raise self._gone() from None

    def _heard(self, within: float, what: str) -> dict[str, Any]:
        """An answer that tells of no trouble."""
        answer = self._line(within, what)
        if "raised" in answer:
            given = answer["lines"] if isinstance(answer.get("lines"), list) else []
            lines = [str(line)[:200] for line in given[:4]]
            raise Raised(str(answer["raised"])[:300], lines or self.printed)
        if isinstance(code := answer.get("ended"), int):
            raise Ended(code, self.printed)
        return answer

    def _line(self, within: float, what: str) -> dict[str, Any]:
        """An answer, whatever it says."""
        began, own = time.monotonic(), self._own_time()
        self._connection.settimeout(_LOOK_EVERY)
        while b"\n" not in self._kept:
            try:
                more = self._connection.recv(1 << 16)
            except TimeoutError:
                if own() > within:
                    named = f" ({what})" if what else ""
                    raise Trouble(f"it did not return within {within:g} s{named}", self.printed) from None
                if time.monotonic() - began > STARVED * within:
                    sys.exit(f"the machine is too busy: no answer within {STARVED * within:g} s")
                continue
            except OSError:
                raise self._gone() from None
            self._kept += more
            if not more:
                raise self._gone()
            if len(self._kept) > LONGEST:
                raise Trouble(STRANGE, self.printed)
        line, _, self._kept = self._kept.partition(b"\n")
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise Trouble(STRANGE, self.printed)
        return answer

    def _own_time(self) -> Callable[[], float]:
        """Seconds of the program's own from now on."""
        began, (_, waited) = time.monotonic(), scheduled(self._pid)

        def own() -> float:
            return time.monotonic() - began - (scheduled(self._pid)[1] - waited)

        return own

    def _gone(self) -> Trouble:
        try:
            return Ended(self._process.wait(1), self.printed)
        except subprocess.TimeoutExpired:
            return Trouble("its process closed the connection", self.printed)

    def _drain(self, output: IO[bytes]) -> None:
        """Keep the last of what is printed there, and no more."""
        while text := os.read(output.fileno(), 1 << 14):
            self._printed.append(text)


def protect() -> None:
    """Keep this process apart from what runs beside it: that can't read its memory, nor what it has open."""
    ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def unpacked() -> Path:
    """The folder with the learner's files, written there from what the pod was given."""
    WORK.mkdir()
    for name, content in json.loads(PROGRAM.read_text()).items():
        (WORK / name).write_bytes(base64.b64decode(content))
    return WORK


def scheduled(pid: int | str) -> tuple[float, float]:
    """Seconds that a process's main thread was on a CPU, and that it waited for one; zeros once it is gone."""
    try:
        used, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    except (OSError, ValueError):
        return 0.0, 0.0
    return int(used) / 1e9, int(waited) / 1e9


def _since(now: tuple[float, float], before: tuple[float, float]) -> tuple[float, float]:
    return max(0.0, now[0] - before[0]), max(0.0, now[1] - before[1])


def _environment() -> dict[str, str]:
    """What the program may know of this process's environment, and where to import from."""
    known = {
        name: value
        for name, value in os.environ.items()
        if name in _SEEN or name.startswith(("PYTHON", "LC_")) or name.endswith("_NUM_THREADS")
    }
    return known | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
