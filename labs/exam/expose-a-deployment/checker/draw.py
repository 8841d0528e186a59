"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names of both Deployments, their common label, of the port and of the Services, and ports."""

    app: str
    old: str
    label: str
    name: str
    inside: str
    gate: str
    port: int
    service_port: int
    node_port: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    label, name, inside, gate = words(random, 4)
    return Drawn(
        f"{label}-shop", f"{label}-shop-before", label, f"{name}-web", inside, f"{gate}-gate",
        random.randrange(7001, 7999), random.randrange(8001, 8999), random.randrange(30100, 32600),
    )  # fmt: skip
