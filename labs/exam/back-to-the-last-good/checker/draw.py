"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names, the five releases with their verdicts, and the number of the last good one."""

    model: str
    passenger: str
    releases: list[dict[str, str]]
    good: int


def draw(random: Random) -> Drawn:
    """Draw them. The one before the last is withdrawn, too, and there is an older one that is good."""
    model, passenger, name = words(random, 3)
    first, good = random.randrange(11, 80), random.choice((2, 3))
    verdicts = ["good" if number <= good else "withdrawn" for number in range(1, 6)]
    releases = [{"name": f"{name}-{first + place}", "verdict": each} for place, each in enumerate(verdicts)]
    return Drawn(f"{model}-delay", f"{passenger}-passenger", releases, good)
