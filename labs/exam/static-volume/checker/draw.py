"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names, the label's key with two values, and sizes in MiB: `asked` < `between` < `size`."""

    volume: str
    decoy: str
    large: str
    kind: str
    claim: str
    pod: str
    key: str
    value: str
    other: str
    size: int
    asked: int
    between: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    volume, decoy, large, kind, claim, pod, value, other = words(random, 8)
    size = random.randrange(100, 300, 10)
    return Drawn(
        f"{volume}-trusted", f"{decoy}-trusted", f"{large}-trusted", f"{kind}-by-hand", f"{claim}-trusted",
        f"{pod}-reader",
        random.choice(["made-for", "team", "audience", "cabinet"]), value, other, size, size - 60, size - 30,
    )  # fmt: skip
