"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The Deployment's name, the version of its image, and the version whose model is wanted."""

    model: str
    now: str
    wanted: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    (model,) = words(random, 1)
    now, wanted = random.sample(("v1", "v2"), 2)
    return Drawn(f"{model}-delay", now, wanted)
