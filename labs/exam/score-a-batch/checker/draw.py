"""What this task draws."""

from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

from mlops_lab.tasks.drawing import words

_CARRIERS, _DESTINATIONS = (
    ("UA", "B6", "EV", "DL", "AA", "MQ"),
    ("ORD", "ATL", "LAX", "BOS", "MCO", "CLT", "SFO", "FLL"),
)


@dataclass(frozen=True)
class Drawn:
    """Names, the version of the model, how often a pod may fail, and the parts of the batch."""

    model: str
    batch: str
    job: str
    version: str
    retries: int
    parts: list[list[dict[str, Any]]]


def draw(random: Random) -> Drawn:
    """Draw them."""
    model, batch, job, *ids = words(random, 3 + 12)
    flights = [
        {
            "flight": f"{each}-{random.randrange(10, 99)}", "month": random.randrange(1, 13),
            "day": random.randrange(1, 29), "weekday": random.randrange(7), "hour": random.randrange(5, 23),
            "carrier": random.choice(_CARRIERS), "origin": random.choice(("EWR", "JFK", "LGA")),
            "dest": random.choice(_DESTINATIONS), "distance": random.randrange(200, 2500),
        }
        for each in ids
    ]  # fmt: skip
    cuts = (0, random.randrange(2, 5), random.randrange(6, 10), len(flights))
    parts = [flights[begin:end] for begin, end in pairwise(cuts)]
    return Drawn(
        f"{model}-delay", f"{batch}-flights", f"{job}-scoring", random.choice(("v1", "v2")),
        random.choice((2, 3, 4)), parts,
    )  # fmt: skip
