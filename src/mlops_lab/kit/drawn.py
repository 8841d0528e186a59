"""What a check draws for its run: names, dates, numbers, faults. The report bears the seed, which draws them again.

`MLOPS_LAB_SEED` gives a seed; without it each run has one of its own. No program of the learner's sees either.
"""

from __future__ import annotations

import random

from mlops_lab.checks import Lab, current


def seed(lab: Lab) -> int:
    """This run's seed, which from now on is in the results of the check that asks."""
    current.trace().drew(lab.seed)
    return lab.seed


def drawn(lab: Lab, what: str) -> random.Random:
    """A generator of its own for each thing that is drawn, so that no order of checks changes what it gives.

    Args:
        what: is drawn, such as `days`; the same words draw the same again in the same run, so ask once (`lab.once`)
            for what several checks share.
    """
    return random.Random(f"{seed(lab)} {lab.number} {what}")
