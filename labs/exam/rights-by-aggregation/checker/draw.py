"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names of ClusterRoles, of who gets them, of the other Namespace and of the label's domain, and the resource of
    batch that the second ClusterRole is about.
    """

    team: str
    one: str
    two: str
    viewer: str
    user: str
    group: str
    other: str
    label: str
    resource: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    team, viewer, user, group, other, label = words(random, 6)
    return Drawn(
        f"{team}-team", f"{team}-pods", f"{team}-batch", f"{viewer}-viewer", user, f"{group}-auditors",
        f"{other}-desk", f"{label}.example.com", random.choice(("jobs", "cronjobs")),
    )  # fmt: skip
