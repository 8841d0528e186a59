"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The settings of the first three revisions, and of the newest one.

    Attributes:
        good: the number of the revision that is wanted, 1 or 2.
        limit: its LIMIT, which no other revision has.
        fault: what is wrong with the newest revision.
        ticket: the number in the first revision's change cause.
        keep: old ReplicaSets.
    """

    app: str
    releases: list[str]
    limits: list[int]
    colours: list[str]
    modes: list[str]
    newest: str
    good: int
    limit: int
    fault: str
    ticket: int
    cause: str
    keep: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, newest, *releases = words(random, 5)
    colours, modes = random.sample(["red", "green", "blue", "grey", "pink"], 3), random.sample("abcdefgh", 3)
    limits = random.sample(range(20, 90), 3)
    good, ticket = random.choice([1, 2]), random.randrange(1000, 9000)
    fault = random.choice(["image", "command", "port"])
    return Drawn(
        f"{app}-web", releases, limits, colours, modes, newest, good, limits[good - 1], fault, ticket,
        f"back to {releases[good - 1]}", random.choice([1, 2]),
    )  # fmt: skip
