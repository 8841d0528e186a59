"""A record and its model make an answer: the score, what each feature has to do with it, and the reasons in words.

All 256 coalitions are asked at once: that is exact, and some milliseconds for numpy.
"""

import json
import math
from itertools import product

import numpy as np
from bank import FEATURES, features, score

COUNT = len(FEATURES)
INSIDE = np.array(list(product([False, True], repeat=COUNT)))  # coalitions x features
SIZES = INSIDE.sum(axis=1)
WEIGHTS = np.array([math.factorial(n) * math.factorial(max(0, COUNT - n - 1)) / math.factorial(COUNT) for n in SIZES])
LEAST, MOST = 0.001, 3


def decided(model: dict, record: dict) -> bytes:
    """The answer, to the byte."""
    row = features(record["application"], record["at"])
    total = score(model, row)
    probability = 1 / (1 + math.exp(-total))
    approved = probability < model["threshold"]
    base, contributions = explained(model, row)
    answer = {name: record[name] for name in ("decision", "at", "model")}
    answer |= {"approved": approved, "probability": probability, "score": total, "base": base}
    answer |= {"contributions": contributions, "reasons": reasons(model, contributions, approved)}
    return json.dumps(answer).encode()


def explained(model: dict, row: dict) -> tuple[float, dict[str, float]]:
    """The worth of nobody, and the Shapley values."""
    x = np.array([row[name] for name in FEATURES], float)
    background = np.array([[each[name] for name in FEATURES] for each in model["background"]], float)
    mixed = np.where(INSIDE[:, None, :], x, background)  # coalitions x background x features
    worth = scores(model, mixed.reshape(-1, COUNT)).reshape(mixed.shape[:2]).mean(axis=1)
    contributions = {}
    for place, name in enumerate(FEATURES):
        without = ~INSIDE[:, place]
        with_it = np.flatnonzero(without) + (1 << COUNT - 1 - place)
        contributions[name] = float(WEIGHTS[without] @ (worth[with_it] - worth[without]))
    return float(worth[0]), contributions


def scores(model: dict, rows: np.ndarray) -> np.ndarray:
    """As bank.score, for many rows."""

    def leaves(tree: dict | float) -> np.ndarray | float:
        if not isinstance(tree, dict):
            return tree
        goes = rows[:, FEATURES.index(tree["feature"])] < tree["below"]
        return np.where(goes, leaves(tree["then"]), leaves(tree["else"]))

    return model["start"] + sum(leaves(tree) for tree in model["trees"]) + np.zeros(len(rows))


def reasons(model: dict, contributions: dict[str, float], approved: bool) -> list[dict[str, str]]:
    """What speaks loudest for the decision."""
    sign, says = (-1, "lowers") if approved else (1, "raises")
    loudest = sorted(contributions, key=lambda name: -sign * contributions[name])
    return [
        {"feature": name, "text": f"{'For' if approved else 'Against'} it: {model['words'][name][says]}."}
        for name in loudest[:MOST]
        if sign * contributions[name] >= LEAST
    ]
