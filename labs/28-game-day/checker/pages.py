"""The page: whole, and while one of its parts is not reached, and then the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.deployments import owned_pods
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.pods import name

from .faults import put, take_back
from .plan import Fault
from .scenario import MODELS, NOT_YET, PARTS, judged, until_right, whole
from .stage import Stage, staged

TRIES, LASTS = 4, 6.0  # how often a Service leads nowhere at most, and s
LOST_WITHIN, LAST = 20.0, 3.0  # s until a page without the part is seen, in the last ones
AGAIN_WITHIN, UP_WITHIN = 30.0, 90.0  # s; and where the part's pods have to come again first


@dataclass
class Page:
    """What was seen of the page: whole, and with each part away (`degraded`) and there `again`."""

    whole: Observation = NOT_YET
    degraded: list[Observation] = field(default_factory=list)
    again: list[Observation] = field(default_factory=list)


async def page(lab: Lab) -> Page:
    """The page, and then while the Service of one of its parts leads nowhere, and of the other."""
    found, draw = Page(), drawn(lab, "page")
    async with staged(lab, 1) as stage:
        await stage.rates(page=6.0)
        found.whole = await until_right(stage, "page", "pages with both parts", within=AGAIN_WITHIN)
        for part in draw.sample(MODELS, len(MODELS)):
            if not all(each.ok for each in (found.whole, *found.degraded, *found.again)):
                break
            await _without(stage, part, draw, found)
    return found


async def _without(stage: Stage, part: str, draw: Random, found: Page) -> None:
    """Whether the page comes without a part, and says so; a page may hold connections to pods that no Service names."""
    began, within = stage.now, AGAIN_WITHIN
    for number in range(TRIES):
        fault = Fault("selector-changed", part, 0.0, 0.0, "", f"{draw.getrandbits(24):06x}{number}")
        changed = await put(stage.lab, stage, fault)
        try:
            await stage.lab.time.pause(LASTS)
        finally:
            await take_back(changed)
        await stage.look()
        if any(PARTS[part] in each.away or not each.right for each in stage.since(began, "page")):
            break
    seen = _judged(stage, part, began)
    if seen.ok and not any(PARTS[part] in each.away for each in stage.since(began, "page")):
        missed, within = await _no_pods(stage, part), UP_WITHIN
        seen = _judged(stage, part, began) if missed.ok else missed
    found.degraded.append(seen)
    found.again.append(await until_right(stage, "page", "pages with both parts again", within=within))


def _judged(stage: Stage, part: str, began: float) -> Observation:
    events = whole(stage.since(began, "page"), lambda event, away: away == PARTS[part])
    return judged(events, f"pages while Service {part} leads nowhere", enough=0.95, least=20)


async def _no_pods(stage: Stage, part: str) -> Observation:
    """Whether a page says that a part is away while none of its pods is left, nor comes up."""
    lab, began = stage.lab, stage.now
    changed = await put(lab, stage, Fault("scaled-down", part, 0.0, 0.0, "", ""))

    async def look() -> int:
        await lab.objects.patch("Deployment", part, {"spec": {"replicas": 0}})  # somebody may have put it right
        for pod in await owned_pods(lab, part):
            await lab.objects.kill(name(pod), grace=0)
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
