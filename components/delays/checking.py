"""What can be wrong with rows: their form, and labels that were tampered with. Every finding is a sentence.

Labels are judged by three robust statistics, each of which another way of tampering moves. The limits come from the
departures of 2013, in windows of 7, 20 and 40 days against the 60 days before:

- flights of one airport and hour share its weather and its queues, so their labels agree more than chance: the
  correlation within such cells was 0.087 to 0.333. Labels flipped at random dilute it: 0.02 to 0.10 with a fifth of
  them flipped, below 0.05 with three tenths;
- the share of late flights rises over the day, every season: the slope against the reference was 0.5 to 1.6.
  Inverted labels turn it round;
- one group (a carrier, a destination) that moves away from how the others move: at most 5.8 robust standard deviations.

What they can't see: a few labels, or ones flipped for whole hours of an airport at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from delays.rows import COLUMNS, DAY, FIELDS, LABEL
from server.features import CATEGORIES, WEATHER

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

RANGES = {
    "month": (1, 12), "day": (1, 31), "weekday": (0, 6), "hour": (0, 23), "distance": (1, 20000),
    "temp": (-60, 140), "wind_speed": (0, 150), "precip": (0, 20), "visib": (0, 100),
}  # fmt: skip
MISSING = 0.2  # share of the rows in which a weather field may be missing
LEAK = 0.95  # AUC of one field alone, either way round
FEWEST = 200
AGREE, SLOPE, STRANGE = 0.06, 0.0, 6.0
CELL = (DAY, "hour", "origin")
GROUPS = ("carrier", "origin", "dest", "hour")
ENOUGH = 100  # rows of a group


def form(frame: pd.DataFrame) -> list[str]:
    """Columns, types, ranges, missing values, sizes, repeated rows and leaks."""
    import pandas as pd

    unknown = [name for name in frame.columns if name not in COLUMNS]
    absent = [name for name in COLUMNS if name not in frame.columns]
    found = [f"column {name} is not part of a flight: it can leak the label" for name in unknown]
    found += [f"column {name} is missing" for name in absent]
    if absent:
        return found
    if len(frame) < FEWEST:
        found.append(f"{len(frame)} rows are too few: {FEWEST} at least")
        return found
    for name, (low, high) in RANGES.items():
        numbers = pd.to_numeric(frame[name], errors="coerce")
        wrong = int((numbers.isna() & frame[name].notna()).sum())
        if wrong:
            found.append(f"{name}: {wrong} values are not numbers")
        outside = int(((numbers < low) | (numbers > high)).sum())
        if outside:
            found.append(f"{name}: {outside} values outside {low} to {high}")
    for name in FIELDS:
        share, most = float(frame[name].isna().mean()), MISSING if name in WEATHER else 0
        if share > most:
            found.append(f"{name}: {share:.1%} of the values are missing, {most:.0%} at most")
    for name in CATEGORIES:
        odd = int((~frame[name].dropna().str.fullmatch(r"[A-Z0-9]{2,4}")).sum())
        if odd:
            found.append(f"{name}: {odd} values are not codes of 2 to 4 letters")
    # One word among them makes the whole column text.
    wrong = int((~pd.to_numeric(frame[LABEL], errors="coerce").isin((0, 1))).sum())
    if wrong:
        found.append(f"{LABEL}: {wrong} values are neither 0 nor 1")
    return found or _leaks(frame)


def _leaks(frame: pd.DataFrame) -> list[str]:
    from sklearn.metrics import roc_auc_score

    late = frame[LABEL].to_numpy()
    if late.min() == late.max():
        return [f"{LABEL}: every flight has {int(late[0])}; there is nothing to learn"]
    found = []
    for name in FIELDS:
        column = frame[name]
        if name in CATEGORIES:
            column = frame.groupby(name)[LABEL].transform("mean")
        auc = float(roc_auc_score(late, column.fillna(column.median())))
        if max(auc, 1 - auc) > LEAK:
            found.append(f"{name} alone tells the label (AUC {auc:.2f}): it leaks")
    repeated = int(frame.duplicated(subset=[*FIELDS, DAY, LABEL]).sum())
    if repeated > len(frame) * 0.05:
        found.append(f"{repeated} of {len(frame)} rows are copies of others")
    return found


def labels(frame: pd.DataFrame, known: Mapping[str, Any] | None) -> tuple[list[str], dict[str, float]]:
    """Signs of tampered labels, and the statistics that were looked at.

    Args:
        frame: rows whose form is right.
        known: `late` of a model's reference (see delays.drift): the groups' counts in rows that are trusted. Without
            it only the agreement within cells is judged.
    """
    import numpy as np

    late = frame[LABEL].to_numpy(float)
    seen = {"late_share": float(late.mean())}
    found = []
    agree, pairs = agreement(frame, late)
    if pairs >= 1000:
        seen["agreement_within_hours"] = agree
        if agree < AGREE:
            found.append(
                f"labels of one airport and hour agree no more than chance ({agree:.3f}, {AGREE} at least): "
                "many of them look flipped at random"
            )
    if known:
        slope = _slope(frame, known["groups"]["hour"])
        if np.isfinite(slope):
            seen["slope_over_the_day"] = slope
            if slope < SLOPE:
                found.append(
                    f"flights are late when they never were (slope over the day {slope:.2f}): labels inverted?"
                )
        name, value, far = _strangest(frame, known["groups"])
        if name:
            seen["strangest_group"] = far
            if far > STRANGE:
                found.append(
                    f"{name} {value} moved {far:.0f} robust deviations away from how the other groups moved: "
                    "labels of that group look set"
                )
    return found, seen


def agreement(frame: pd.DataFrame, late: np.ndarray) -> tuple[float, int]:
    """The correlation of two labels of one cell (day, hour, airport), and from how many pairs.

    The share of pairs that are both late, less what chance would give, as a part of the labels' variance (the estimator
    of the intraclass correlation from pairs).
    """
    import numpy as np

    cell = frame.groupby(list(CELL), sort=False).ngroup().to_numpy()
    size, both = np.bincount(cell).astype(float), np.bincount(cell, weights=late)
    pairs = float((size * (size - 1)).sum())
    share = float(late.mean())
    if pairs == 0 or share in (0.0, 1.0):
        return 0.0, 0
    together = float((both * both - both).sum()) / pairs
    return (together - share * share) / (share * (1 - share)), int(pairs)


def _slope(frame: pd.DataFrame, hours: Mapping[str, tuple[int, int]]) -> float:
    import numpy as np

    weight, ours, theirs = [], [], []
    for hour, group in frame.groupby("hour")[LABEL]:
        count, late = hours.get(str(int(hour)), (0, 0))
        if len(group) >= ENOUGH / 4 and count >= ENOUGH:
            weight.append(len(group))
            ours.append(float(group.mean()))
            theirs.append(late / count)
    if len(weight) < 4:
        return float("nan")
    sizes = np.array(weight)
    x = np.array(theirs) - np.average(theirs, weights=sizes)
    y = np.array(ours) - np.average(ours, weights=sizes)
    return float((sizes * x * y).sum() / (sizes * x * x).sum())


def _strangest(frame: pd.DataFrame, groups: Mapping[str, Mapping[str, tuple[int, int]]]) -> tuple[str, str, float]:
    """The group whose log odds moved most unlike the others of its field, in robust standard deviations."""
    import numpy as np

    worst = ("", "", 0.0)
    for field in GROUPS:
        names, moved, noise = [], [], []
        for value, group in frame.groupby(field)[LABEL]:
            name = str(int(value)) if field == "hour" else str(value)
            count, late = groups[field].get(name, (0, 0))
            if min(count, len(group)) < ENOUGH:
                continue
            before, now = (late + 0.5) / (count + 1), (float(group.sum()) + 0.5) / (len(group) + 1)
            names.append(name)
            moved.append(np.log(now / (1 - now)) - np.log(before / (1 - before)))
            noise.append(1 / (before * (1 - before)) * (1 / len(group) + 1 / count))
        if len(names) < 3:
            continue
        away = np.abs(np.array(moved) - np.median(moved))
        spread = max(1.4826 * float(np.median(away)), 0.2)
        far = away / np.sqrt(np.array(noise) + spread**2)
        if far.max() > worst[2]:
            worst = (field, names[int(far.argmax())], float(far.max()))
    return worst
