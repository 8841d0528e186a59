"""What this task draws."""

from dataclasses import dataclass
from random import Random
from typing import Any

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names, the versions with the digests of their data, the one in service, and the digest that was recalled."""

    model: str
    alias: str
    record: str
    versions: list[dict[str, Any]]
    served: int
    recalled: str
    affected: str


def draw(random: Random) -> Drawn:
    """Draw them. The recalled data trained some versions, and only evaluated another one; the newest does not serve."""
    model, record = words(random, 2)
    digests = [f"{random.randrange(16**8):08x}" for _ in range(7)]
    recalled, others = digests[0], digests[1:]
    count = 6
    served, evaluated, *rest = random.sample(range(1, count), count - 1)
    affected = sorted(random.sample([*rest, count], random.choice((2, 3))))
    free = random.sample(others[:4], 4)
    versions = []
    for number in range(1, count + 1):
        training = recalled if number in affected else free.pop() if free else others[4]
        evaluation = recalled if number == evaluated else others[5]
        order = random.sample(("training", "evaluation"), 2)
        versions.append({"training": training, "evaluation": evaluation, "order": order})
    return Drawn(
        f"{model}-delay", random.choice(("production", "live", "champion", "serving")), f"{record}-lineage", versions,
        served, recalled, ",".join(map(str, affected)),
    )  # fmt: skip
