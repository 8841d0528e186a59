"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The Deployment, the text before and now, the colour, a text that the checker sets for a while, and the fault.

    The fault is how text and colour come into the container: as a file each, with a `path` in a volume; as a `copy`
    that an init container makes; or as a `variable`.
    """

    name: str
    old: str
    text: str
    colour: str
    next: str
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    name, old, text, following = words(random, 4)
    colour = random.choice(["red", "green", "blue", "black", "white"])
    return Drawn(f"{name}-sign", old, text, colour, following, random.choice(["path", "copy", "variable"]))
