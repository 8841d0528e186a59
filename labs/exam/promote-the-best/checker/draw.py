"""What this task draws."""

from dataclasses import dataclass
from random import Random
from typing import Any

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names, the versions, and of these the numbers of the one in service, of the best, and of the highest of all."""

    model: str
    alias: str
    versions: list[dict[str, Any]]
    now: int
    best: int
    highest: int


def draw(random: Random) -> Drawn:
    """Draw them.

    The newest version was accepted, and is the second best of those that were. The one in service is another one, and
    does not stand just before the best.
    """
    count = random.choice((5, 6))
    model, *runs = words(random, 1 + count)
    values = sorted(random.sample(range(7100, 8300), count), reverse=True)  # the highest first
    now, best, highest = random.sample(range(1, count), 3)
    while now == best - 1:
        now, best, highest = random.sample(range(1, count), 3)
    others = [number for number in range(1, count) if number not in (now, best, highest)]
    order = [highest, best, count, *random.sample([now, *others], count - 3)]
    auc = {number: value / 10000 for number, value in zip(order, values, strict=True)}
    versions = [
        {
            "run": f"{runs[number - 1]}-{random.randrange(10, 99)}", "auc": auc[number],
            "accepted": "no" if number == highest else "yes" if number in (best, now, count) else
            random.choice(("yes", "no")),
        }
        for number in range(1, count + 1)
    ]  # fmt: skip
    return Drawn(
        f"{model}-delay", random.choice(("production", "live", "champion", "serving")), versions, now, best, highest
    )
