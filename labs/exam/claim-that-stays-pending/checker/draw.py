"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names; the class, and a name that is nearly that; the label's value and another; the volume's size in MiB.

    Attributes:
        faults: two of what is wrong with the claim: `class`, `mode`, `size`, `label`.
    """

    volume: str
    spare: str
    claim: str
    app: str
    kind: str
    near: str
    use: str
    other: str
    size: int
    faults: list[str]


def draw(random: Random) -> Drawn:
    """Draw them."""
    volume, spare, claim, app, kind, use, other = words(random, 7)
    return Drawn(
        f"{volume}-plugins", f"{spare}-spare", f"{claim}-plugins", f"{app}-list", f"{kind}-nodes", f"{kind}-node", use,
        other, random.randrange(100, 300, 10), random.sample(["class", "mode", "size", "label"], 2),
    )  # fmt: skip
