"""What this task draws."""

from dataclasses import dataclass
from random import Random

from mlops_lab.tasks.drawing import words

# Cores. Each is more than twice the next one, so that their order is the same whenever it is measured.
_USE = (0.045, 0.018, 0.006)


@dataclass(frozen=True)
class Drawn:
    """The StatefulSets, the group of those that compute, in the order of their use, that use, and who keeps most.

    Pods of a StatefulSet are called after it, with a number: `NAME-0`.
    """

    names: list[str]
    group: str
    by_cpu: list[str]
    use: dict[str, float]
    keeper: str


def draw(random: Random) -> Drawn:
    """Draw them."""
    group, *names = words(random, 5)
    by_cpu = random.sample(names, len(_USE))
    keeper = random.choice([name for name in names if name != by_cpu[0]])
    return Drawn(names, group, by_cpu, dict(zip(by_cpu, _USE, strict=True)), keeper)
