"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The names of the Deployment, the DaemonSet and the pod that is nobody's."""

    app: str
    agent: str
    job: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, agent, job = words(random, 3)
    return Drawn(f"{app}-web", f"{agent}-agent", f"{job}-job")
