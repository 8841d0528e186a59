"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The Deployment, its pods, which of its containers got the right image and which a wrong one, and the fault.

    The fault is what is wrong in the image's name: its `tag`, its `registry` or the `name` itself.
    """

    name: str
    pods: int
    right: str
    wrong: str
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    fault = random.choice(["tag", "registry", "name"])
    right, wrong = random.sample(["prepare", "server"], 2)
    return Drawn(f"{words(random, 1)[0]}-delays", random.choice([2, 3]), right, wrong, fault)
