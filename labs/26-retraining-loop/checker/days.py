"""Which days the warehouse goes to in a run, and whose labels are turned round there: drawn from those that do.

A model of the first two weeks of February is what serves. What becomes of the four weeks up to each of these days was
computed with the components.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from mlops_lab.checks import Lab
from mlops_lab.kit.drawn import drawn

HOME = "2013-02-21"  # where the warehouse is before and after
LEARNT, HELD_OUT = 21, 7  # days to learn from, and to judge by
# `validate` refuses either part of these weeks when its labels are turned round, and the whole of them then, too.
POISONED = (
    "2013-02-08", "2013-02-09", "2013-02-14", "2013-02-17", "2013-02-22", "2013-03-03", "2013-03-08", "2013-03-09",
    "2013-03-10", "2013-03-11", "2013-03-20", "2013-04-25", "2013-05-25", "2013-06-15", "2013-06-25", "2013-07-01",
    "2013-07-11", "2013-07-27",
)  # fmt: skip
# A candidate's AUC on the held-out week, and that of the model in service. What is said of a candidate holds for
# the four weeks up to the day before as well; at 2013-03-08 it does not: such a one has 0.683, and the other 0.677.
# Of those above these are fit as they are, and a candidate is surely worse by 0.017 or more.
NOTHING_NEW = {
    "2013-02-08": (0.674, 0.781), "2013-02-09": (0.666, 0.770), "2013-03-09": (0.668, 0.727),
    "2013-03-10": (0.679, 0.727), "2013-03-11": (0.691, 0.728),
}  # fmt: skip
# These are fit, a candidate is surely better by 0.076 or more, and the last two days are a drift.
DRIFTED = {
    "2013-06-21": (0.693, 0.597), "2013-07-15": (0.655, 0.549), "2013-07-29": (0.692, 0.562),
    "2013-08-15": (0.684, 0.565),
}  # fmt: skip
# Days without anything new, and those of a drift, whose candidate is not above the other one by more than `CLOSE`: no
# bar for a candidate's AUC tells these two apart. One that stops the first stops the second.
CLOSE = 0.003
PAIRS = [
    (worse, better)
    for worse, (refused, _) in NOTHING_NEW.items()
    for better, (served, _) in DRIFTED.items()
    if served - refused <= CLOSE
]


@dataclass(frozen=True)
class Days:
    """The warehouse's today in each stage.

    Attributes:
        righted: in the first run, with labels turned round, and again when they are right and nothing is new.
        poisoned, drifted: in the second run, with others turned round, and in the drift.
        parts: what is turned round in the first run, and in the second: `learnt` days, or `held_out` ones.
    """

    righted: str
    poisoned: str
    drifted: str
    parts: tuple[str, str]

    def turned(self, number: int) -> list[str]:
        """The first and the last day whose labels are turned round in the first run (0) or the second (1)."""
        today, part = date.fromisoformat((self.righted, self.poisoned)[number]), self.parts[number]
        begin = {"learnt": LEARNT + HELD_OUT - 1, "held_out": HELD_OUT - 1}[part]
        end = {"learnt": HELD_OUT, "held_out": 0}[part]
        return [str(today - timedelta(days=days)) for days in (begin, end)]

    @property
    def storms(self) -> tuple[str, str]:
        """The days whose flights the passengers of the drift ask about."""
        return str(date.fromisoformat(self.drifted) - timedelta(days=1)), self.drifted


async def days(lab: Lab) -> Days:
    """This run's."""
    chance = drawn(lab, "days")
    first, second = chance.sample(("learnt", "held_out"), 2)
    worse, better = chance.choice(PAIRS)
    return Days(worse, chance.choice(POISONED), better, (first, second))
