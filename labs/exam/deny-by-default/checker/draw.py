"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names of Deployments and of the other Namespace, and ports; `admin` is the store's second one."""

    web: str
    store: str
    far: str
    other: str
    web_port: int
    port: int
    admin: int
    far_port: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    web, store, far, other = words(random, 4)
    ports = random.sample(range(5001, 5999), 4)
    return Drawn(f"{web}-web", f"{store}-store", f"{far}-shop", f"{other}-sales", *ports)
