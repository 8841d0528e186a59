"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The names; what containers get; what all pods may have; the Deployment's own. MiB and thousandths of a CPU."""

    app: str
    limits: str
    quota: str
    cpu: int
    memory: int
    memory_limit: int
    memory_most: int
    cpu_all: int
    memory_all: int
    pods_all: int
    own_cpu: int
    own_memory: int
    own_limit: int
    pods: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, limits, quota = words(random, 3)
    memory = random.randrange(8, 14)
    most = random.randrange(60, 90, 4)
    own = random.randrange(10, 20)
    return Drawn(
        app, f"{limits}-limits", f"{quota}-quota",
        random.randrange(6, 12), memory, memory + random.randrange(6, 16), most,
        random.randrange(200, 400, 20), random.randrange(600, 900, 20), random.randrange(8, 13),
        random.randrange(12, 20), own, own + random.randrange(10, 20), random.choice([2, 3]),
    )  # fmt: skip
