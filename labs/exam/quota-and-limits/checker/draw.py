"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names; CPU in thousandths of a core, memory in MiB: of one container, and of all pods together."""

    app: str
    limits: str
    quota: str
    cpu: int
    memory: int
    cpu_limit: int
    memory_limit: int
    memory_most: int
    cpu_all: int
    memory_all: int
    pods: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, limits, quota = words(random, 3)
    return Drawn(
        f"{app}-work", f"{limits}-each", f"{quota}-all", random.randrange(10, 31, 5), random.randrange(16, 33, 4),
        random.randrange(100, 201, 20), random.randrange(48, 97, 8), random.randrange(128, 193, 16),
        random.randrange(200, 301, 20), random.randrange(256, 401, 16), random.randrange(6, 9),
    )  # fmt: skip
