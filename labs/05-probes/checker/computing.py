"""A pod that computes more than once: how long it rests between."""

from __future__ import annotations

from mlops_lab.kube.client import Object

from .copies import BUSY

SETTLED = 8  # s in which a restart that was decided on has begun, the preStop wait included
TIMES, LONGEST = 3, 64  # times at most, s for all of them
ANSWERED = 2  # s until a server that has computed has answered what came meanwhile


def rests_between(probe: Object | None) -> list[float]:
    """The seconds of rest after each time that a pod computes: as often as there is time, `SETTLED` after the last.

    A liveness probe asks every so often, and how much of the work it meets depends on when that begins. So each time
    begins a third of the probe's period later than the one before, and only after the probe was answered again.
    """
    if not probe:
        return [SETTLED]
    period, timeout = float(probe.get("periodSeconds") or 10), float(probe.get("timeoutSeconds") or 1)
    rest = period + timeout + ANSWERED
    apart = (BUSY + rest) % period
    rest += min(part * period - apart for part in (1 / 3, 2 / 3, 4 / 3) if part * period >= apart)
    times = min(TIMES, 1 + int((LONGEST - BUSY - SETTLED) / (BUSY + rest)))
    return [rest] * (times - 1) + [SETTLED]
