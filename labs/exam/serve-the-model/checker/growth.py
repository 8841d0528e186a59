"""One pod more, under load, and what became of the requests meanwhile."""

from mlops_lab.checks import Observation, at_least
from mlops_lab.kit.losses import none_lost
from mlops_lab.kit.restore import put_back
from mlops_lab.tasks.lab import TaskLab

_RATE = 20  # requests a second
_READY_WITHIN, _AFTER = 60.0, 3.0  # s for the new pod to be ready; s of load once it is
_LATE = 1.0  # s that requests may leave late: failures are counted, no latencies


async def lost_while_growing(lab: TaskLab, deployment: str, service: str, pods: int) -> Observation:
    """Is no request lost while a Deployment grows by a pod? It is put back afterwards."""
    before = await lab.objects.deployment(deployment).present()
    body, longest = lab.traffic.hidden_rows(1).body, _READY_WITHIN + _AFTER + 2
    try:
        async with lab.traffic.load(service, rate=_RATE, duration=longest, body=body, late_at_most=_LATE) as load:
            await lab.time.pause(1)
            await lab.objects.patch("Deployment", deployment, {"spec": {"replicas": pods + 1}})
            grown = await lab.objects.deployment(deployment).becomes(
                ready_replicas=at_least(pods + 1), within=_READY_WITHIN
            )
            await lab.time.pause(_AFTER)
        return none_lost(load.report) if grown.ok else grown
    finally:
        await put_back(lab, before)
