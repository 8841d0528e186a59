"""Is the candidate worse than the stable model? Asked once, when as much has come as was computed beforehand."""

from math import ceil, inf, log, sqrt
from statistics import NormalDist

FALSE_ALARM, MISSED = 0.01, 0.01  # how often a good one may be taken back, and a bad one promoted
TESTS = 3  # of one candidate: errors, seconds, predictions; each gets its part of the false alarms
LIMIT = NormalDist().inv_cdf(1 - FALSE_ALARM / TESTS)
POWER = NormalDist().inv_cdf(1 - MISSED)
LAST_LOOK = 35  # of the 36 in three minutes: whoever has shown too little by then is not promoted
# What is nothing to us, what must be found, and the standard deviations of a good and of a bad one, known beforehand.
ERRORS = (0.01, 0.05, 0.14, 0.26)
SECONDS = (0.03, 0.20, 0.60, 0.85)  # of log(seconds)
LOSS = (0.01, 0.15, 0.55, 0.80)


def needed(nothing, found, good, bad):
    """How many of the candidate's values are needed; there are nine times as many of the stable model's."""
    return ceil(((LIMIT * good + POWER * bad) / (found - nothing)) ** 2 * (1 + 1 / 9))


ANSWERS, OUTCOMES = max(needed(*ERRORS), needed(*SECONDS)), needed(*LOSS)


class Sums:
    """Count, sum and sum of squares of values."""

    def __init__(self):
        self.n, self.sum, self.squares = 0, 0.0, 0.0

    def add(self, value):
        self.n, self.sum, self.squares = self.n + 1, self.sum + value, self.squares + value * value

    @property
    def mean(self):
        return self.sum / self.n if self.n else 0.0

    @property
    def error(self):
        """The variance of the mean; never 0, for something that has not happened yet may happen."""
        if not self.n:  # nothing has come, so nothing is known
            return inf
        return max(self.squares / self.n - self.mean**2, 1 / self.n) / self.n


class Judge:
    def __init__(self):
        self.looks = 0
        self.stable, self.candidate = ([Sums() for _ in range(TESTS)] for _ in range(2))

    def look(self, stable, candidate):
        self.looks += 1
        self.take(self.stable, stable)
        self.take(self.candidate, candidate)
        errors, _, loss = self.candidate
        if errors.n >= ANSWERS and loss.n >= OUTCOMES:
            return "take back" if self.worse() else "promote"
        return "take back" if self.looks >= LAST_LOOK else None

    def take(self, sums, new):
        errors, seconds, loss = sums
        for failed, took in new["answers"]:
            errors.add(float(failed))
            if not failed:
                seconds.add(log(max(took, 0.001)))
        for probability, late in new["outcomes"]:
            told = min(max(probability, 0.001), 0.999)
            loss.add(-log(told if late else 1 - told))

    def worse(self):
        """In which of the three the candidate is worse, by more than chance and more than nothing."""
        pairs = zip(
            ("errors", "seconds", "predictions"), self.stable, self.candidate, (ERRORS, SECONDS, LOSS), strict=True
        )
        return [
            what
            for what, old, new, (nothing, *_) in pairs
            if new.mean - old.mean - nothing > LIMIT * sqrt(new.error + old.error)
        ]
