"""Feeds with wrong rows, and Jobs that have to learn nothing from them: each rule of a right row is broken."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from mlops_lab.checks import Lab, Observation
from mlops_lab.kit import jobs
from mlops_lab.kit.drawn import drawn

from .scenario import MODELS, job_ended, judged, until_right
from .stage import Stage, staged

REFUSED_WITHIN = 120.0  # s until a Job has ended
SHORT, LONG = 3.0, 10.0  # s after a Job's end in which answers are looked at; after the last one for long
LONGEST = 230.0  # s after which no other round begins: Jobs that try again and again take long
FEEDS = {"forecast": "exchange", "recommend": "bookings"}
_WORDS = {
    "right": "right (and others before)", "cents": "wrong (cents)", "jump": "wrong (more than three times the price)",
    "fall": "wrong (less than a third of the price)", "none": "wrong (one is missing)", "zero": "wrong (a price of 0)",
    "negative": "wrong (a price below 0)", "text": "wrong (a price that is a text)",
    "twice": "wrong (one comes twice)", "again": "wrong (a month comes twice, with two prices)",
    "order": "wrong (not in order)", "gap": "wrong (a month is left out)",
    "code": "wrong (a destination of four letters)", "short": "wrong (a destination of two letters)",
    "digit": "wrong (a destination with a digit)", "lower": "wrong (a destination in small letters)",
    "nobody": "wrong (no passenger)", "nameless": "wrong (no id)", "id": "wrong (an id comes twice)",
}  # fmt: skip
# The rules of a right row, each by the ways to break it, of which one is drawn. Prices in cents are a jump that is
# less hard to see: they are among the day's faults alone.
RULES = {
    "exchange": (
        ("jump",), ("fall",), ("order",), ("twice",), ("again",), ("text",), ("none",), ("gap",), ("zero", "negative"),
    ),
    "bookings": (
        ("code",), ("short",), ("none",), ("digit",), ("lower",), ("nobody",), ("nameless",), ("twice",), ("id",),
    ),
}  # fmt: skip


def rounds(draw: Random) -> list[dict[str, str]]:
    """How each feed is in each round. In eight both are wrong, in two one is right; each rule is broken once."""
    ways = {feed: [draw.choice(each) for each in draw.sample(rules, len(rules))] for feed, rules in RULES.items()}
    found = [{"exchange": ways["exchange"].pop(), "bookings": "right"}]
    found += [{"exchange": "right", "bookings": ways["bookings"].pop()}]
    found += [
        {"exchange": one, "bookings": other} for one, other in zip(ways["exchange"], ways["bookings"], strict=True)
    ]
    draw.shuffle(found)
    return found


async def refused(lab: Lab) -> dict[str, Observation]:
    """By model whether Jobs learnt nothing from wrong prices, and from wrong bookings."""
    found: dict[str, Observation] = {}
    async with staged(lab, 0) as stage:
        await stage.rates(forecast=4.0, recommend=4.0)
        for model in MODELS:
            await until_right(stage, model, model, within=30)
        began = stage.now
        for hows in rounds(drawn(lab, "wrong rows")):
            if found and (stage.now > began + LONGEST or not any(each.ok for each in found.values())):
                break
            for model, seen in (await _refused(stage, hows)).items():
                if model not in found or found[model].ok:
                    found[model] = seen
        await lab.time.pause(LONG - SHORT)
        await stage.look()
        for model in [model for model in MODELS if model not in found or found[model].ok]:
            found[model] = judged(stage.since(began, model), f"answers of {model} while {FEEDS[model]} had wrong rows")
    return found


async def _refused(stage: Stage, hows: Mapping[str, str]) -> dict[str, Observation]:
    """A Job while feeds give wrong rows: until some seconds after its end all answers are the old ones."""
    lab, began = stage.lab, stage.now
    await stage.say(feeds=dict(hows))
    try:
        async with jobs.started_from(lab, "train") as job:
            ended = await job_ended(lab, job, within=REFUSED_WITHIN)
            if not ended.ok:
                return {model: ended for model, feed in FEEDS.items() if hows[feed] != "right"}
            await lab.time.pause(SHORT)
            await stage.look()
    finally:
        await stage.say(feeds=dict.fromkeys(hows, "right"))
    return {
        model: judged(
            stage.since(began, model), f"answers of {model} while the rows of {feed} were {_WORDS[hows[feed]]}"
        )
        for model, feed in FEEDS.items()
    }
