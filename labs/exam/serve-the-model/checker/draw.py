"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names, the version of the model and `another` one, and the container's resources in m and Mi."""

    model: str
    service: str
    version: str
    another: str
    cpu: int
    memory: int
    limit: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    model, service = words(random, 2)
    version, another = random.sample(("v1", "v2"), 2)
    return Drawn(
        f"{model}-delay", f"{service}-api", version, another, random.randrange(20, 60, 5),
        random.randrange(128, 200, 8), random.randrange(384, 520, 16),
    )  # fmt: skip
