"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names; the claims' size in MiB; `token` is what the data says, and `file` where.

    The new claim may have the name of the deleted one: `lost` and `claim` are the same then.
    """

    lost: str
    claim: str
    app: str
    file: str
    token: str
    size: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    lost, claim, app, file = words(random, 4)
    claim = random.choice([lost, claim])
    token = f"{random.getrandbits(48):012x}"
    return Drawn(f"{lost}-data", f"{claim}-data", f"{app}-web", file, token, random.randrange(20, 120, 10))
