"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names of what is in the base, the prefix, and what the overlay sets."""

    app: str
    config: str
    prefix: str
    greeting: str
    farewell: str
    replicas: int
    port: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, config, prefix, greeting, farewell = words(random, 5)
    return Drawn(
        f"{app}-door", f"{config}-words", prefix, greeting, farewell, random.randrange(2, 4),
        random.randrange(8081, 8999),
    )  # fmt: skip
