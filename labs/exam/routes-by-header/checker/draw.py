"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The Services and their port, Gateway, HTTPRoute and host; the header and its value, and what becomes of a path.

    `redirect`: clients are sent to another path, with a status. `rewrite`: the Service gets another path.
    """

    stable: str
    beta: str
    port: int
    gateway: str
    route: str
    host: str
    header: str
    value: str
    extra: str
    path: str
    target: str
    status: int


def draw(random: Random) -> Drawn:
    """Draw them."""
    app, gateway, route, value, path, target = words(random, 6)
    return Drawn(
        f"{app}-stable", f"{app}-beta", random.choice([80, 8080, 9000]), f"{gateway}-gateway", f"{route}-route",
        f"{app}-beta.example.org", random.choice(["X-Ring", "X-Tester", "X-Group"]), value,
        random.choice(["redirect", "rewrite"]), path, target, random.choice([301, 302]),
    )  # fmt: skip
