"""Canaries that are drawn: what a stable model and a candidate answer in three minutes, and what comes of it.

The kinds of good candidates are no worse in anything; each kind of bad ones is worse in one thing, by as much as the
README says or more, whatever else is better. The traffic of both changes in the same way at the same time. One more
kind is no worse in what is seen of it, and nobody ever learns what became of its flights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOOKS, EVERY = 36, 5.0  # looks at a canary, and s between them: three minutes
RATES = (60.0, 90.0)  # requests a second
SHARES = (0.09, 0.11)  # of them that come to the candidate
LATEST = 3  # looks after its answer that an outcome may come
GOOD, BAD = ("same", "better", "incident", "storm"), (
    "errors", "slow", "tail", "too high", "too low", "mixed up",
)  # fmt: skip
UNKNOWN = "no outcomes"
MORE_ERRORS = (0.05, 0.07)  # points of a bad candidate's share of errors
SLOWER = (1.5, 1.7)  # times the seconds of all its answers
TAIL, TAIL_TIMES = (0.09, 0.14), 10.0  # or of some of them
ODDS = (4.5, 6.0)  # times the odds of being late that are true
LOWER = (7.0, 10.0)  # or a part of them
NOISE = (1.6, 2.0)  # of the log odds, where a bad candidate's are not the flight's own

Floats = NDArray[np.float64]
Look = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class Model:
    """How a model answers.

    Attributes:
        errors: share of requests that fail.
        median, spread: seconds of an answer, log-normal.
        tail: share of answers that take `TAIL_TIMES` as long.
        odds: by which the odds that it tells are off.
        mixed: standard deviation of what its log odds have that is none of the flight's.
        fast: its failures take hardly any time.
    """

    errors: float
    median: float
    spread: float
    tail: float = 0.0
    odds: float = 1.0
    mixed: float = 0.0
    fast: bool = False


@dataclass(frozen=True)
class World:
    """What changes for both models alike, from one look to another.

    Attributes:
        errors: more of them.
        times: the seconds.
        stormy: added to the log odds that flights are late.
    """

    begin: int = LOOKS
    end: int = LOOKS
    errors: float = 0.0
    times: float = 1.0
    stormy: float = 0.0


def drawn(kind: str, rng: np.random.Generator) -> tuple[Model, Model, World]:
    """Stable model, candidate, and the world around a canary of that kind."""
    stable = Model(rng.uniform(0.005, 0.02), rng.uniform(0.04, 0.08), rng.uniform(0.3, 0.6))
    candidate, world = stable, World()
    begin = int(rng.integers(4, 16))
    if kind == "incident":
        world = World(begin, begin + int(rng.integers(6, 12)), rng.uniform(0.1, 0.2), rng.uniform(2, 3))
    if kind == "storm":
        world = World(begin, LOOKS, stormy=rng.uniform(1.0, 1.5))
    if kind == "better" or (kind in (*BAD, UNKNOWN) and rng.random() < 0.5):
        candidate = replace(stable, errors=stable.errors * rng.uniform(0.2, 0.5))
        candidate = replace(candidate, median=stable.median * rng.uniform(0.5, 0.7))
        stable = replace(stable, mixed=rng.uniform(1.2, 1.6))
    if kind == "errors":
        candidate = replace(candidate, errors=stable.errors + rng.uniform(*MORE_ERRORS), fast=rng.random() < 0.5)
    if kind == "slow":
        candidate = replace(candidate, median=stable.median * rng.uniform(*SLOWER))
    if kind == "tail":
        candidate = replace(candidate, median=stable.median, tail=rng.uniform(*TAIL))
    if kind in ("too high", "too low", "mixed up"):
        stable = replace(stable, mixed=0.0)
    if kind == "too high":
        candidate = replace(candidate, odds=rng.uniform(*ODDS))
    if kind == "too low":
        candidate = replace(candidate, odds=1 / rng.uniform(*LOWER))
    if kind == "mixed up":
        candidate = replace(candidate, mixed=rng.uniform(*NOISE))
    return stable, candidate, world


def looks(kind: str, rng: np.random.Generator) -> Iterator[Look]:
    """What is new of the stable model and of the candidate at each look."""
    *models, world = drawn(kind, rng)
    rate, share = rng.uniform(*RATES), rng.uniform(*SHARES)
    waiting: list[list[list[list[Any]]]] = [[[] for _ in range(LOOKS + LATEST + 1)] for _ in models]
    for number in range(LOOKS):
        sent = int(rng.poisson(rate * EVERY))
        to_candidate = int(rng.binomial(sent, share))
        now = world if world.begin <= number < world.end else World()
        seen = []
        for model, count, outcomes in zip(models, (sent - to_candidate, to_candidate), waiting, strict=True):
            answers, known, late = _answered(model, count, now, rng)
            comes = number + rng.integers(1, LATEST + 1, len(known))
            for when in range(number + 1, number + LATEST + 1):
                chosen = comes == when
                outcomes[when] += [
                    list(each) for each in zip(known[chosen].tolist(), late[chosen].tolist(), strict=True)
                ]
            seen.append({"answers": answers, "outcomes": [] if kind == UNKNOWN else outcomes[number]})
        yield seen[0], seen[1]


def _answered(
    model: Model, count: int, world: World, rng: np.random.Generator
) -> tuple[list[list[Any]], Floats, NDArray[np.bool_]]:
    """Answers as [failed, seconds]; of those that did not fail the probability that it told, and what became true."""
    failed = rng.random(count) < model.errors + world.errors
    seconds = model.median * world.times * np.exp(model.spread * rng.standard_normal(count))
    seconds[rng.random(count) < model.tail] *= TAIL_TIMES
    if model.fast:
        seconds[failed] = 0.004
    odds = rng.normal(-1.1 + world.stormy, 1.2, count)[~failed]
    late = rng.random(len(odds)) < 1 / (1 + np.exp(-odds))
    told = odds + np.log(model.odds) + model.mixed * rng.standard_normal(len(odds))
    known = np.clip(1 / (1 + np.exp(-told)), 0.01, 0.99)
    return [list(each) for each in zip(failed.tolist(), np.round(seconds, 5).tolist(), strict=True)], known, late
