"""A learner's detectors in a process of their own: asked with a limit, and ended with all that it has started."""

import contextlib
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
from pathlib import Path

HOST = Path(__file__).parent / "host.py"
# s that the detectors may take of their own: to be imported and made, and to take a batch
MADE, CALLED = 30.0, 10.0
STARVED = 6  # times that without a processor, and the machine is too busy to judge
LONGEST = 1 << 20  # bytes of an answer
# what variables begin with that are none of a detector's business
UNSEEN = ("KUBERNETES", "MLFLOW", "KFP", "PROMETHEUS", "SEED", "CHECKS", "LIMIT")


class GoneError(Exception):
    """The process is gone, and why."""


class Detectors:
    """The process, with the learner's module in it; what all of them have cost is `spent`, in seconds."""

    spent = 0.0

    def __init__(self, folder, in_all):
        self.in_all = in_all
        self.connection, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, str(HOST), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={name: value for name, value in os.environ.items() if not name.startswith(UNSEEN)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        theirs.close()
        self.printed = deque(maxlen=2)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        """Keep the last of what is printed there, and no more."""
        while text := self.process.stdout.read1(1 << 14):
            self.printed.append(text)

    def ask(self, what, key=None, rows=None, within=CALLED):
        """The answer of host.py.

        Raises:
            GoneError: there is none.
        """
        began, waited, data = time.monotonic(), self.waited(), pickle.dumps((what, key, rows))

        def own():
            return time.monotonic() - began - (self.waited() - waited)

        try:
            self.connection.settimeout(within)
            self.connection.sendall(len(data).to_bytes(4, "big") + data)
            self.connection.settimeout(0.2)
            line = bytearray()
            while not line.endswith(b"\n") and len(line) < LONGEST:
                try:
                    more = self.connection.recv(1 << 16)
                except TimeoutError:
                    if own() > within:
                        raise GoneError(f"it did not return within {within:g} s") from None
                    if Detectors.spent + own() > self.in_all:
                        raise GoneError(f"its answers took longer than {self.in_all:g} s in all") from None
                    if time.monotonic() - began > STARVED * within:
                        sys.exit(f"the machine is too busy: no answer within {STARVED * within:g} s")
                else:
                    line += more
                    if not more:
                        raise GoneError(self.how())
            answer = json.loads(line)
            if not isinstance(answer, dict):
                raise ValueError
        except OSError:
            raise GoneError(self.how()) from None
        except (ValueError, RecursionError):
            raise GoneError("something else than an answer came back from its process") from None
        finally:
            Detectors.spent += max(0.0, own())
        return answer

    def waited(self):
        """Seconds that the process could have used and had no processor."""
        try:
            return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0

    def how(self):
        """How the process ended."""
        try:
            code = self.process.wait(1)
        except subprocess.TimeoutExpired:
            return "its process closed the connection"
        return f"its process ended with exit code {code}" if code >= 0 else f"its process was ended by signal {-code}"

    def last_lines(self):
        """The end of what was printed."""
        lines = b"".join(self.printed).decode(errors="replace").splitlines()[-3:]
        return [f"printed: {''.join(each for each in line if each.isprintable())[:160]}" for line in lines]

    def end(self):
        """Nothing of it is left."""
        self.process.kill()
        if os.getpid() == 1:  # in a pod of its own: every other process there
            with contextlib.suppress(ProcessLookupError):  # there is none
                os.kill(-1, signal.SIGKILL)
        self.process.wait()
        self.connection.close()
