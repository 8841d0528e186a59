"""Is the candidate worse? A confidence sequence for each difference: an interval that holds at all looks together.

Normal mixture (Robbins, 1970; asymptotic for any distribution: Waudby-Smith et al., 2021). One look more costs nothing,
so it may be looked at as often as one likes, and what is plain is decided early. Half of the errors that are allowed
are kept for one last test, at the end of the time.
"""

from math import log, sqrt
from statistics import NormalDist

LOOKS = 35  # of the 36 in three minutes
ALPHA = 0.015 / 3  # for each of the three
RHO = 1 / 60  # the sequence is narrowest at about ten times as many values as this has the inverse of
LEAST = 150  # of the candidate's values before the first look: means are normal by then
LAST = NormalDist().inv_cdf(1 - ALPHA / 2)
# For each: more than this must be shown to take it back, less than this to promote it.
LIMITS = {"failed": (0.005, 0.045), "seconds": (0.02, 0.18), "loss": (0.005, 0.10)}


class Mean:
    """A mean and the variance of it, by Welford."""

    def __init__(self):
        self.n, self.mean, self.m2 = 0, 0.0, 0.0

    def add(self, value):
        self.n += 1
        delta = value - self.mean
        self.mean += delta / self.n
        self.m2 += delta * (value - self.mean)

    def variance(self):
        return max(self.m2 / max(self.n - 1, 1), 0.003) / max(self.n, 1)


class Judge:
    def __init__(self):
        self.number = 0
        self.arms = [{name: Mean() for name in LIMITS} for _ in range(2)]

    def look(self, stable, candidate):
        self.number += 1
        for means, new in zip(self.arms, (stable, candidate), strict=True):
            for failed, seconds in new["answers"]:
                means["failed"].add(failed)
                if not failed:
                    means["seconds"].add(log(seconds + 0.001))
            for probability, late in new["outcomes"]:
                means["loss"].add(-log(max(probability if late else 1 - probability, 0.001)))
        last, good = self.number >= LOOKS, []
        if not last and not any(means["loss"].n for means in self.arms):
            return None  # without outcomes there is nothing to decide by
        for name, (shown, harmless) in LIMITS.items():
            old, new = (means[name] for means in self.arms)
            if new.n < LEAST:
                if last:
                    return "take back"
                good.append(False)
                continue
            difference, error = new.mean - old.mean, sqrt(new.variance() + old.variance())
            radius = error * self.times(new.n)
            if difference - radius > shown or (last and difference - LAST * error > shown):
                return "take back"
            good.append(last or difference + radius < harmless)
        return "promote" if all(good) else None

    @staticmethod
    def times(n):
        """How many standard errors the interval reaches, at n values of the candidate's."""
        t = n * RHO
        return sqrt(2 * (t + 1) / t * log(sqrt(t + 1) / (ALPHA / 2)))
