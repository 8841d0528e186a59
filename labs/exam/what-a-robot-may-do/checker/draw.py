"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names of the ServiceAccount, of Deployments and of the other Namespace; what it may read one of, and how it
    scales: `update` or `patch`.
    """

    robot: str
    app: str
    neighbour: str
    runner: str
    other: str
    kind: str
    resource: str
    item: str
    item_beside: str
    scales: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    robot, app, neighbour, other, item, beside = words(random, 6)
    kind, resource = random.choice((("ConfigMap", "configmaps"), ("Secret", "secrets")))
    return Drawn(
        f"{robot}-releaser", app, neighbour, f"{robot}-robot", f"{other}-prod", kind, resource, f"{item}-channel",
        f"{beside}-channel", random.choice(("update", "patch")),
    )  # fmt: skip
