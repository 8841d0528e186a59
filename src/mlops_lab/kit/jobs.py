"""Jobs: wait until one has ended, and make one from a CronJob's template as `kubectl create job --from` does."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

from mlops_lab.checks import Lab, LabError, Observation
from mlops_lab.kit.logs import last_lines
from mlops_lab.kit.pods import newest
from mlops_lab.kit.restore import put_back
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import is_true

_LINES, _WIDTH = 8, 200  # of a log: an exception's own line and where it came from
_GONE_WITHIN = 60.0  # s for a pod that was killed


def outcome(job: Object | None) -> str:
    """How a Job is, in words: `completed`, `failed` with the reason, `running`, or `no Job`."""
    if job is None:
        return "no Job"
    for each in (job.get("status") or {}).get("conditions") or []:
        if each["type"] == "Failed" and each["status"] == "True":
            return f"failed ({each.get('reason', 'no reason')})"
    if is_true(job, "Complete"):
        return "completed"
    status = job.get("status") or {}
    return f"running, {status['failed']} pods failed" if status.get("failed") else "running"


def over(job: Object | None) -> bool:
    """Has a Job completed or failed for good?"""
    return is_true(job, "Complete") or is_true(job, "Failed")


async def ended(
    lab: Lab, name: str, *, within: float, wanted: Literal["completed", "failed"] = "completed"
) -> Observation:
    """Wait until a Job has ended; good if it ended as wanted.

    Args:
        within: seconds.
        wanted: `failed` means for good: with its last retry, or its deadline.

    Returns:
        The observation; else its evidence says what the newest pod printed last, and what pods and events tell.
    """
    job = lab.objects.named("Job", name)
    seen = await job.until(over, expected=wanted, shown=outcome, within=within)
    met = is_true(await job.now(), "Complete" if wanted == "completed" else "Failed")
    if met:
        return Observation(True, seen.expected, seen.seen, seen.value)
    one = newest(await pods_of(lab, name))
    lines = [f"its log: {line}" for line in await last_lines(lab, one, _LINES, width=_WIDTH)] if one else []
    told = seen.evidence or await lab.objects.evidence("Job", name)
    # A run that its own deadline has ended may have had no CPU for it.
    timed = True if "DeadlineExceeded" in seen.seen else None
    return Observation(False, seen.expected, seen.seen, seen.value, (*lines, *told), timed=timed)


async def pods_of(lab: Lab, name: str) -> list[Object]:
    """All pods that a Job has made and that are there, ended ones too."""
    return await lab.objects.all("Pod", f"job-name={name}")


@contextlib.asynccontextmanager
async def started_from(lab: Lab, cronjob: str, change: Callable[[Object], Any] | None = None) -> AsyncIterator[str]:
    """A Job of a CronJob's template, started now; its name.

    While the block runs the CronJob is suspended, so that it starts nothing beside; a run that was due meanwhile may
    start afterwards. However the block is left, the Job is deleted, its pods are killed, and the CronJob is again as
    it was.

    Args:
        change: takes each container of the Job's pods, init containers too, and changes it.

    Raises:
        LabError: there is no such CronJob; or something of this can't be done, such as a pod that is still there a
            minute after it was killed.
    """
    found = await lab.objects.named("CronJob", cronjob).now()
    if found is None:
        raise LabError(f"CronJob {cronjob} went away during the check", "apply it again, and check again")
    name = f"{cronjob[:40]}-check-{secrets.token_hex(3)}"
    try:
        await lab.objects.patch("CronJob", cronjob, {"spec": {"suspend": True}})
        await lab.objects.apply([_job(found["spec"]["jobTemplate"], name, change)])
        yield name
    finally:
        await asyncio.shield(_as_before(lab, name, found))


async def _as_before(lab: Lab, job: str, cronjob: Object) -> None:
    try:
        await lab.objects.delete("Job", job)  # first, for it makes a new pod for one that is killed
        names = [each["metadata"]["name"] for each in await pods_of(lab, job)]
        await asyncio.gather(*[lab.objects.kill(each, grace=0) for each in names])
        await asyncio.gather(*[lab.objects.gone("Pod", each, within=_GONE_WITHIN) for each in names])
    finally:
        await put_back(lab, cronjob)


def _job(template: Object, name: str, change: Callable[[Object], Any] | None) -> Object:
    """The Job that a template makes."""
    metadata = {**(template.get("metadata") or {}), "name": name}
    spec = copy.deepcopy(template["spec"])
    if change:
        pod = spec["template"]["spec"]
        for container in [*pod["containers"], *(pod.get("initContainers") or [])]:
            change(container)
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
