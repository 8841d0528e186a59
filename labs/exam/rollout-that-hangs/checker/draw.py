"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The Deployment, the Service that its pods wait for, one that there is none of, the releases, and the fault.

    `init`: new pods wait for `no_store`. `readiness`: their probe asks for a file that there is none of. `quota`: there
    is no room for a pod more than there are.
    """

    name: str
    store: str
    no_store: str
    old: str
    new: str
    quota: int
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    name, store, old, new = words(random, 4)
    fault = random.choice(["init", "readiness", "quota"])
    pods = 3 if fault == "quota" else 5  # two of the Deployment's, and the caller
    no_store = random.choice([f"{store}-stores", f"{store}store", f"{store}-db"])
    return Drawn(f"{name}-api", f"{store}-store", no_store, old, new, pods, fault)
