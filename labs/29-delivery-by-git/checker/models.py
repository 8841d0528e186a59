"""Models for the service, drawn so that they are as good, or as bad, on the held-out flights as is asked for.

A model is {"version", "bias", "weights"}; its probability of a late arrival is 1 / (1 + e^-(bias + sum of weights)).
Runs in a pod of the checker's, with the standard library alone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

Model = dict[str, Any]
Row = Mapping[str, float | None]
SMALLEST = 1e-9
_STEPS, _RATE, _HALVINGS = 60, 2.0, 40


def probability(model: Model, row: Row) -> float:
    """What a model says of a flight; a value that is missing counts as 0."""
    odds = model["bias"] + sum(weight * (row[name] or 0) for name, weight in model["weights"].items())
    return 1 / (1 + math.exp(-odds))


def loss(model: Model, rows: Sequence[Row], late: Sequence[bool]) -> float:
    """The mean log loss on flights whose arrivals are known."""
    total = 0.0
    for row, was in zip(rows, late, strict=True):
        chance = min(max(probability(model, row), SMALLEST), 1 - SMALLEST)
        total -= math.log(chance if was else 1 - chance)
    return total / len(rows)


def best(rows: Sequence[Row], late: Sequence[bool]) -> Model:
    """The logistic regression on these flights, near enough."""
    names = sorted(rows[0])
    model: Model = {"version": "", "bias": 0.0, "weights": dict.fromkeys(names, 0.0)}
    for _ in range(_STEPS):
        errors = [was - probability(model, row) for row, was in zip(rows, late, strict=True)]
        model["bias"] += _RATE * sum(errors) / len(rows)
        for name in names:
            step = sum(error * (row[name] or 0) for error, row in zip(errors, rows, strict=True))
            model["weights"][name] += _RATE * step / len(rows)
    return model


def worse_by(model: Model, much: float, rows: Sequence[Row], late: Sequence[bool], draw: random.Random) -> Model:
    """Another model whose loss is so much higher: weights moved in a direction that is drawn, as far as it takes."""
    direction = {name: draw.choice((-1, 1)) * draw.uniform(0.3, 1) for name in model["weights"]}
    turn = draw.uniform(-0.3, 0.3)

    def moved(far: float) -> Model:
        weights = {name: round(weight + far * direction[name], 4) for name, weight in model["weights"].items()}
        return {"version": "", "bias": round(model["bias"] + far * turn, 4), "weights": weights}

    wanted, near, far = loss(model, rows, late) + much, 0.0, 0.01
    while loss(moved(far), rows, late) < wanted:
        near, far = far, far * 2
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        near, far = (middle, far) if loss(moved(middle), rows, late) < wanted else (near, middle)
    return moved(far)
