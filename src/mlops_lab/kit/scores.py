"""How good a model's answers are, computed where the verdict is made: of the raw answers, and labels it never saw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from mlops_lab.measure.traffic.flights import numbers

HAIR = 1e-9  # by which a sum of shares may miss 1


def auc(labels: Sequence[int], values: Sequence[float]) -> float:
    """The area under the ROC curve: how often a 1 has a higher value than a 0, a tie counting half.

    Raises:
        ValueError: all labels are the same, or there are not as many values.
    """
    ones = sum(labels)
    zeros = len(labels) - ones
    if not ones or not zeros:
        raise ValueError("the area under the ROC curve needs both labels")
    below, twice = 0, 0  # zeros with a lower value; twice the pairs that are in order
    for _, tied in groupby(sorted(zip(values, labels, strict=True)), key=lambda pair: pair[0]):
        found = [label for _, label in tied]
        here = sum(found)
        twice += here * (2 * below + len(found) - here)
        below += len(found) - here
    return twice / (2 * ones * zeros)


def scored(answer: dict[str, Any], labels: str) -> dict[str, Any]:
    """How many probabilities an answer has and their `auc`; or the `error` that it tells of, or is.

    Args:
        answer: raw, with a list `values` or an `error`.
        labels: of the rows, each 1 or 0.
    """
    if "error" in answer:
        return {"error": str(answer["error"])[:300]}
    values = numbers(answer.get("values"))
    if values is None:
        return {"error": "its predict_proba gives no numbers"}
    # NaN is no probability either.
    strange = [each for each in values if not -HAIR <= each <= 1 + HAIR or math.isnan(each)]
    if strange:
        return {"error": f"its predict_proba gives {strange[0]:g}, which is no probability"}
    if len(values) != len(labels):
        return {"rows": len(values), "error": f"its predict_proba gives {len(values)} answers for {len(labels)} rows"}
    try:
        return {"rows": len(values), "auc": auc([int(label) for label in labels], values)}
    except ValueError as trouble:
        return {"rows": len(values), "error": str(trouble)}
