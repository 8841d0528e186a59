"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The names of the Deployment, its folder and its file, and the user and the group."""

    app: str
    folder: str
    notes: str
    user: int
    group: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, folder, notes = words(random, 3)
    user = random.randrange(20_000, 30_000)
    return Drawn(app, f"/var/{folder}", f"{notes}.txt", user, user + random.randrange(1, 900))
