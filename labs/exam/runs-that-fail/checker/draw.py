"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The CronJob, when it is due, how many orders there are, and the fault.

    `account`: its pods want a ServiceAccount that there is none of. `volume`: they mount such a ConfigMap. `deadline`:
    a run has less time than it takes.
    """

    name: str
    schedule: str
    orders: int
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    (name,) = words(random, 1)
    schedule = f"{random.randrange(60)} {random.randrange(1, 5)} * * {random.choice(['*', '1-5'])}"
    fault = random.choice(["account", "volume", "deadline"])
    return Drawn(f"{name}-count", schedule, random.randrange(11, 60), fault)
