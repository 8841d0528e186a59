"""The page: whole, and while one of its parts is not reached, and then the other.

The part's Service leads nowhere, so that a question is refused, and then to where it is never answered. The part's pods
are killed meanwhile, and the feeds have a month more that no Job has learnt: what comes up answers by the registry.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit import fakes
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.pods import name
from mlops_lab.kit.standing import standing
from mlops_lab.kube.client import Object

from .faults import put, take_back
from .feeds import DEAF
from .plan import Fault
from .release import released
from .scenario import MODELS, NOT_YET, PARTS, judged, until_right, whole
from .stage import Stage, staged

RATE = 4.0  # pages a second
TRIES, LASTS = 4, 6.0  # how often a Service leads both ways at most, and s that questions are not answered
KILLED_AFTER = 3.0  # s: nobody is sent to the part's pods any more; so long it leads nowhere after that, too
LOST_WITHIN, LAST = 20.0, 3.0  # s until a page without the part is seen, in the last ones
AGAIN_WITHIN, UP_WITHIN = 30.0, 90.0  # s; and where the part's pods have to come again first


@dataclass
class Page:
    """What was seen of the page: whole, and with each part away (`degraded`) and there `again`."""

    whole: Observation = NOT_YET
    degraded: list[Observation] = field(default_factory=list)
    again: list[Observation] = field(default_factory=list)


async def page(lab: Lab) -> Page:
    """The page, and then while one of its parts is not reached, and then the other."""
    found, draw = Page(), drawn(lab, "page")
    await lab.once(released)  # by which the next state's versions are in service, also where this check runs alone
    async with staged(lab, 1) as stage:
        await stage.say(state=2, states=[1])
        await stage.rates(page=RATE)
        found.whole = await until_right(stage, "page", "pages with both parts", within=AGAIN_WITHIN)
        for part in draw.sample(MODELS, len(MODELS)):
            if not all(each.ok for each in (found.whole, *found.degraded, *found.again)):
                break
            await _without(stage, part, draw, found)
    return found


async def _without(stage: Stage, part: str, draw: Random, found: Page) -> None:
    """Whether the page comes without a part, and says so; a page may hold connections to pods that no Service names."""
    began = turned = stage.now
    for number in range(TRIES):
        fault = Fault("selector-changed", part, 0.0, 0.0, "", f"{draw.getrandbits(24):06x}{number}")
        deaf = await _deaf(stage, part)
        changed = await put(stage.lab, stage, fault)
        try:
            await stage.lab.time.pause(KILLED_AFTER)
            if not number:
                await _kill(stage.lab, part)
                await stage.lab.time.pause(KILLED_AFTER)
            turned = stage.now
            async with standing(stage.lab, [deaf]):
                await stage.lab.time.pause(LASTS)
        finally:
            await take_back(changed)
        await stage.look()
        if any(PARTS[part] in each.away or not each.right for each in stage.since(began, "page")):
            break
    seen = _judged(stage, part, began, turned)
    if seen.ok and not any(PARTS[part] in each.away for each in stage.since(began, "page")):
        missed = await _no_pods(stage, part)
        seen = _judged(stage, part, began, turned) if missed.ok else missed
    found.degraded.append(seen)
    what = f"pages with both parts again, after the pods of {part} were killed, by the versions in service,"
    found.again.append(await until_right(stage, "page", what, within=UP_WITHIN) if seen.ok else NOT_YET)


def _judged(stage: Stage, part: str, began: float, turned: float) -> Observation:
    """Whether pages are right while a Service leads nowhere, and since it has turned to where nobody answers."""
    events = whole(stage.since(began, "page"), lambda event, away: away == PARTS[part])
    refused = [each for each in events if each.at < turned]
    seen = judged(refused, f"pages while Service {part} leads nowhere", enough=0.95, least=10)
    if not seen.ok:
        return seen
    unanswered = [each for each in events if each.at >= turned]
    return judged(unanswered, f"pages while Service {part} leads to nobody who answers", enough=0.95, least=10)


async def _deaf(stage: Stage, part: str) -> Object:
    """An end of a part's Service where questions come, and no answer ever does."""
    ports = (await stage.lab.objects.service(part))["spec"].get("ports") or [{}]
    _, ends = fakes.objects(part, stage.address, 80)
    ends["metadata"]["name"] = f"{part}-deaf"
    ends["ports"][0] |= {
        "port": DEAF,
        "name": next((each for each in ports if each.get("port") == 80), ports[0]).get("name", ""),
    }
    return ends


async def _kill(lab: Lab, part: str) -> None:
    """Kill the pods of a part's Deployment."""
    await asyncio.gather(*[lab.objects.kill(name(pod), grace=0) for pod in await owned_pods(lab, part)])


async def _no_pods(stage: Stage, part: str) -> Observation:
    """Whether a page says that a part is away while none of its pods is left, nor comes up."""
    lab, began = stage.lab, stage.now
    changed = await put(lab, stage, Fault("scaled-down", part, 0.0, 0.0, "", ""))

    async def look() -> int:
        await lab.objects.patch("Deployment", part, {"spec": {"replicas": 0}})  # somebody may have put it right
        await _kill(lab, part)
        await stage.look()
        return sum(PARTS[part] in each.away for each in stage.since(stage.now - LAST, "page"))

    try:
        seen = await lab.time.eventually(
            look, bool, expected="", shown=lambda away: f"{away} pages", within=LOST_WITHIN, every=1.0
        )
    finally:
        await take_back(changed)
    asked = len(stage.since(began, "page"))
    expected = f"a page says `not available` of {PARTS[part]} while Deployment {part} has no pods"
    return Observation(seen.ok, expected, "it does" if seen.ok else f"none of {asked} pages in {LOST_WITHIN:g} s did")
