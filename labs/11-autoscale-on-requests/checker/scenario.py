"""The load of lab 11, played once: calm at first, then a storm on top of it.

Beside it the metrics API is asked for the pods' CPU, as the autoscaler of lab 10 would ask: its moment is when a figure
of the same load is over its target.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlops_lab.checks import Lab, LabError, Observation
from mlops_lab.kit.autoscaler_reasons import figures, why_no_second_pod
from mlops_lab.kit.autoscaler_specs import AutoscalerSpecs
from mlops_lab.kit.autoscalers import Hands, autoscalers_of
from mlops_lab.kit.spares import Spares

from .pace import CPU_ACTS, OUT_WITHIN, Pace
from .target import targets, uncounted, unheeded
from .why import ACTS, cause, why_costly

PER_POD = 1.5  # requests a second that a pod is good for: 90 a minute
CALM = 6  # requests a second, one flight each
CALM_FOR = 50  # seconds: two scrapes and two looks of the autoscaler, whenever these fall
STORM = 40  # requests a second, as in lab 10
STORM_FOR = 20  # seconds at least: a scrape and most of a look
MOST_PODS = 3
LEAST_FOR_A_POD = 1 / 6  # requests a second, 10 a minute: who adds pods for less pays for pods that do nothing
NEEDED = min(math.ceil(CALM / PER_POD), MOST_PODS)


@dataclass(frozen=True)
class Rush:
    """What one load brought about; `ended` is on the monotonic clock.

    Attributes:
        first: the autoscaler asked for a second pod before CPU would have told it to; `why` not.
        second: that pod was ready.
        enough: it asked for all pods that the requests needed, while they came calmly; `figures`: its own then.
        all_ready: these pods were ready.
        hands: who has set the number of pods so far.
        specs: what the autoscalers were told, and by what they asked for more pods.
        targets: the requests a second for a pod that the autoscalers have as their targets.
        floors: these, and those a second in all at which they add a pod to one.
        unheeded: those up to which they add no pod.
        uncounted: requests that do not count for them, in words.
        most: pods at a time.
        others: whether the model's server ran in these alone, whenever that was looked at.
    """

    first: Observation
    why: str
    second: Observation
    enough: Observation
    figures: str
    all_ready: Observation
    most: int
    others: Observation
    ended: float
    hands: Hands
    specs: AutoscalerSpecs
    targets: Sequence[float]
    floors: Sequence[float]
    unheeded: Sequence[float]
    uncounted: Sequence[str]


async def rush(lab: Lab) -> Rush:
    """Send the load, and follow the Deployment; it ends early when CPU would have been the first to tell."""
    row, pace, specs, spares = lab.traffic.hidden_rows(1).body, Pace(lab), AutoscalerSpecs(lab), Spares(lab)
    whole = OUT_WITHIN + STORM_FOR
    second = all_ready = Observation(False, "", "")
    why, seen = "", ""
    async with pace.watched(), specs.followed():
        # What counts is how many requests leave; starting pods may hold up some.
        async with lab.traffic.load("model", rate=CALM, body=row, duration=whole, late_at_most=2.0):
            pace.begin()
            async with spares.followed():  # what comes once the load has ended is another check's matter
                await pace.decided(CALM_FOR)
                if not (told_early := pace.crossed is not None):
                    await pace.comes_to(CALM_FOR)
                    seen = await figures(lab)
                    async with lab.traffic.load(
                        "model", rate=STORM - CALM, body=row, duration=whole - CALM_FOR, late_at_most=2.0
                    ):
                        if 2 not in pace.asked:
                            await pace.decided(OUT_WITHIN)
                        first = _before(pace)
                        if first.ok:
                            second = await pace.comes_ready(2)
                            if NEEDED in pace.asked:
                                all_ready = await pace.comes_ready(NEEDED)
                            await pace.comes_to(CALM_FOR + STORM_FOR)
                        else:
                            why, evidence = await why_no_second_pod(lab, cause, ACTS)
                            first = replace(first, evidence=evidence)
        ended = time.monotonic()
    if told_early:
        first, why = _before(pace), await costly(lab, pace)
    hpas = await autoscalers_of(lab)
    return Rush(
        first, why, second, _enough(pace), seen, all_ready, pace.most, spares.seen, ended, pace.hands, specs,
        targets(hpas), targets(hpas, "averageValue", "value"), unheeded(hpas), await uncounted(lab, hpas),
    )  # fmt: skip


async def costly(lab: Lab, pace: Pace) -> str:
    """Why CPU told although few requests came: what the pods use whether anybody asks or not.

    Raises:
        LabError: at rest they use little, so it is the machine on which few requests cost so much.
    """
    rest = await pace.at_rest()
    if rest >= CPU_ACTS / 2:
        return why_costly(_milli(rest))
    raise LabError(
        f"{CALM} requests a second take {_milli(pace.cpu)} of CPU here, so CPU tells, too: there is nothing to compare",
        "the machine is too busy to measure; close what else runs on it and check again",
    )


def _before(pace: Pace) -> Observation:
    """Whether a second pod was asked for before the CPU figures told."""
    asked, told = pace.asked.get(2), pace.crossed
    seen = "no second pod was asked for" if asked is None else f"a second pod was asked for after {asked:.0f} s"
    if not pace.cpu:
        seen += "; the metrics API had no CPU figure of this load until then"
    elif told is None:
        seen += f"; until then a pod used {_milli(pace.cpu)} of CPU at most"
    else:
        seen += f"; a pod used {_milli(pace.cpu)} of CPU after {told:.0f} s"
    return Observation(
        asked is not None and told is None,
        f"a second pod is asked for within {OUT_WITHIN} s of the first request, and before a pod uses more than "
        f"{_milli(CPU_ACTS)} of CPU, where lab 10's autoscaler acts",
        seen,
    )


def _enough(pace: Pace) -> Observation:
    """Whether the calm load alone brought all the pods that it needed."""
    asked = pace.asked.get(NEEDED, math.inf)
    most = max((wanted for wanted, at in pace.asked.items() if at <= CALM_FOR), default=1)
    return Observation(
        asked <= CALM_FOR,
        f"{NEEDED} pods asked for within {CALM_FOR} s of {CALM} requests a second",
        f"{NEEDED} pods asked for after {asked:.0f} s" if asked <= CALM_FOR else f"{most} asked for",
    )


def _milli(cores: float) -> str:
    return f"{cores * 1000:.0f}m"
