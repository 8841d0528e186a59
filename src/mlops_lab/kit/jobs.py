"""Jobs: wait until one has ended, and make one from a CronJob's template as `kubectl create job --from` does."""

from __future__ import annotations

import contextlib
import copy
import secrets
from collections.abc import AsyncIterator

from mlops_lab.checks import Lab, LabError, Observation
from mlops_lab.kube.client import Object
from mlops_lab.kube.objects import is_true


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


async def ended(lab: Lab, name: str, *, within: float) -> Observation:
    """Wait until a Job has ended; good if it completed.

    Args:
        within: seconds.

    Returns:
        The observation; where the Job did not complete, its evidence says what its pods and events tell.
    """
    job = lab.objects.named("Job", name)
    seen = await job.until(over, expected="completed", shown=outcome, within=within)
    completed = is_true(await job.now(), "Complete")
    lines = () if completed else seen.evidence or await lab.objects.evidence("Job", name)
    return Observation(completed, seen.expected, seen.seen, seen.value, lines)


@contextlib.asynccontextmanager
async def started_from(lab: Lab, cronjob: str) -> AsyncIterator[str]:
    """A Job of a CronJob's template, started now; its name. It and its pods are deleted when the block is left.

    Raises:
        LabError: there is no such CronJob.
    """
    found = await lab.objects.named("CronJob", cronjob).now()
    if found is None:
        raise LabError(f"CronJob {cronjob} went away during the check", "apply it again, and check again")
    template = copy.deepcopy(found["spec"]["jobTemplate"])
    name = f"{cronjob[:40]}-check-{secrets.token_hex(3)}"
    metadata = {**(template.get("metadata") or {}), "name": name}
    try:
        await lab.objects.apply([{"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, **_spec(template)}])
        yield name
    finally:
        await lab.objects.delete("Job", name)


def _spec(template: Object) -> Object:
    return {"spec": template["spec"]}
