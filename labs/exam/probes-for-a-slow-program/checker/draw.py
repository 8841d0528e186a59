"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The name, the port, both paths, and the probes' numbers; `slow` are the seconds that the program needs."""

    app: str
    port: int
    live: str
    ready: str
    tries: int
    live_every: int
    live_fails: int
    slow: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    (app,) = words(random, 1)
    live, ready = random.choice(
        [("/healthz", "/readyz"), ("/live", "/ready"), ("/alive", "/serving"), ("/ping", "/open")]
    )
    every, fails = random.choice([(1, 3), (2, 2), (1, 4)])
    return Drawn(app, random.choice([8000, 8081, 8082, 9000]), live, ready, random.randrange(35, 60), every, fails, 4)
