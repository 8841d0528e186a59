"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names, the time of day, and the parameters; `more` trees are for the run that is started now."""

    pipeline: str
    schedule: str
    hour: int
    minute: int
    clock: str
    days: int
    trees: int
    more: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    pipeline, schedule = words(random, 2)
    hour, minute = random.randrange(1, 12), random.randrange(13, 58)
    trees = random.randrange(20, 60, 2)
    return Drawn(
        f"{pipeline}-retraining", f"{schedule}-daily", hour, minute, f"{hour:02}:{minute:02}",
        random.randrange(9, 29), trees, trees + random.randrange(10, 40, 2),
    )  # fmt: skip
