"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names; the classes' values, of which the polite one's is lower."""

    batch: str
    urgent: str
    report: str
    licence: str
    high: str
    polite: str
    high_value: int
    polite_value: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    batch, urgent, report, licence, high, polite = words(random, 6)
    return Drawn(
        f"{batch}-batch", f"{urgent}-orders", f"{report}-report", licence, f"{high}-first", f"{polite}-in-turn",
        random.randrange(200_000, 900_000, 1000), random.randrange(10_000, 90_000, 1000),
    )  # fmt: skip
