"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The names of the objects, the ConfigMap's two entries, and the Secret's, with its variable."""

    app: str
    config: str
    secret: str
    first: str
    first_value: str
    second: str
    second_value: str
    entry: str
    secret_value: str
    variable: str
    prefix: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, config, secret, value, key = words(random, 5)
    first, second = random.sample(["region", "threshold", "window", "level", "carrier"], 2)
    entry, prefix = random.choice([("token", "MODEL_"), ("password", "STORE_"), ("key", "API_")])
    return Drawn(
        app, f"{config}-settings", f"{secret}-access", first, value, second, str(random.randrange(100, 999)),
        entry, f"{key}-{random.randrange(10**5, 10**6)}", prefix + entry.upper(), prefix,
    )  # fmt: skip
