"""How far rows have moved from those that a model was trained on: the population stability index (PSI), by feature.

The reference is binned once, when a model is trained: a number by the deciles of its training rows (a bin holds what is
above its lower edge, up to its upper one), a category by its
commonest values; missing is a bin of its own. So a comparison costs one pass over the new rows. The PSI of a feature is
the sum over its bins of (now - then) * ln(now / then) of the shares; 0.1 is small, above 0.2 something changed
(Siddiqi, Credit Risk Scorecards, 2006). Calendar fields are not watched: a later window is in another month by nature.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from delays.checking import CELL, GROUPS
from delays.rows import DAY, LABEL
from server.features import CATEGORIES, WEATHER

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

WATCHED = ("hour", *CATEGORIES, "distance", *WEATHER)
BINS, VALUES = 10, 20
USUAL = 1000  # errors that are kept: three weeks of hours
LEAST = 1e-4  # the share that an empty bin counts with: a logarithm needs one


def reference(frame: pd.DataFrame, unseen: np.ndarray) -> dict[str, Any]:
    """What a model keeps of its training rows; JSON-ready.

    Args:
        unseen: for each row the answer of a model that did not see it: the level of its errors, and the shares of its
            answers in steps of 0.05, which the servers' histogram of predictions has too.
    """
    import numpy as np

    features: dict[str, Any] = {}
    for name in WATCHED:
        column = frame[name]
        if name in CATEGORIES:
            values = [str(value) for value in column.value_counts().index[:VALUES]]
            features[name] = {"values": values, "shares": _shares(_by_value(column, values))}
        else:
            features[name] = number_reference(column.to_numpy("float32"))
    late: dict[str, Any] = {"share": float(frame[LABEL].mean()), "groups": {}}
    for field in GROUPS:
        counted = frame.groupby(field)[LABEL].agg(["size", "sum"])
        late["groups"][field] = {
            str(int(value) if field == "hour" else value): [int(size), int(total)]
            for value, size, total in counted.itertuples()
        }
    usual = surprise(frame, unseen)["surprise"].to_numpy()[-USUAL:]
    errors = [round(float(each), 4) for each in usual]
    answers = _shares(_by_edge(unseen.astype(np.float32), np.arange(1, 21, dtype=np.float32) / 20)[:-1])
    return {"rows": len(frame), "features": features, "late": late, "surprise": errors, "answers": answers}


def number_reference(values: np.ndarray) -> dict[str, list[float]]:
    """The edges of a number's bins (deciles; equal ones once) and the share of each bin, the last for missing ones."""
    import numpy as np

    known = values[~np.isnan(values)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.zeros(1)
    edges = edges.astype(np.float32)
    return {"edges": [float(edge) for edge in edges], "shares": _shares(_by_edge(values, edges))}


def psi(frame: pd.DataFrame, known: Mapping[str, Any]) -> dict[str, float]:
    """The PSI of each watched feature, the largest first."""
    found = {}
    for name, kept in known["features"].items():
        column = frame[name]
        if "values" in kept:
            found[name] = _index(_shares(_by_value(column, kept["values"])), kept["shares"])
        else:
            found[name] = number_psi(column.to_numpy("float32"), kept)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def number_psi(values: np.ndarray, kept: Mapping[str, Sequence[float]]) -> float:
    """The PSI of one number against its binned reference."""
    import numpy as np

    return _index(_shares(_by_edge(values, np.asarray(kept["edges"], np.float32))), kept["shares"])


def surprise(frame: pd.DataFrame, answers: np.ndarray) -> pd.DataFrame:
    """How much more wrong the model was than it expected, in order of time, for one flight of each airport and hour.

    A model that is right about its own uncertainty has an error of 2p(1 - p) on average, at every hour of the day: what
    is above that is `surprise`. Flights of one hour share their delays, so a second one of that hour says little that
    is new: on all rows, ADWIN found 15 to 36 changes in 40 ordinary days of 2013; on one of each hour none or one.

    Args:
        frame: rows with labels.
        answers: the model's probabilities of them.
    """
    late = frame[LABEL].to_numpy(float)
    excess = abs(late - answers) - 2 * answers * (1 - answers)
    ordered = frame.assign(surprise=excess).sort_values([DAY, "hour", "origin"], kind="stable")
    return ordered.groupby(list(CELL), sort=False).head(1)[[DAY, "hour", "surprise"]]


def changes(usual: Iterable[float], errors: Iterable[float]) -> list[int]:
    """Where the level of errors changed, by ADWIN (river; Bifet and Gavalda, 2007): their numbers.

    Args:
        usual: errors as they were before; so a stream that is different from its start on is found too.
        errors: the stream, in the order of time.
    """
    from river.drift import ADWIN

    detector, found = ADWIN(delta=0.002), []
    for error in usual:
        detector.update(error)
    for number, error in enumerate(errors):
        detector.update(error)
        if detector.drift_detected:
            found.append(number)
    return found


def _by_edge(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    import numpy as np

    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    missing = int(np.count_nonzero(values != values))
    counts[-1] -= missing  # NumPy sorts what is not a number last
    return np.append(counts, missing)


def _by_value(column: pd.Series, values: Sequence[str]) -> np.ndarray:
    import numpy as np
    import pandas as pd

    codes = pd.Categorical(column, categories=values).codes
    counts = np.bincount(codes + 1, minlength=len(values) + 1)
    missing = int(column.isna().sum())
    return np.array([*counts[1:], counts[0] - missing, missing])  # the last two: other values, missing


def _shares(counts: np.ndarray) -> list[float]:
    return [float(share) for share in counts / max(counts.sum(), 1)]


def _index(now: Sequence[float], then: Sequence[float]) -> float:
    import numpy as np

    a, b = np.maximum(now, LEAST), np.maximum(then, LEAST)
    return float(((a - b) * np.log(a / b)).sum())
