"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The pod's name, the port that it listens on, and another one."""

    pod: str
    port: int
    other: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    (pod,) = words(random, 1)
    port, other = random.sample(range(8000, 8100, 10), 2)
    return Drawn(f"{pod}-agent", port, other)
