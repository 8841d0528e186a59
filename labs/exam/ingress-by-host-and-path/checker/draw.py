"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The Services and their port, the Ingress, its host and its path."""

    front: str
    api: str
    port: int
    ingress: str
    host: str
    path: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, ingress, path = words(random, 3)
    port = random.choice([80, 8080, 9000])
    return Drawn(f"{app}-front", f"{app}-api", port, f"{ingress}-entry", f"{app}-shop.example.org", path)
