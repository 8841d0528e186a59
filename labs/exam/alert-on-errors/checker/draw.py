"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names, the severity, the share in percent and as a number, and the minutes for which it holds."""

    rules: str
    alert: str
    severity: str
    other: str
    percent: int
    share: float
    hold: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    rules, alert = words(random, 2)
    percent = random.randrange(4, 9)
    severity, other = random.sample(("critical", "warning", "page"), 2)
    return Drawn(
        f"{rules}-rules", f"{alert.capitalize()}RequestsFail", severity, other, percent, percent / 100,
        random.choice((4, 5, 6)),
    )  # fmt: skip
