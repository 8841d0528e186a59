"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The two Services, their port, the port that the programs listen on, a wrong one, and the fault.

    `selector`: the Service wants a label that its pods don't have. `port`: its targetPort is another one. `readiness`:
    the probe asks for a file that there is none of. `address`: the program listens for its own pod alone.
    """

    service: str
    neighbour: str
    port: int
    target: int
    wrong_target: int
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    service, neighbour = words(random, 2)
    target, wrong_target = random.sample(range(8000, 8100, 5), 2)
    fault = random.choice(["selector", "port", "readiness", "address"])
    return Drawn(f"{service}-shop", f"{neighbour}-shop", random.choice([80, 8088, 9000]), target, wrong_target, fault)
