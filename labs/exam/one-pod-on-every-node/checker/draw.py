"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The program's name, and the path at which it says how it is."""

    app: str
    path: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, path = words(random, 2)
    return Drawn(f"{app}-watch", f"{path}z")
