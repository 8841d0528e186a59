"""Services: are the pods ready, which versions of the model answer, what does a metric say; and a busy cluster."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.pods import labels, ready, states
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object

_LOOK_EVERY = 0.5  # s
_NEIGHBOUR: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "checker-neighbour"},
    "spec": {"ports": [{"port": 80}]},
}
_TAKEN_UP = 0.2  # s until kube-proxy has begun to write a change down
_LATE = 1.0  # s that requests may leave late where only their answers count


async def pods_ready(lab: Lab, service: str = "model", *, selected_within: float, ready_within: float) -> Observation:
    """Wait until a Service selects pods, and each of them is ready.

    Args:
        selected_within: seconds for one pod at least to be there at all; else the evidence is every pod's labels.
        ready_within: seconds from then; the evidence is the state of each.

    Raises:
        Failure: there is no such Service.
    """

    def shown(pods: Sequence[Object]) -> str:
        return f"{len(ready(pods))} of {len(pods)} selected pods ready"

    one = f"Service {service} selects one pod or more"
    found = await lab.objects.pods_until(service, bool, expected=one, shown=shown, within=selected_within)
    if not found.ok:
        others = [f"{each['metadata']['name']}: {labels(each)}" for each in await lab.objects.all("Pod")]
        return replace(found, evidence=tuple(others))
    found = await lab.objects.pods_until(
        service,
        lambda pods: bool(pods) and len(ready(pods)) == len(pods),
        expected=f"{one}, and each is ready",
        shown=shown,
        within=ready_within,
    )
    return replace(found, evidence=states(found.value))


async def versions(lab: Lab, service: str = "model", *, requests: int = 100, rate: float = 50) -> str:
    """The model versions in the answers to some requests, such as `v1, v2`; `none` if there were none.

    Args:
        rate: requests a second.
    """
    body = lab.traffic.hidden_rows(1).body
    async with lab.traffic.load(service, rate=rate, duration=requests / rate, body=body, late_at_most=_LATE) as load:
        await load.finished()
    return ", ".join(sorted(map(str, load.report.labels))) or "none"


async def gauge(lab: Lab, name: str, service: str = "model", *, within: float) -> float:
    """What one of a Service's pods says of a metric without labels at GET /metrics, once it is not 0.

    Args:
        within: seconds.

    Returns:
        The value; 0 if none was there in time.
    """
    end = time.monotonic() + within
    while True:
        text = (await lab.traffic.get(service, "/metrics")).text
        lines = re.findall(rf"^{re.escape(name)} (\d+(?:\.\d+)?)$", text, re.MULTILINE)
        if (value := max(map(float, lines), default=0.0)) or time.monotonic() > end:
            return value
        await lab.time.pause(_LOOK_EVERY)


@contextlib.asynccontextmanager
async def busy_cluster(lab: Lab) -> AsyncIterator[None]:
    """While the block runs, another Service has just changed: in a cluster with many users some always has.

    kube-proxy has then just written its rules, and takes up what comes next a second later (its minSyncPeriod): so a
    deletion that follows reaches the nodes late. In a cluster where nothing else happens, that would be luck.
    """
    async with standing(lab, [_NEIGHBOUR]):
        await lab.time.pause(_TAKEN_UP)
        yield
