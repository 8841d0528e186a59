"""Watch what a model is asked, and name the features that are no longer distributed as in the reference.

Each feature's last rows against its reference by the population stability index, the sum over bins of
(now - then) * ln(now / then). Of equal distributions it is about (bins - 1) / rows, some 0.02 here; above 0.2 is
commonly called a shift. That a rare bin is empty by chance must not count for much, so categories that are rare share
a bin, and no share is taken to be smaller than one row in a thousand.
"""

import numpy as np
import pandas as pd

CALENDAR = {"month", "day", "weekday"}  # they change by themselves
WINDOW = 500  # rows
THRESHOLD = 0.25
LEAST = 1e-3  # a bin's share
COMMON = 0.02  # of the reference: a rarer category goes to "others"


class Bins:
    """How one feature is counted: a number by the tenths of the reference, a category by itself; missing apart."""

    def __init__(self, values: pd.Series) -> None:
        self.edges = self.known = None
        if pd.api.types.is_numeric_dtype(values):
            self.edges = np.unique(values.quantile(np.arange(1, 10) / 10).to_numpy())
            self.count = len(self.edges) + 2
        else:
            shares = values.value_counts(normalize=True)
            self.known = {code: place for place, code in enumerate(shares.index[shares >= COMMON])}
            self.count = len(self.known) + 2
        self.shares = self.of(self.numbers(values))

    def numbers(self, values: pd.Series) -> np.ndarray:
        """In which bin each value is; the last one is for missing values."""
        if self.edges is None:
            places = values.map(self.known).fillna(self.count - 2).to_numpy(int)
        else:
            places = np.searchsorted(self.edges, values.to_numpy(float))
        return np.where(values.isna(), self.count - 1, places)

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """Each bin's share of the rows."""
        return np.maximum(np.bincount(numbers, minlength=self.count) / len(numbers), LEAST)


class Detector:
    """One stream's watch."""

    def __init__(self, reference: pd.DataFrame) -> None:
        self.bins = {name: Bins(reference[name]) for name in reference if name not in CALENDAR}
        self.last = {name: np.empty(0, int) for name in self.bins}

    def update(self, rows: pd.DataFrame) -> list[str]:
        """Take the next rows, any number of them; the features that have shifted."""
        return [name for name, bins in self.bins.items() if self.psi(name, bins, rows) > THRESHOLD]

    def psi(self, name: str, bins: Bins, rows: pd.DataFrame) -> float:
        """The index of a feature's last rows; 0 until there are enough."""
        self.last[name] = np.append(self.last[name], bins.numbers(rows[name]))[-WINDOW:]
        if len(self.last[name]) < WINDOW:
            return 0.0
        now = bins.of(self.last[name])
        return float(((now - bins.shares) * np.log(now / bins.shares)).sum())
