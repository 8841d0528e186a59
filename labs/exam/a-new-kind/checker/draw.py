"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words

_PARTS = ("Line", "Queue", "Depot", "Crew")


@dataclass(frozen=True)
class Drawn:
    """Names of the kind and of its first object, names of its fields, what may stand in them, and what is to."""

    kind: str
    singular: str
    plural: str
    short: str
    group: str
    number: str
    least: int
    most: int
    value: int
    choice: str
    column: str
    one: str
    two: str
    three: str
    first: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    kind, group, one, two, three, first = words(random, 6)
    part = random.choice(_PARTS)
    least = random.randrange(2, 6)
    most = least + random.randrange(5, 30)
    choice = random.choice(("tier", "grade", "shape"))
    name = f"{kind}{part.lower()}"
    return Drawn(
        f"{kind.capitalize()}{part}", name, f"{name}s", f"{kind[:3]}{part[0].lower()}x", f"{group}.example.com",
        random.choice(("size", "depth", "weight")), least, most, random.randrange(least + 1, most), choice,
        random.choice((choice, f"of-{choice}")).capitalize(), one, two, three, f"{first}-one",
    )  # fmt: skip
