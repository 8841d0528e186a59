"""The load of lab 10, played once: until a second pod is ready or its time is over, then a while with all pods."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from mlops_lab.checks import Lab, Observation, at_least
from mlops_lab.kit.autoscaler_reasons import why_no_second_pod
from mlops_lab.kit.autoscaler_specs import AutoscalerSpecs
from mlops_lab.kit.autoscalers import Hands
from mlops_lab.kit.deployments import followed, status_count
from mlops_lab.kit.spares import Spares
from mlops_lab.kube.client import Object
from mlops_lab.measure.traffic.report import LoadReport

from .requested import Requests
from .why import ACTS, cause

RATE = 40  # requests a second, one flight each
OUT_WITHIN = 90  # seconds from the load's start to the second ready pod
SHARED = 15  # seconds for which the load goes on with all pods
IN_WITHIN = 100  # seconds from the load's end
P99 = 0.5  # seconds


@dataclass(frozen=True)
class Surge:
    """What the load brought about.

    Attributes:
        scaled: whether a second pod was ready in time; `why` not.
        hands: who has set the number of pods so far.
        specs: what the autoscalers were told, and by what they asked for more pods.
        requested: whether pods requested what the Deployment's next one does, whenever that was looked at.
        most: pods at a time.
        others: whether the model's server ran in these alone, whenever that was looked at.
        ended: when the load did, on the monotonic clock.
    """

    scaled: Observation
    why: str
    hands: Hands
    specs: AutoscalerSpecs
    requested: Observation
    most: int
    others: Observation
    report: LoadReport
    ended: float


async def surge(lab: Lab) -> Surge:
    """Send the load, and follow the Deployment meanwhile."""
    whole, why, most, hands, specs = OUT_WITHIN + SHARED, "", 0, Hands(), AutoscalerSpecs(lab)
    spares, requests = Spares(lab), Requests(lab)

    def counted(item: Object | None) -> None:
        nonlocal most
        most = max(most, status_count(item, "replicas"))
        hands.take(item)

    async with followed(lab, counted, within=whole + IN_WITHIN), specs.followed(), requests.followed():
        # Starting pods may hold up the load a little; a fifth of the objective still says something about the server.
        load = lab.traffic.load(
            "model", rate=RATE, body=lab.traffic.hidden_rows(1).body, duration=whole, late_at_most=P99 / 5
        )
        async with load as sent, spares.followed():  # what comes once the load has ended is another check's matter
            scaled = await lab.objects.deployment("model").becomes(ready_replicas=at_least(2), within=OUT_WITHIN)
            if scaled.ok:
                await lab.time.pause(SHARED)
            else:
                why, conditions = await why_no_second_pod(lab, cause, ACTS)
                scaled = replace(scaled, evidence=(*conditions, *scaled.evidence))
        ended = time.monotonic()
    return Surge(scaled, why, hands, specs, requests.seen, most, spares.seen, sent.report, ended)
