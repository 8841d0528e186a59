"""Watch what a model is asked, row by row, with ADWIN; it keeps as long a window as looks like one distribution.

ADWIN watches the mean of a number between 0 and 1, so each feature becomes indicators: is the value in this bin? ADWIN
compares a stream with its own past only. The reference is given to it as that past, or what was there from the first
row on would never be seen.
"""

import numpy as np
import pandas as pd
from river.drift import ADWIN

CALENDAR = {"month", "day", "weekday"}  # they change by themselves
PAST = 3000  # rows of the reference
DELTA = 1e-7  # the confidence of each cut: small, for there are fifty indicators and a test every few rows
BINS = 8
COMMON = 0.1  # of the reference: rarer codes have no indicator of their own; codes that it does not know share one
OFTEN = 0.5  # of the reference: the commonest codes, as many as are less than that, share another one


class Indicators:
    """One feature as columns of 0 and 1: missing, each bin or common code, unknown codes, the commonest together."""

    def __init__(self, values: pd.Series) -> None:
        self.edges = None
        if pd.api.types.is_numeric_dtype(values):
            self.edges = np.unique(values.quantile(np.arange(1, BINS) / BINS).to_numpy())
        else:
            shares = values.value_counts(normalize=True)
            self.codes, self.known = list(shares.index[shares >= COMMON]), set(shares.index)
            self.often = set(shares.index[shares.cumsum() < OFTEN])
        self.watches = [ADWIN(delta=DELTA) for _ in range(self.of(values.head(1)).shape[1])]
        for row in self.of(values.head(PAST)):
            self.moved(row)

    def of(self, values: pd.Series) -> np.ndarray:
        """The indicators of some values."""
        if self.edges is None:
            common = values.to_numpy()[:, None] == np.array(self.codes, object)[None, :]
            unknown = values.notna() & ~values.isin(self.known)
            found = np.column_stack([common, unknown, values.isin(self.often)])
        else:
            place = np.searchsorted(self.edges, values.to_numpy(float))
            found = (place[:, None] == np.arange(len(self.edges) + 1)) & values.notna().to_numpy()[:, None]
        return np.column_stack([values.isna(), found]).astype(float)

    def moved(self, row: np.ndarray) -> bool:
        """Take one row; has any indicator moved?"""
        changed = False
        for watch, value in zip(self.watches, row, strict=True):
            watch.update(value)
            changed = changed or watch.drift_detected
        return changed


class Detector:
    """One stream's watch."""

    def __init__(self, reference: pd.DataFrame) -> None:
        self.features = {name: Indicators(reference[name]) for name in reference if name not in CALENDAR}
        self.shifted: list[str] = []

    def update(self, rows: pd.DataFrame) -> list[str]:
        """Take the next rows, any number of them; the features that have shifted since the reference."""
        for name, feature in self.features.items():
            moved = [feature.moved(row) for row in feature.of(rows[name])]
            if any(moved) and name not in self.shifted:
                self.shifted.append(name)
        return list(self.shifted)
