"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The names of Deployment and ServiceAccount; of the token the folder, the audience and the minutes."""

    app: str
    account: str
    folder: str
    audience: str
    minutes: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, account, folder, audience = words(random, 4)
    return Drawn(
        app,
        f"{account}-caller",
        f"/var/run/{folder}",
        f"https://{audience}.example",
        random.choice([20, 25, 30, 40, 90]),
    )
