"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The label's key, its wanted value and another; the Deployments; whether the first worker has the wanted value."""

    key: str
    value: str
    other: str
    fixed: str
    shy: str
    first: bool


def draw(random: Random) -> Drawn:
    """Draw them."""
    key, value, other, fixed, shy = words(random, 5)
    first = random.random() < 0.5
    return Drawn(f"example.org/{key}", value, other, f"{fixed}-store", f"{shy}-batch", first)
