"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names of the StatefulSet and of both Services, ports, and which member is not ready for a while."""

    members: str
    group: str
    clients: str
    port: int
    client_port: int
    behind: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    members, group, clients = words(random, 3)
    port, client_port = random.sample(range(6001, 6999), 2)
    return Drawn(f"{members}-db", f"{group}-group", f"{clients}-db", port, client_port, random.randrange(2))
