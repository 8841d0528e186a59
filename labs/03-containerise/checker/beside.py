"""What is asked of the pod that runs as root while the other one ends: many batches at once, and then its own end."""

from __future__ import annotations

import time

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.losses import kinds

from .drain import has_ended, seconds_to_end

AT_ONCE = 40  # batches that begin each second; each takes one, so that so many are under way
FLIGHTS = 10  # of such a batch
BEGIN_FOR = 1.5  # s
FAILED_AT_MOST = 0.1  # of the batches
IDLE_WITHIN = 10  # s; a server that has nothing to do ends within one


async def crowded(lab: Lab, pod: str) -> Observation:
    """Whether batches are answered of which many are under way at once.

    Args:
        pod: its name, and that of its Service.

    Raises:
        LabError: the batches could not be sent.
    """
    body = lab.traffic.hidden_rows(FLIGHTS).body
    async with lab.traffic.load(
        pod, path="/batch", rate=AT_ONCE, duration=BEGIN_FOR, body=body, late_at_most=1.0
    ) as load:
        report = await load.finished()
    most = int(FAILED_AT_MOST * report.sent)
    return Observation(
        report.failed <= most,
        f"at most {most} of {report.sent} batches failed, some {AT_ONCE} at once",
        f"{report.failed} failed",
        report.failed,
        tuple(kinds(report)),
        timed=True,
    )


async def idle_end(lab: Lab, pod: str) -> Observation:
    """Whether the container of a pod with nothing to do ends soon after the pod is deleted."""
    since = time.monotonic()
    await lab.objects.kill(pod)
    over, last = await has_ended(lab, pod)
    took = None if over is None else min(over - since, seconds_to_end(last))
    return Observation(
        took is not None and took <= IDLE_WITHIN,
        f"the container of a pod with nothing to do has ended {IDLE_WITHIN} s after the pod was deleted",
        "still running" if took is None else f"ended after {took:.0f} s",
        took,
        timed=True,
    )
