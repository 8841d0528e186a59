"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The name, the version of the model, the CPU that is requested in m, the most pods, the target in percent."""

    model: str
    version: str
    cpu: int
    most: int
    target: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    (model,) = words(random, 1)
    return Drawn(
        f"{model}-delay", random.choice(("v1", "v2")), random.randrange(60, 120, 10), random.choice((3, 4)),
        random.randrange(55, 85, 5),
    )  # fmt: skip
