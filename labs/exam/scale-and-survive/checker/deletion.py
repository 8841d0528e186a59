"""A pod that is deleted under load, and what became of the requests meanwhile."""

from mlops_lab.checks import Observation, absent
from mlops_lab.kit import services
from mlops_lab.kit.losses import none_lost
from mlops_lab.kit.pods import name, ready
from mlops_lab.tasks.lab import TaskLab

_RATE, _BEFORE, _AFTER = 60, 2.0, 9.0  # requests a second; s of load before and after the deletion
_LATE = 1.0  # s that requests may leave late: failures are counted, no latencies


async def lost_with_a_pod(lab: TaskLab, service: str) -> Observation:
    """Is no request lost when the oldest ready pod of a Service is deleted?"""
    pods = sorted(ready(await lab.objects.pods_of(service)), key=lambda pod: str(pod["status"].get("startTime")))
    if not pods:
        return absent("a ready pod", "none is ready, a moment after all were")
    async with lab.traffic.load(
        service, rate=_RATE, duration=_BEFORE + _AFTER, body={"rows": []}, late_at_most=_LATE
    ) as load:  # fmt: skip
        await lab.time.pause(_BEFORE)
        async with services.busy_cluster(lab):
            await lab.objects.kill(name(pods[0]))
        await load.finished()
    return none_lost(load.report)
