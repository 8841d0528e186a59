"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The pipeline's name, the run's parameters, and by the fault what `judge` reads, `release` waits for, is anew."""

    pipeline: str
    count: int
    limit: float
    fault: str
    judged: str
    waited_for: str
    anew: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    (name,) = words(random, 1)
    fault = random.choice(("wiring", "order", "cache"))
    return Drawn(
        f"{name}-gates", random.randrange(24, 80, 4), random.randrange(91, 99) + 0.5, fault,
        judged="rows" if fault == "wiring" else "held_out",
        waited_for="collect" if fault == "order" else "judge",
        anew="judge" if fault == "cache" else "collect",
    )  # fmt: skip
