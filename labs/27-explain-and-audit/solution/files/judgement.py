"""Score, decision and reasons of one row, in plain Python.

Shapley values are additive, so each tree is explained by itself, against each background row by itself. On the way down
only those branches matter where the two rows part: a leaf is then reached by taking some features from the applicant
(`his`) and some from the other row (`others`), and its share of the Shapley values has a closed form. Lundberg et al.
2020, "From local explanations to global understanding with explainable AI for trees", call it interventional TreeSHAP.
"""

import math

from bank import FEATURES, score


def judged(model: dict, row: dict) -> dict:
    """All of an answer that the model says."""
    total = score(model, row)
    probability = 1 / (1 + math.exp(-total))
    approved = probability < model["threshold"]
    parts = dict.fromkeys(FEATURES, 0.0)
    for tree in model["trees"]:
        for other in model["background"]:
            share(tree, row, other, (), (), parts)
    contributions = {name: part / len(model["background"]) for name, part in parts.items()}
    base = math.fsum(score(model, each) for each in model["background"]) / len(model["background"])
    return {
        "approved": approved, "probability": probability, "score": total, "base": base,
        "contributions": contributions, "reasons": reasons(model["words"], contributions, approved),
    }  # fmt: skip


def share(tree: dict | float, row: dict, other: dict, his: tuple, others: tuple, parts: dict) -> None:
    """Add what a tree gives each feature, for one background row."""
    if not isinstance(tree, dict):
        a, b = len(his), len(others)
        for name in his:
            parts[name] += tree * math.factorial(a - 1) * math.factorial(b) / math.factorial(a + b)
        for name in others:
            parts[name] -= tree * math.factorial(a) * math.factorial(b - 1) / math.factorial(a + b)
        return
    name = tree["feature"]
    mine = tree["then" if row[name] < tree["below"] else "else"]
    theirs = tree["then" if other[name] < tree["below"] else "else"]
    if mine is theirs or name in his:
        share(mine, row, other, his, others, parts)
    elif name in others:
        share(theirs, row, other, his, others, parts)
    else:
        share(mine, row, other, (*his, name), others, parts)
        share(theirs, row, other, his, (*others, name), parts)


def reasons(words: dict, contributions: dict, approved: bool) -> list[dict]:
    """The three that speak loudest for the decision."""
    loud = {name: -part if approved else part for name, part in contributions.items()}
    first = sorted((name for name in loud if loud[name] >= 0.001), key=loud.__getitem__, reverse=True)[:3]
    return [{"feature": name, "text": words[name]["lowers" if approved else "raises"]} for name in first]
