"""A pod that computes more than once: how long it rests between."""

from __future__ import annotations

from mlops_lab.kit.probe_times import numbers
from mlops_lab.kube.client import Object

from .copies import BUSY

SETTLED = 8  # s in which a restart that was decided on has begun, the preStop wait included
TIMES, LONGEST = 3, 64  # times at most, s for all of them
MORE, LONGER = 6, 150  # the same for a command that may be too quick
ANSWERED = 2  # s until a server that has computed has answered what came meanwhile


def rests_between(probe: Object | None) -> list[float]:
    """The seconds of rest after each time that a pod computes: as often as there is time, `SETTLED` after the last.

    A liveness probe asks every so often, and how much of the work it meets depends on when that begins. So each time
    begins a third of the probe's period later than the one before, and only after the probe was answered again; a sixth
    where how long it bears with work is known to its command alone.
    """
    if not probe:
        return [SETTLED]
    times, longest = (MORE, LONGER) if may_be_quick(probe) else (TIMES, LONGEST)
    period, timeout, _ = numbers(probe)
    rest = float(period + timeout + ANSWERED)
    apart = (BUSY + rest) % period
    later = [period * part / times for part in (1, times - 1, times + 1)]  # of so many times no two are alike
    rest += min(each - apart for each in later if each >= apart)
    times = min(times, 1 + int((longest - BUSY - SETTLED) / (BUSY + rest)))
    return [rest] * (times - 1) + [SETTLED]


def may_be_quick(probe: Object) -> bool:
    """Is it a command that may have failed often enough before the work is over? It gives up when it likes to.

    Not if one failure is enough: then all that counts is how long it waits.
    """
    period, _, failures = numbers(probe)
    return "exec" in probe and 0 < (failures - 1) * period < BUSY
