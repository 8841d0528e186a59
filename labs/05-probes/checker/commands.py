"""How long a probe that is a command waits for a server that hangs: its numbers don't say, so it is tried."""

from __future__ import annotations

import asyncio
import time

from mlops_lab.checks import LabError
from mlops_lab.kit.probe_times import numbers
from mlops_lab.kube.client import Object
from mlops_lab.kube.execs import Unending

from .copies import Copy, serving

PROBED = ("readinessProbe", "livenessProbe")
KILLED = 137  # exit code of a command whose container is ended
BEGINS_WITHIN = 5  # s beyond a probe's timeout, for its command to begin on a busy machine


async def note_waits(pod: Copy, spec: Object, known: dict[str, float]) -> None:
    """Note how long the commands of a pod's probes wait, while it hangs; the shortest of several trials counts.

    Args:
        known: seconds, by the probe; it is added to.
    """
    probes = [serving(spec).get(kind) for kind in PROBED]
    found = await asyncio.gather(*(gives_up(pod, each) for each in probes))
    for kind, waited in zip(PROBED, found, strict=True):
        if waited is not None:
            known[kind] = min(waited, known.get(kind, waited))


async def gives_up(pod: Copy, probe: Object | None) -> float | None:
    """Seconds until the command of a probe has failed in a pod that hangs, or the kubelet ends it.

    None where the probe is no command, where its command does not fail, and where the container ends before.
    """
    command = ((probe or {}).get("exec") or {}).get("command")
    if not probe or not command:
        return None
    timeout, began = float(numbers(probe)[1]), time.monotonic()
    try:
        done = await pod.lab.objects.run_in(pod.name, *command, container=pod.container, within=timeout + BEGINS_WITHIN)
    except Unending:
        return timeout
    except LabError:  # there is no such program, or no container any more
        return None
    if done.code in (None, 0, KILLED):
        return None
    return min(timeout, round(time.monotonic() - began, 1))
