"""All that lab 14 measures, once: one part after the other, up to the first that failed."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit.copies import copied
from mlops_lab.kit.standing import remove_leftover

from .cost import GATE, Cost, costs
from .crowd import Alone, Crowd
from .flights import BAD
from .other_model import BARE, COPY, Other, other_models, sources, with_v2, without_model
from .stage import CLIENTS, Stage, set_up
from .unseen import UNSEEN, unseen_model
from .why import telling, too_late

SIZES = [1, 1, 2, 5]  # the rows of each request in turn
CROWD, CROWD_SIZES = 192, [*SIZES * 11, 1000, 600, 3, 800]  # requests, and the same for them: large ones, too
TWINS = 8  # so many requests of that crowd have one that is asked twice at once
EVERY = 4  # how many requests there are in the crowd with bad rows for each that has one
# Of that crowd: each rule is broken by one of five flights, and by one that is alone.
MIXED_SIZES = [*[1, 1, 2, 5] * len(BAD), *[1, 2, 5, 1] * len(BAD)]
ALONE = 21  # requests


@dataclass
class Measured:
    """What was found; what comes after a part that failed is None, as the checks for it are blocked."""

    unusual: Observation
    crowd: Crowd | None = None
    cost: Cost | None = None
    other: Other | None = None
    mixed: Crowd | None = None
    alone: Alone | None = None


async def measure(lab: Lab, rounds: int) -> Measured:
    """All parts, one after the other, up to the first that failed.

    Args:
        rounds: of the comparison of costs at least.
    """
    async with contextlib.AsyncExitStack() as stack:
        for name in (COPY, BARE, UNSEEN):
            await remove_leftover(lab, name)  # it would use CPU time
        stage = await set_up(lab, stack)
        found = Measured(await unusual(stage))
        if not found.unusual.ok:
            return found
        before = await stage.restarts()
        found.crowd = await stage.crowd(stage.address, CROWD, CROWD_SIZES, twin_every=TWINS)
        found.crowd["restarted"] = await stage.restarts() - before
        if not crowd_seen(found.crowd).ok:
            return found
        found.cost = await costs(stage, rounds)
        if found.cost.times < GATE:
            return found
        found.alone = await stage.alone(ALONE)
        held = await sources(lab)
        async with (  # they start while the crowd comes
            copied(lab, COPY, change=with_v2) as copy,
            copied(lab, BARE, change=partial(without_model, held=held)) as bare,
        ):
            found.mixed = await stage.crowd(stage.address, len(MIXED_SIZES), MIXED_SIZES, bad_every=EVERY)
            found.mixed["restarted"] = await stage.restarts() - before
            found.other = await other_models(stage, copy, bare)
        if found.other.seen.ok:  # not beside the others: a small node may have no room for one more
            unseen = await unseen_model(stage)
            found.other = found.other if unseen.seen.ok else unseen
    return found


async def unusual(stage: Stage) -> Observation:
    """What is strange but allowed, against the model's own values."""
    found = await stage.unusual(stage.address, "v1")
    wrong = [f"{what}: {problem}" for what, problem in found["wrong"]]
    return Observation(
        not wrong, f"{found['sent']} unusual bodies answered with the model's own values",
        f"{len(wrong)} were not: {telling(wrong)[:160]}" if wrong else f"all {found['sent']} were",
        evidence=tuple(wrong), timed=too_late(wrong),
    )  # fmt: skip


def crowd_seen(seen: Crowd) -> Observation:
    """Whether all good requests of a crowd were answered right, and no container was restarted."""
    lost = seen["planned"] - seen["ended"]
    restarted = seen.get("restarted", 0)
    parts = [
        f"{seen['wrong']} of {seen['good']} were not" if seen["wrong"] else "",
        f"{lost} were not sent any more" if lost else "",
        f"{restarted} restarts of a container" if restarted > 0 else "",
    ]
    text = ", ".join(part for part in parts if part)
    return Observation(
        not text, f"{seen['good']} good requests of {CLIENTS} clients at once answered right, no restart",
        text or "all were", evidence=tuple(seen["problems"]), timed=bool(lost or seen["none"]) or None,
    )  # fmt: skip


def median(values: Sequence[float]) -> float:
    """The one in the middle, of two the larger; infinite of none."""
    return statistics.median_high(values) if values else float("inf")
