"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names of Deployments and of other Namespaces (one `apart`, without the label), labels of who asks, and ports."""

    server: str
    store: str
    other: str
    second: str
    apart: str
    team: str
    monitor: str
    key: str
    front: str
    port: int
    metrics: int
    store_port: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    server, store, other, second, apart, team, monitor, front = words(random, 8)
    port, metrics, store_port = random.sample(range(7001, 7999, 2), 3)  # none is the next one of another
    return Drawn(
        f"{server}-api", f"{store}-store", f"{other}-watch", f"{second}-watch", f"{apart}-jobs", team,
        f"{monitor}-reader", random.choice(("tier", "role", "part")), f"{front}-front", port, metrics, store_port,
    )  # fmt: skip
