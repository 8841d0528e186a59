"""Shapley values by their definition: every coalition's worth, and what a feature adds to each of those without it.

Shapley 1953, "A value for n-person games"; the worth of a coalition is SHAP's interventional one: Lundberg et al. 2020,
"From local explanations to global understanding with explainable AI for trees".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import factorial, fsum

Row = Mapping[str, float]


def explained(
    score: Callable[[Row], float], row: Row, background: Sequence[Row], features: Sequence[str]
) -> tuple[float, dict[str, float]]:
    """The worth of the empty coalition, and each feature's Shapley value.

    Args:
        score: of a row.
        row: what is explained.
        background: rows whose values stand in for those of features outside a coalition.
    """
    count = len(features)
    mixed = [_mixed(row, features, subset) for subset in range(1 << count)]
    worth = [fsum(score({**other, **mine}) for other in background) / len(background) for mine in mixed]
    weights = [factorial(size) * factorial(count - size - 1) / factorial(count) for size in range(count)]
    values = {
        name: fsum(
            weights[subset.bit_count()] * (worth[subset | 1 << place] - worth[subset])
            for subset in range(1 << count)
            if not subset >> place & 1
        )
        for place, name in enumerate(features)
    }
    return worth[0], values


def _mixed(row: Row, features: Sequence[str], subset: int) -> dict[str, float]:
    return {name: row[name] for place, name in enumerate(features) if subset >> place & 1}
