"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The Deployment's name, and how long a token may be good for."""

    app: str
    hours: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    (app,) = words(random, 1)
    return Drawn(f"{app}-batch", random.choice([2, 3, 4, 6]))
