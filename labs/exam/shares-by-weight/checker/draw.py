"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The Services and their port, Gateway, HTTPRoute and host, and how many percent the new Service gets."""

    old: str
    new: str
    port: int
    gateway: str
    route: str
    host: str
    share: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, gateway, route = words(random, 3)
    return Drawn(
        f"{app}-v1", f"{app}-v2", random.choice([80, 8080, 9000]), f"{gateway}-gateway", f"{route}-route",
        f"{app}-split.example.org", random.choice([10, 20, 30]),
    )  # fmt: skip
