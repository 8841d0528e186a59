"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The names of the objects, and the claim's size in MiB; `less` is a size that is too small."""

    storage_class: str
    claim: str
    pod: str
    size: int
    less: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    kind, claim, pod = words(random, 3)
    size = random.randrange(40, 200, 10)
    return Drawn(f"{kind}-keep", f"{claim}-data", f"{pod}-keeper", size, size - 10)
