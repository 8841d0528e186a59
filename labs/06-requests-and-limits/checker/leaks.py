"""A leak in a program, until something stops it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from mlops_lab.checks import Lab, LabError, Observation
from mlops_lab.kit.pods import restarts
from mlops_lab.kube.client import Object
from mlops_lab.measure.pods.containers import killed_for_memory, last_end
from mlops_lab.measure.traffic.http import Answer

from .pods import NO_LIMIT, has_ended, memory_limit, only_pod, present_pod, ready_pod

KILLED_WITHIN, BACK_WITHIN = 60, 60  # s from the leak's begin, s from the kill
REPORT_TAKEN, REPORT_LIMIT = 5, 60  # s until a nightly report's memory is in use (it holds it for 20), s for its answer
UNSTOPPED = "nothing stopped it"  # in the log of a program whose leak came to its end


async def leak(lab: Lab, name: str) -> tuple[Observation, Observation]:
    """Have a program leak at its highest use: whether it was killed for that, and whether it came back.

    Raises:
        LabError: the leak took so long that the program's highest use was over before.
    """
    pod = await present_pod(lab, name)
    limit, container = memory_limit(pod), pod["spec"]["containers"][0]["name"]
    expected = f"{name}: killed before it has 512 MiB more than at its highest"
    lines: list[str] = []
    known = await unstopped_leaks(lab, pod, container)  # the learner may have had one, while no report was made
    async with at_its_highest(lab, name) as report:
        now = await only_pod(lab, name)
        if not was_ended(now, pod):
            # Whatever its exit code: it may be killed.
            said = await lab.objects.run_in(pod["metadata"]["name"], "python3", "/lab/leak.py", container=container)
            lines = said.lines
        end = time.monotonic() + KILLED_WITHIN
        while not was_ended(now := await only_pod(lab, name), pod):
            unstopped = await unstopped_leaks(lab, pod, container) > known
            if unstopped or time.monotonic() > end or now is None:
                if unstopped and limit != NO_LIMIT and was_made(report):
                    raise LabError(
                        f"{name} had given back the memory of its nightly report before its leak came to its end",
                        "the machine is too busy; close what else runs on it and check again",
                    )
                seen = f"{name}: took 512 MiB more, and {UNSTOPPED}" if unstopped else f"{name}: not killed"
                evidence = (f"memory limit: {limit}", " ".join(lines)[-300:].strip())
                back = Observation(False, f"{name}: a new container, ready within {BACK_WITHIN} s", "not looked at")
                return Observation(False, expected, seen, None, evidence, timed=not unstopped), back
            await lab.time.pause(1)
    assert now is not None
    ended = last_end(now)
    how = f"{name}: ended ({ended.get('reason')}, exit code {ended.get('exitCode')}) at its limit of {limit}"
    killed = Observation(killed_for_memory(now), expected, how)
    new = f"{name}: a new container, ready"
    return killed, await ready_pod(lab, name, lambda pod: restarts(pod) > 0, expected=new, within=BACK_WITHIN)


@contextlib.asynccontextmanager
async def at_its_highest(lab: Lab, name: str) -> AsyncIterator[asyncio.Task[Answer] | None]:
    """While the block runs, or for 20 s of it, a program has in use what it needs at most: `model` makes a report."""
    if name != "model":
        yield None
        return
    report = asyncio.create_task(lab.traffic.post("model", "/report", {}, within=REPORT_LIMIT))
    try:
        await lab.time.pause(REPORT_TAKEN)
        yield report
    finally:
        report.cancel()
        await asyncio.gather(report, return_exceptions=True)


def was_made(report: asyncio.Task[Answer] | None) -> bool:
    """Is a nightly report answered, so that its memory is in use no more?"""
    return report is not None and report.done() and report.exception() is None and report.result().status == 200


def was_ended(now: Object | None, before: Object) -> bool:
    """Has a pod's container ended since, and been started anew or not?"""
    if now is None or now["metadata"]["uid"] != before["metadata"]["uid"]:
        return False
    return restarts(now) > restarts(before) or has_ended(now)


async def unstopped_leaks(lab: Lab, pod: Object, container: str) -> int:
    """How many leaks a program's log says that nothing stopped."""
    with contextlib.suppress(LabError):  # the pod, or its container, may have gone since
        return (await lab.objects.logs(pod["metadata"]["name"], container)).count(UNSTOPPED)
    return 0
