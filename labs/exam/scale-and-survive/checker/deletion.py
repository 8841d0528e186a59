"""A pod that is deleted under load: what became of the requests meanwhile, and how long did it answer?

The load comes by nodes that hear of the deletion a second later. For those that hear of it later still stands a Service
that goes on to send requests to the pod (publishNotReadyAddresses).
"""

import contextlib
import time
from collections.abc import AsyncIterator

from mlops_lab.checks import LabError, Observation, absent
from mlops_lab.kit import services
from mlops_lab.kit.losses import none_lost
from mlops_lab.kit.pods import name, ready
from mlops_lab.kit.standing import standing
from mlops_lab.kube.errors import NotFound
from mlops_lab.measure.traffic.http import Answer
from mlops_lab.tasks.lab import TaskLab

_RATE, _BEFORE, _AFTER = 60, 2.0, 9.0  # requests a second; s of load before and after the deletion
_LATE = 1.0  # s that requests may leave late: failures are counted, no latencies
_STANDS, _EVERY = 4.8, 0.1  # s that a deleted pod must answer, a little less than nodes may be late; s between requests
_KNOWN_WITHIN = 15.0  # s until a new Service leads to the pod
_PATIENCE, _SENT = 2.0, 0.3  # s for one answer; s by which a request is on its way
_LATE_NODES = "checker-late-nodes"


async def lost_with_a_pod(lab: TaskLab, service: str) -> Observation:
    """Is no request lost when the oldest ready pod of a Service is deleted, nor would be if nodes heard of it late?"""
    pods = sorted(ready(await lab.objects.pods_of(service)), key=lambda pod: str(pod["status"].get("startTime")))
    if not pods:
        return absent("a ready pod", "none is ready, a moment after all were")
    async with (
        _never_told(lab, name(pods[0])),
        lab.traffic.load(
            service, rate=_RATE, duration=_BEFORE + _AFTER, body={"rows": []}, late_at_most=_LATE
        ) as load,
    ):  # fmt: skip
        await lab.time.pause(_BEFORE)
        async with services.busy_cluster(lab):
            began = time.monotonic()
            await lab.objects.kill(name(pods[0]))
        lasted = await _answers_until(lab, began)
        await load.finished()
    lost = none_lost(load.report)
    if not lost.ok or lasted >= _STANDS:
        return lost
    late = "a pod that is deleted answers nodes that hear of it five seconds late"
    return Observation(False, late, f"it answered for {lasted:.1f} s", lasted, timed=True)


@contextlib.asynccontextmanager
async def _never_told(lab: TaskLab, pod: str) -> AsyncIterator[None]:
    """While the block runs a Service leads to a pod, also while that is being deleted."""
    await lab.objects.patch("Pod", pod, {"metadata": {"labels": {_LATE_NODES: pod}}})
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": _LATE_NODES}, "spec": {
            "selector": {_LATE_NODES: pod}, "ports": [{"port": 80, "targetPort": 8080}],
            "publishNotReadyAddresses": True,
        },
    }  # fmt: skip
    try:
        async with standing(lab, [service]):
            if not (await lab.traffic.first_answer(lambda: _asked(lab), within=_KNOWN_WITHIN)).status:
                raise LabError(f"a new Service does not lead to pod {pod}", "the nodes have trouble; check again")
            yield
    finally:
        with contextlib.suppress(NotFound):  # it was deleted, as a rule
            await lab.objects.patch("Pod", pod, {"metadata": {"labels": {_LATE_NODES: None}}})


async def _answers_until(lab: TaskLab, began: float) -> float:
    """The seconds since a moment when the pod has ceased to answer, or when it has answered for long enough."""
    while (asked := time.monotonic() - began) < _STANDS:
        answered, ended = (await _asked(lab)).status, time.monotonic() - began
        if not answered and not (await _asked(lab)).status:  # one alone may be by chance
            return min(ended, asked + _SENT)
        await lab.time.pause(_EVERY)
    return asked


async def _asked(lab: TaskLab) -> Answer:
    return await lab.traffic.get(_LATE_NODES, "/", within=_PATIENCE)
