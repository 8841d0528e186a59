"""The memory of the cluster's containers, as the engine tells it: without files that could be dropped."""

from __future__ import annotations

import re
import subprocess
import time

_GIB = {"B": 2**-30, "KiB": 2**-20, "MiB": 2**-10, "GiB": 1.0}


def idle(rest: float = 60, of: str = "mlops-lab") -> float:
    """GiB that containers use after a rest.

    Args:
        rest: seconds.
        of: what their names have in them.
    """
    time.sleep(rest)
    names = _docker("ps", "--filter", f"name={of}", "--format", "{{.Names}}").split()
    if not names:
        raise SystemExit(f"no container called {of} runs")
    return sum(map(gib, _docker("stats", "--no-stream", "--format", "{{.MemUsage}}", *names).splitlines()))


def gib(usage: str) -> float:
    """GiB of what `docker stats` prints, such as `612.4MiB / 7.75GiB`."""
    found = re.match(r"([\d.]+)(B|[KMG]iB)", usage)
    if found is None:
        raise SystemExit(f"docker stats printed {usage!r}")
    return float(found[1]) * _GIB[found[2]]


def _docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, timeout=60, check=True).stdout
