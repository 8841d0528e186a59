"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The Deployment, how many pods it has, what each asks for (thousandths of a CPU, MiB), and the fault.

    `memory`: the request is in TiB. `label`: the pods want a node with a label that none has. `quota`: they ask for
    `too_much` CPU, which the quota of `share` has not for all of them.
    """

    name: str
    pods: int
    cpu: int
    memory: int
    share: int
    too_much: int
    label: str
    fault: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    name, label = words(random, 2)
    pods, cpu, memory = random.choice([2, 3]), random.choice([15, 20, 25]), random.choice([12, 16, 20, 24])
    share = pods * cpu + random.choice([5, 10])
    fault = random.choice(["memory", "label", "quota"])
    return Drawn(f"{name}-worker", pods, cpu, memory, share, cpu + 15, f"{label}-disk", fault)
