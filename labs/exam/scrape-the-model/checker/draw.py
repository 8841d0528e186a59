"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names, where the metrics are, what is in them, and what is wrong with the annotations."""

    model: str
    app: str
    version: str
    port: int
    path: str
    requests: int
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    model, app, path = words(random, 3)
    return Drawn(
        f"{model}-delay", f"{app}-flights", f"{random.randrange(3, 40)}", random.randrange(9100, 9900),
        f"/{path}/metrics", random.randrange(100, 900), random.choice(("place", "switch", "port")),
    )  # fmt: skip
