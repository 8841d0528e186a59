"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names, texts and numbers of the manifest."""

    app: str
    team: str
    report: str
    greeting: str
    what: str
    host: str
    path: str
    port: int
    settle: int
    history: int
    surge: int
    most: int
    goal: int
    minute: int
    hour: int
    late: int
    failed: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, team, report, greeting, what, host, path = words(random, 7)
    return Drawn(
        app, team, f"{report}-report", greeting, what, f"{host}.example", path, random.choice([8000, 8081, 8443, 9090]),
        random.choice([1, 2]), random.choice([3, 4, 5, 6]), random.choice([1, 2]), random.randrange(4, 9),
        random.choice([45, 55, 60, 65, 70]), random.randrange(1, 59), random.randrange(1, 23),
        random.randrange(100, 500, 20), random.choice([2, 3, 4]),
    )  # fmt: skip
