"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names, the minutes that are looked at, the quantile in percent and as a number, and how likely delays are.

    Attributes:
        means: of the probabilities that the two pods predict, and of those after a change.
    """

    rules: str
    prefix: str
    minutes: int
    percent: int
    quantile: float
    means: list[float]


def draw(random: Random) -> Drawn:
    """Draw them."""
    rules, prefix = words(random, 2)
    percent = random.choice((80, 90, 95))
    means = [random.randrange(low, low + 60) / 1000 for low in (100, 420, 300, 200)]
    return Drawn(f"{rules}-figures", prefix, random.choice((4, 5, 6, 8)), percent, percent / 100, means)
