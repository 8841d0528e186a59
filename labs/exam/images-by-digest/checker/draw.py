"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names, what the server answers, and the minute of the CronJob's schedule."""

    model: str
    nightly: str
    record: str
    release: str
    minute: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    model, nightly, record, release = words(random, 4)
    return Drawn(
        f"{model}-delay", f"{nightly}-nightly", f"{record}-image", f"{release}-{random.randrange(100, 999)}",
        random.randrange(60),
    )  # fmt: skip
