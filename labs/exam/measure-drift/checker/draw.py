"""What this task draws."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Drawn:
    """Where bins are cut, as the text and as numbers; the least share; the limit; and others, for mistakes."""

    cuts: str
    quantiles: list[float]
    floor: float
    limit: float


def draw(random: Random) -> Drawn:
    """Draw them."""
    quantiles = random.choice(([0.2, 0.4, 0.6, 0.8], [0.25, 0.5, 0.75], [0.1, 0.3, 0.5, 0.7, 0.9], [0.1, 0.5, 0.9]))
    return Drawn(
        ", ".join(map(str, quantiles)), quantiles, random.choice((0.0001, 0.0005, 0.001)),
        random.choice((0.15, 0.2, 0.25, 0.3)),
    )  # fmt: skip
