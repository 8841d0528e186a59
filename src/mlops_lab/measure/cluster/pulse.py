"""This machine's CPU: how many threads want it, who uses it, and how long a small computation takes beside them.

https://man7.org/linux/man-pages/man5/proc_loadavg.5.html, proc_stat.5, proc_pid_stat.5
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

_BLOCK = bytes(8 << 20)  # hashing it takes 5 ms: longer than the slice that a thread gets as it wakes (3 ms)
# Programs that run or build containers: what a build of the learner's uses is theirs to wait for.
_ENGINES = {"dockerd", "containerd", "containerd-shim", "buildkitd", "podman", "conmon", "runc", "crun"}
_CONTAINED = ("docker", "kube", "libpod", "containerd", "crio")

Program = tuple[int, int]  # process id, and when it started: together they are used once


class Pulse(NamedTuple):
    """One look at the machine.

    Attributes:
        wanting: threads that run or wait for a core, at this moment.
        busy: core seconds that were used since the start, by whomever; those that a hypervisor took away, too.
        aside: of these, what gives way to others (niced programs), and what this process has used.
        took, used: seconds that the computation took, and of CPU that it used in them.
    """

    wanting: float
    busy: float
    aside: float
    took: float
    used: float


class Machine:
    """This machine.

    Args:
        proc: where its kernel's files are.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self.cores = os.cpu_count() or 1
        try:
            self.boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            self.boot = ""
        self.counts = (proc / "loadavg").exists() and (proc / "stat").exists()

    def pulse(self) -> Pulse:
        """Look at it, in some 5 ms; where there is no /proc (macOS), as if its cores were always in use."""
        took, used = time.perf_counter(), time.thread_time()
        hashlib.sha256(_BLOCK).digest()
        took, used = time.perf_counter() - took, time.thread_time() - used
        if not self.counts:
            wanting = self.cores * max(took / used, 1.0) if used > 0 else 0.0
            return Pulse(wanting, self.cores * time.monotonic(), time.process_time(), took, used)
        # runnable/all threads; this one is among them. Those that wait for the CPU limit of their cgroup are not.
        wanting = int((self._proc / "loadavg").read_text().split()[3].split("/")[0]) - 1
        with (self._proc / "stat").open() as lines:
            ticks = os.sysconf("SC_CLK_TCK")
            user, nice, system, _, _, irq, soft, stolen = (int(each) / ticks for each in lines.readline().split()[1:9])
        busy = user + nice + system + irq + soft + stolen
        return Pulse(max(wanting, 0), busy, nice + time.process_time(), took, used)

    def programs(self, known: Collection[Program] | None = None) -> dict[Program, float]:
        """CPU seconds of the programs at work on this machine, without containers, their engines, niced ones and us.

        Args:
            known: those to look at; None for all that there are.
        """
        found: dict[Program, float] = {}
        listed = (each.name for each in self._proc.iterdir()) if known is None else (str(number) for number, _ in known)
        for name in listed:
            if not name.isdigit() or int(name) == os.getpid():
                continue
            try:
                # The second field is the program's name, in brackets, and may hold anything; it is cut at a byte.
                own = self._proc / name
                head, _, rest = (own / "stat").read_text(errors="replace").rpartition(")")
                fields = rest.split()
                ours = int(fields[16]) > 0 or head.partition("(")[2] in _ENGINES
                ours = ours or (known is None and _contained((own / "cgroup").read_text(errors="replace")))
            except (OSError, IndexError):  # it has ended
                continue
            program = int(name), int(fields[19])
            if not ours and (known is None or program in known):
                found[program] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return found


def _contained(cgroup: str) -> bool:
    return any(word in cgroup for word in _CONTAINED)
