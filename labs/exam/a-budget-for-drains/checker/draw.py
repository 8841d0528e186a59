"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names, how many pods the model has, one less than that, and how many it is scaled to by the checker."""

    model: str
    trial: str
    budget: str
    pods: int
    less: int
    more: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    model, trial, budget = words(random, 3)
    pods = random.choice((2, 3))
    return Drawn(f"{model}-delay", f"{trial}-trial", f"{budget}-budget", pods, pods - 1, pods + 2)
