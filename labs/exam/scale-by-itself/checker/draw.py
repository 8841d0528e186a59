"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names; a pod's CPU request in thousandths of a core; the bounds; the target in percent; times in seconds."""

    app: str
    scaler: str
    cpu: int
    least: int
    most: int
    target: int
    every: int
    calm: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, scaler = words(random, 2)
    return Drawn(
        f"{app}-web", scaler, random.randrange(15, 31, 5), 2, random.randrange(4, 8), random.randrange(50, 81, 5),
        random.randrange(15, 31, 5), random.randrange(60, 301, 30),
    )  # fmt: skip
