"""Hidden rows: held-out flights that no learner sees, with the probability that each model version gives for them.

Training writes them when the images are built, from days that it holds out; see images/flight-delay/train.py.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from mlops_lab.base.errors import LabError
from mlops_lab.base.state_files import kept
from mlops_lab.images.recipes.flight_delay import TRAIN
from mlops_lab.images.store import Store


class _File(TypedDict):
    rows: list[dict[str, Any]]
    probabilities: dict[str, list[float]]
    auc: dict[str, float]


@dataclass(frozen=True)
class HiddenRows:
    """Some of the hidden flights.

    Attributes:
        rows: the flights, as POST /predict takes them.
        auc: for each version the area under the ROC curve on all flights of the held-out days.
    """

    rows: tuple[Mapping[str, Any], ...]
    auc: Mapping[str, float]
    _probabilities: Mapping[str, tuple[float, ...]]

    @property
    def body(self) -> dict[str, Any]:
        """The body of a POST /predict that asks about these flights."""
        return {"rows": list(self.rows)}

    def probabilities(self, version: str) -> list[float]:
        """What a version (`v1`, `v2`) answers for these flights."""
        return list(self._probabilities[version])


def numbers(values: Any) -> list[float] | None:
    """The numbers of a list that came as JSON; None if it is no list, or holds anything else (true is no number)."""
    if not isinstance(values, list) or any(isinstance(one, bool) or not isinstance(one, int | float) for one in values):
        return None
    try:
        return [float(one) for one in values]
    except OverflowError:  # an integer of hundreds of digits
        return None


def difference(given: Any, wanted: Sequence[float]) -> float | None:
    """The largest difference between what an answer gives and the model's own values; infinite for NaN among them.

    Returns:
        None if `given` is not a list of as many numbers.
    """
    values = numbers(given)
    if values is None or len(values) != len(wanted):
        return None
    apart = [abs(one - other) for one, other in zip(values, wanted, strict=True)]
    # max() passes over NaN, wherever it doesn't come first.
    return math.inf if any(map(math.isnan, apart)) else max(apart, default=0.0)


def hidden_rows(count: int) -> HiddenRows:
    """The first `count` hidden flights.

    Raises:
        LabError: they were never made here, or can't be read.
        ValueError: there are not that many.
    """
    made = Store().current(TRAIN)
    file = made / "hidden.json" if made else None
    if file is None or not file.is_file():
        raise LabError("the hidden flights are missing; they are made with the images", "make them: lab up")
    return _read(file, count)


@functools.lru_cache(maxsize=16)
def _read(file: Path, count: int) -> HiddenRows:
    whole = kept(file, _File, "the list of hidden flights", "make it again: lab images prune; lab up")
    rows, probabilities, auc = (whole["rows"], whole["probabilities"], whole["auc"]) if whole else ([], {}, {})
    if not 1 <= count <= len(rows):
        raise ValueError(f"{count} hidden flights asked for; there are {len(rows)}")
    return HiddenRows(
        tuple(rows[:count]), auc, {version: tuple(values[:count]) for version, values in probabilities.items()}
    )
