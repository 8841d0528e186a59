"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The pod's name, and what is asked of the network, of the runtime and of files."""

    pod: str
    network: str
    runtime: str
    files: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    (pod,) = words(random, 1)
    return Drawn(
        f"{pod}-web",
        random.choice(["plugin", "pods", "services"]),
        random.choice(["version", "socket", "container"]),
        random.choice(["logs", "static", "certificate"]),
    )
