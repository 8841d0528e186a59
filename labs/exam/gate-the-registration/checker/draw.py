"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The pipeline's name, the bound, metrics below and above it, and another quality above it."""

    pipeline: str
    bound: float
    below: float
    above: float
    better: float


def draw(random: Random) -> Drawn:
    """Draw them."""
    (name,) = words(random, 1)
    bound = random.randrange(7200, 8800, 50) + random.randrange(1, 50)
    below, above = bound - random.randrange(2, 30), bound + random.randrange(300, 1000)
    return Drawn(f"{name}-gate", bound / 10000, below / 10000, above / 10000, (above + 1) / 10000)
