"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The backup's name, the ConfigMap's, and what is in it."""

    name: str
    marker: str
    value: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    name, marker, value = words(random, 3)
    return Drawn(f"etcd-{name}", f"{marker}-marker", f"{value}-{random.randrange(10**9):09d}")
