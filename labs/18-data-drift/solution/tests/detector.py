"""Watch what a model is asked, and name the features whose last rows are another sample than the reference.

Numbers by the Kolmogorov-Smirnov test, categories by chi-squared, missing values by Fisher's. Two tests for each
feature, again and again: in a year these are many, and one in twenty is below 0.05 with nothing the matter. So a
p-value has to be small enough for all of them together.
"""

from collections import deque

import numpy as np
import pandas as pd
from scipy import stats

CALENDAR = {"month", "day", "weekday"}  # they change by themselves
WINDOW = 500  # rows
EVERY = 100  # rows from one look to the next
FALSE_ALARMS = 0.01  # in a year, of all features together
TESTS = 2 * 9 * 327_000 / EVERY  # two for each feature and each look at a year's flights
SMALL = FALSE_ALARMS / TESTS
FEWEST = 20  # rows of the window that a category has to expect: the chi-squared test is for large counts


class Detector:
    """One stream's watch."""

    def __init__(self, reference: pd.DataFrame) -> None:
        self.features = [name for name in reference if name not in CALENDAR]
        self.numbers = {
            name: np.sort(reference[name].dropna().to_numpy(float))
            for name in self.features
            if pd.api.types.is_numeric_dtype(reference[name])
        }
        self.size = len(reference)
        self.missing = {name: int(reference[name].isna().sum()) for name in self.features}
        self.counts = {name: reference[name].value_counts() for name in self.features if name not in self.numbers}
        self.window = {name: deque(maxlen=WINDOW) for name in self.features}
        self.unseen = EVERY - WINDOW
        self.shifted: list[str] = []

    def update(self, rows: pd.DataFrame) -> list[str]:
        """Take the next rows, any number of them; the features that have shifted."""
        for name in self.features:
            self.window[name].extend(rows[name])
        self.unseen += len(rows)
        if self.unseen >= EVERY:
            self.unseen = 0
            self.shifted = [name for name in self.features if self.p_value(name) < SMALL]
        return self.shifted

    def p_value(self, name: str) -> float:
        """Of the window, were it drawn from what the reference was drawn from; the smaller of two tests."""
        now = pd.Series(list(self.window[name]))
        gaps = int(now.isna().sum())
        missing = alike([self.missing[name], self.size - self.missing[name]], [gaps, len(now) - gaps])
        now = now.dropna()
        if now.empty:
            return missing
        if name in self.numbers:
            then = self.numbers[name]
            return min(missing, float(stats.ks_2samp(then, now.to_numpy(float), method="asymp").pvalue))
        then = self.counts[name]
        common = then.index[then * len(now) / then.sum() >= FEWEST]
        counted = now.value_counts().reindex(common, fill_value=0)
        rest = [int(then.sum() - then[common].sum()), int(len(now) - counted.sum())]
        return min(missing, alike([*then[common], rest[0]], [*counted, rest[1]]))


def alike(then: list[int], now: list[int]) -> float:
    """The p-value of two rows of counts, had they the same shares."""
    if len(then) == 2:  # missing values may be so few that the chi-squared test finds each of them strange
        return float(stats.fisher_exact([then, now]).pvalue)
    table = np.array([then, now])
    return float(stats.chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue)
