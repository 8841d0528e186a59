"""A candidate against the model in service, on the same held-out rows, with how sure the difference is.

The interval of the difference in AUC is a bootstrap over blocks (day, hour, airport), not over rows: flights of one
hour share their delays, and rows drawn one by one would make any difference look surer than it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from delays.checking import CELL
from delays.rows import LABEL

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

ROUNDS, SEED, SURE = 400, 7, 0.95
WORSE_CALIBRATION, WORSE_SLICE, SMALLEST_SLICE, FLOOR = 0.02, 0.05, 300, 0.55
SLICES = ("origin", "carrier")


@dataclass
class Verdict:
    """Is the candidate better, and why (not); the figures by name."""

    better: bool
    why: list[str]
    figures: dict[str, float] = field(default_factory=dict)
    slices: list[tuple[str, int, float, float]] = field(default_factory=list)  # name, rows, AUC candidate, in service


def auc(late: np.ndarray, answers: np.ndarray) -> float:
    """Area under the ROC curve; scikit-learn's, which knows ties."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(late, answers))


def calibration(late: np.ndarray, answers: np.ndarray) -> float:
    """The expected calibration error: over ten bins of equal size, the mean gap of predicted and observed shares."""
    import numpy as np

    order = np.argsort(answers, kind="stable")
    parts = [part for part in np.array_split(order, 10) if len(part)]
    return float(sum(len(part) * abs(answers[part].mean() - late[part].mean()) for part in parts) / len(late))


def differences(late: np.ndarray, one: np.ndarray, other: np.ndarray, block: np.ndarray) -> np.ndarray:
    """AUC of one less AUC of the other, in each round of the bootstrap over blocks."""
    import numpy as np

    random = np.random.default_rng(SEED)
    count = int(block.max()) + 1
    ranked = [_ranked(late, answers) for answers in (one, other)]
    found = np.empty(ROUNDS)
    for number in range(ROUNDS):
        weight = np.bincount(random.integers(0, count, count), minlength=count)[block].astype(float)
        first, second = (_weighted(weight, *each) for each in ranked)
        found[number] = first - second
    return found


def _ranked(late: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The order of the answers, which of them begin a group of equal ones, and the labels in that order."""
    import numpy as np

    order = np.argsort(answers, kind="stable")
    values = answers[order]
    begins = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    return order, begins, late[order].astype(float)


def _weighted(weight: np.ndarray, order: np.ndarray, begins: np.ndarray, late: np.ndarray) -> float:
    """The AUC with a weight for each row: late ones against those below them, and half of those that tie."""
    import numpy as np

    sorted_weight = weight[order]
    positive = np.add.reduceat(sorted_weight * late, begins)
    negative = np.add.reduceat(sorted_weight * (1 - late), begins)
    below = np.cumsum(negative) - negative
    whole = positive.sum() * negative.sum()
    return float((positive * (below + negative / 2)).sum() / whole) if whole else 0.5


def judge(frame: pd.DataFrame, candidate: np.ndarray, in_service: np.ndarray | None, margin: float) -> Verdict:
    """The verdict.

    Args:
        frame: the held-out rows, with labels.
        candidate, in_service: their answers; None when no model is in service: then the candidate must beat chance.
        margin: by how much the AUC must be better, surely.
    """
    import numpy as np

    late = frame[LABEL].to_numpy(int)
    if late.min() == late.max():
        return Verdict(False, ["the held-out rows have one label only: nothing can be compared"])
    block = frame.groupby(list(CELL), sort=False).ngroup().to_numpy()
    other = in_service if in_service is not None else np.full(len(late), 0.5)
    low, high = np.quantile(differences(late, candidate, other, block), [1 - SURE, SURE])
    figures = {
        "auc": auc(late, candidate), "auc_in_service": auc(late, other), "auc_difference_low": float(low),
        "auc_difference_high": float(high), "calibration_error": calibration(late, candidate), "rows": float(len(late)),
    }  # fmt: skip
    if in_service is None:
        enough = figures["auc"] >= FLOOR and bool(low > 0)
        said = f"no model is in service; AUC {figures['auc']:.3f}, {FLOOR} at least and surely above chance"
        return Verdict(enough, [said], figures)
    figures["calibration_error_in_service"] = calibration(late, in_service)
    against = []
    if low <= margin:
        against.append(
            f"AUC {figures['auc']:.3f} against {figures['auc_in_service']:.3f}: the gain is {low:+.3f} to {high:+.3f}, "
            f"not surely more than {margin:g}"
        )
    worse = figures["calibration_error"] - figures["calibration_error_in_service"]
    if worse > WORSE_CALIBRATION:
        against.append(f"its calibration error is larger by {worse:.3f}, {WORSE_CALIBRATION} at most")
    slices = []
    for name, places in _slices(frame, late):
        few = late[places], candidate[places], in_service[places]
        ours, theirs = auc(few[0], few[1]), auc(few[0], few[2])
        slices.append((name, len(places), ours, theirs))
        # Of many slices some lose by chance: it must be as sure as the gain of the whole.
        if theirs - ours > WORSE_SLICE:
            own = np.unique(block[places], return_inverse=True)[1]
            if np.quantile(differences(*few, own), SURE) < 0:
                against.append(f"{name} ({len(places)} rows) loses: AUC {ours:.3f} against {theirs:.3f}")
    gain = [f"AUC {figures['auc']:.3f} against {figures['auc_in_service']:.3f}, surely more by {low:.3f}"]
    return Verdict(not against, against or gain, figures, slices)


def _slices(frame: pd.DataFrame, late: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The slices that are large enough to be judged: name, and the places of their rows."""
    for name in SLICES:
        for value, places in sorted(frame.groupby(name).indices.items()):
            if len(places) >= SMALLEST_SLICE and 0 < late[places].mean() < 1:
                yield f"{name} {value}", places
