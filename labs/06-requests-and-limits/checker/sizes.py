"""Whether a container's requests fit what it used, and sizes as Kubernetes writes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from mlops_lab.checks import Observation, quantity

MIB = 1024 * 1024
LEAST, MOST = 0.8, 2.0  # requests, in parts of what was used


def fits(
    name: str, what: str, requested: float, used: float, shown: Callable[[float], str], how: str, wanted: float = 0.0
) -> Observation:
    """Whether a request is `LEAST` to `MOST` times what was used, or, at the upper end, would have been used.

    Args:
        shown: writes an amount down.
        how: in which way it was used, such as `at most`.
        wanted: what the program works for, where that is known; on a busy machine it gets less.
    """
    least, most = LEAST * used, MOST * max(used, wanted)
    return Observation(
        bool(used) and least <= requested <= most,
        f"{name} requests {shown(least)} to {shown(most)} of {what}, {LEAST:g} to {MOST:g} times its use",
        f"{name} requests {shown(requested)}, {requested / used if used else 0:.2g} times the {shown(used)} that it "
        f"used {how}",
        requested,
    )


def known_work(name: str, rate: float = 0.0) -> float:
    """The cores that a program works for at least; with fewer it was kept waiting, and that is nobody's mistake.

    Args:
        rate: answers a second, of `model`; the others work turn by turn.
    """
    program = (Path(__file__).parents[1] / "start" / "programs" / f"{name}.py").read_text(encoding="utf-8")
    found = re.search(r"^(?:EVERY, WORK(?:, SLICE)?|ANSWER) = ([0-9.]+)(?:, ([0-9.]+))?", program, re.MULTILINE)
    assert found
    first, work = found.groups()
    return float(work) / float(first) if work else rate * float(first)


def reaches(limit: str, cores: float) -> bool:
    """Is a CPU limit so many cores, or more?"""
    return float(quantity(limit)) > cores - 1e-6


def milli(cores: float) -> str:
    """Cores as Kubernetes writes them."""
    return f"{1000 * cores:.0f}m"


def mebibytes(size: float) -> str:
    """Bytes as Kubernetes writes them."""
    return f"{size / MIB:.0f}Mi"
