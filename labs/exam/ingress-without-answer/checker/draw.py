"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The two applications, their Services' port, and the fault.

    `class`: there is no such IngressClass. `path`: it is for one path and below. `type`: it is for one path alone.
    `service`: there is no such Service. `port`: the Service has another one.
    """

    app: str
    neighbour: str
    port: int
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, neighbour = words(random, 2)
    fault = random.choice(["class", "path", "type", "service", "port"])
    return Drawn(f"{app}-desk", f"{neighbour}-desk", random.choice([80, 8088, 9000]), fault)
