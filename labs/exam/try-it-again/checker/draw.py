"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names, and how often a step is tried again, once more and once less than that."""

    pipeline: str
    source: str
    retries: int
    more: int
    less: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    pipeline, source = words(random, 2)
    retries = random.choice((2, 3))
    return Drawn(f"{pipeline}-batches", f"{source}-source", retries, retries + 1, retries - 1)
