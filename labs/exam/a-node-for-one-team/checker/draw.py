"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The Deployments' names; the taint's key, value and effect, and another effect."""

    app: str
    other: str
    key: str
    value: str
    effect: str
    another: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, other, value = words(random, 3)
    effect, another = random.sample(["NoSchedule", "NoExecute"], 2)
    key = random.choice(["team", "reserved-for", "department", "owner"])
    return Drawn(f"{app}-scoring", f"{other}-web", key, value, effect, another)
