"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names of the chart and of both releases, messages, numbers of replicas, and how the upgrade broke the old
    release: `image` or `path`, with a number that is in it.
    """

    chart: str
    old: str
    new: str
    old_message: str
    message: str
    port: int
    first: int
    then: int
    fault: str
    wrong: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    chart, old, new, one, two, three, four = words(random, 7)
    first, then = random.sample((2, 3), 2)
    return Drawn(
        f"{chart}-answers", f"{old}-desk", f"{new}-desk", f"{one} and {two}", f"{three} or {four}",
        random.randrange(7001, 7999), first, then, random.choice(("image", "path")), random.randrange(40, 99),
    )  # fmt: skip
