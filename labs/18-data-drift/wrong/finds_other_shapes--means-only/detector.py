"""Watch what a model is asked, and name the features whose mean, shares or gaps are no longer as in the reference.

A number's mean over the last rows may be half a standard deviation from the reference's; a category's share may differ
by 0.1, and so may the shares of missing values and of unknown categories.
"""

from collections import deque

import pandas as pd

CALENDAR = {"month", "day", "weekday"}  # they change by themselves
WINDOW = 500  # rows
DEVIATIONS, SHARE = 0.5, 0.1


class Detector:
    """One stream's watch."""

    def __init__(self, reference: pd.DataFrame) -> None:
        self.reference = reference.drop(columns=list(CALENDAR))
        self.window = {name: deque(maxlen=WINDOW) for name in self.reference}

    def update(self, rows: pd.DataFrame) -> list[str]:
        """Take the next rows, any number of them; the features that have shifted."""
        for name, kept in self.window.items():
            kept.extend(rows[name])
        if len(self.window["temp"]) < WINDOW:
            return []
        return [name for name, kept in self.window.items() if self.moved(self.reference[name], pd.Series(list(kept)))]

    def moved(self, then: pd.Series, now: pd.Series) -> bool:
        """Is one feature another one than it was?"""
        if abs(now.isna().mean() - then.isna().mean()) > SHARE:
            return True
        if pd.api.types.is_numeric_dtype(then):
            return abs(now.mean() - then.mean()) > DEVIATIONS * then.std()
        if (now.notna() & ~now.isin(set(then))).mean() > SHARE:
            return True
        shares = now.value_counts(normalize=True).sub(then.value_counts(normalize=True), fill_value=0)
        return bool((shares.abs() > SHARE).any())
