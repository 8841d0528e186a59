"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The names, which colour is the old one, both releases, and how many pods each has."""

    app: str
    client: str
    old: str
    new: str
    before: str
    release: str
    pods: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, client = words(random, 2)
    old, new = random.sample(["blue", "green"], 2)
    release = random.randrange(2, 60)
    return Drawn(app, f"{client}-customer", old, new, f"v{release - 1}", f"v{release}", 2)
