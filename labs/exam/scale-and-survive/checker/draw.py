"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The name, the model's release, the CPU that is requested in m, the most pods, the target in percent."""

    model: str
    release: str
    cpu: int
    most: int
    target: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    model, release = words(random, 2)
    return Drawn(
        f"{model}-delay", f"{release}-{random.randrange(10, 99)}", random.randrange(60, 120, 10), random.choice((3, 4)),
        random.randrange(55, 85, 5),
    )  # fmt: skip
