"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The name, both releases, and the pods: all together, the canary's, the others', and their share."""

    app: str
    stable: str
    canary: str
    pods: int
    few: int
    rest: int
    percent: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    (app,) = words(random, 1)
    pods, few = random.choice([(4, 1), (5, 1), (5, 2)])
    release = random.randrange(1, 20)
    return Drawn(app, f"v{release}", f"v{release + 1}", pods, few, pods - few, 100 * few // pods)
