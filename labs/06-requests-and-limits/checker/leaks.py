"""A leak in a program, until something stops it."""

from __future__ import annotations

import contextlib
import time

from mlops_lab.checks import Lab, LabError, Observation
from mlops_lab.kit.pods import restarts
from mlops_lab.kube.client import Object
from mlops_lab.measure.pods.containers import killed_for_memory, last_end

from .pods import has_ended, memory_limit, only_pod, present_pod, ready_pod

KILLED_WITHIN, BACK_WITHIN = 60, 60  # s from the leak's begin, s from the kill
UNSTOPPED = "nothing stopped it"  # in the log of a program whose leak came to its end


async def leak(lab: Lab, name: str) -> tuple[Observation, Observation]:
    """Have a program leak: whether it was killed for that, and whether it came back."""
    pod = await present_pod(lab, name)
    limit, container = memory_limit(pod), pod["spec"]["containers"][0]["name"]
    # Whatever its exit code: it may be killed.
    command = await lab.objects.run_in(pod["metadata"]["name"], "python3", "/lab/leak.py", container=container)
    expected = f"{name}: killed before it has 512 MiB more than usual"
    end = time.monotonic() + KILLED_WITHIN
    while True:
        now = await only_pod(lab, name)
        if now is not None and now["metadata"]["uid"] == pod["metadata"]["uid"] and (restarts(now) or has_ended(now)):
            break
        unstopped = await came_to_its_end(lab, pod, container)
        if unstopped or time.monotonic() > end or now is None:
            seen = f"{name}: took 512 MiB more, and {UNSTOPPED}" if unstopped else f"{name}: not killed"
            lines = (f"memory limit: {limit}", " ".join(command.lines)[-300:].strip())
            back = Observation(False, f"{name}: a new container, ready within {BACK_WITHIN} s", "not looked at")
            return Observation(False, expected, seen, None, lines, timed=not unstopped), back
        await lab.time.pause(1)
    ended = last_end(now)
    how = f"{name}: ended ({ended.get('reason')}, exit code {ended.get('exitCode')}) at its limit of {limit}"
    killed = Observation(killed_for_memory(now), expected, how)
    new = f"{name}: a new container, ready"
    return killed, await ready_pod(lab, name, lambda pod: restarts(pod) > 0, expected=new, within=BACK_WITHIN)


async def came_to_its_end(lab: Lab, pod: Object, container: str) -> bool:
    """Does a program's log say that nothing stopped its leak?"""
    with contextlib.suppress(LabError):  # the pod, or its container, may have gone since
        return UNSTOPPED in await lab.objects.logs(pod["metadata"]["name"], container)
    return False
