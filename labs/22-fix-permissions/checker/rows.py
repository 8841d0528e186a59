"""Flights that the learner has not seen, and the model that the pipeline's programs make of them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

_CARRIERS = ("9E", "AS", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "US", "VX", "WN", "YV")
_LATE = 15  # minutes that are not late yet
_FLIGHTS = (6, 14)  # of a carrier


@dataclass(frozen=True)
class Flight:
    """One row.

    Attributes:
        delay: in minutes; None for a flight that was cancelled.
    """

    carrier: str
    number: int
    delay: int | None


def flights(chance: Random) -> list[Flight]:
    """Draw them: of each carrier several have landed, and one has not."""
    found = []
    for carrier in chance.sample(_CARRIERS, chance.randint(3, 6)):
        landed: list[int | None] = [chance.randint(-20, 60) for _ in range(chance.randint(*_FLIGHTS))]
        found += [Flight(carrier, chance.randint(1, 2000), delay) for delay in [*landed, None]]
    chance.shuffle(found)
    return found


def table(rows: Sequence[Flight]) -> str:
    """The rows as they stand in ConfigMap `flights`."""
    lines = [f"{each.carrier},{each.number},{'' if each.delay is None else each.delay}" for each in rows]
    return "\n".join(["carrier,flight,delay", *lines, ""])


def model(rows: Sequence[Flight]) -> dict[str, int]:
    """How many of a hundred flights of each carrier that landed were late, rounded down."""
    delays: dict[str, list[int]] = {}
    for each in rows:
        if each.delay is not None:
            delays.setdefault(each.carrier, []).append(each.delay)
    return {carrier: sum(delay > _LATE for delay in own) * 100 // len(own) for carrier, own in delays.items()}


def answer(rows: Sequence[Flight], key: str) -> Mapping[str, object]:
    """What Service `model` says once it has the model of these rows."""
    made = model(rows)
    text = json.dumps(made, sort_keys=True)
    return {"model": made, "signature": hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()}
