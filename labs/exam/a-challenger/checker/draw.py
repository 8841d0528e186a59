"""What this task draws."""

from dataclasses import dataclass
from random import Random
from typing import Any

from mlops_lab.tasks.drawing import words

_COUNT = 6


@dataclass(frozen=True)
class Drawn:
    """Aliases, the versions with what their runs have logged, the longest latency, and two versions' numbers."""

    served: str
    tried: str
    versions: list[dict[str, Any]]
    limit: int
    champion: int
    challenger: int


def draw(random: Random) -> Drawn:
    """Draw them. By auc a slow one and one of other data come first, then the challenger, then the champion.

    The challenger takes as long as it may, and no less.
    """
    alias, *names = words(random, 1 + _COUNT)
    limit = random.randrange(20, 60, 5)
    same, other = (f"{random.randrange(16**8):08x}" for _ in range(2))
    auc = sorted(random.sample(range(7100, 8300), _COUNT), reverse=True)
    order = [*random.sample(("slow", "elsewhere"), 2), "challenger", "champion", "worse", "worse"]
    made = []
    for kind, value in zip(order, auc, strict=True):
        latency = random.randrange(4 * limit, 9 * limit) / 10
        if kind in ("slow", "challenger"):
            latency = float(limit) + (random.randrange(1, 60) / 10 if kind == "slow" else 0.0)
        made.append((kind, {
            "auc": value / 10000, "digest": other if kind == "elsewhere" else same, "latency_ms": latency,
        }))  # fmt: skip
    while True:
        made = random.sample(made, len(made))
        kinds = [kind for kind, _ in made]
        if kinds[-1] == "worse":  # the newest is none of those that come into question
            break
    versions = [
        {"run": f"{name}-{random.randrange(10, 99)}", **logged} for name, (_, logged) in zip(names, made, strict=True)
    ]
    return Drawn(
        random.choice(("production", "live", "champion", "serving")), f"{alias}-trial", versions, limit,
        kinds.index("champion") + 1, kinds.index("challenger") + 1,
    )  # fmt: skip
